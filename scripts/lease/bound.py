"""``python -m scripts.lease.bound COMMAND...``: become a command that gets SIGTERM when the process that started it has ended.

So nothing goes on where a lease is killed by SIGKILL, which it cannot hear. https://man7.org/linux/man-pages/man2/PR_SET_PDEATHSIG.2const.html
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1  # linux/prctl.h

if __name__ == "__main__":
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    os.execvp(sys.argv[1], sys.argv[1:])
