"""What holds for all tests."""

import signal

if (
    signal.getsignal(signal.SIGINT) is signal.SIG_IGN
):  # as where a shell has started them in the background: Ctrl-C is tested too
    signal.signal(signal.SIGINT, signal.default_int_handler)
