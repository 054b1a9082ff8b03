"""A worker process of ``launcher=gpus``: ``python -m pruneexp.launchers.gpu_worker REPLIES``.

It takes bundles of jobs from standard input, one line of JSON each, and answers each with a line of JSON on the file descriptor
REPLIES. Standard input that ends means that no one waits for it any more, busy or not: then it ends at once. SIGTERM ends
it in order: a training that is under way leaves its last epoch's state.
"""

import dataclasses
import json
import os
import queue
import sys
import threading

from pruneexp.system.collecting import paused
from pruneexp.system.console import write_whatever
from pruneexp.system.signals import Stopped, heeded

with paused():
    from pruneexp.launchers.bundle import Bundle


def _listen(bundles: "queue.Queue[Bundle]") -> None:
    for line in sys.stdin:
        bundles.put(Bundle.of(json.loads(line)))
    os._exit(0)  # a cell under way is left as a killed process leaves it


def main() -> None:
    write_whatever()
    replies = int(sys.argv[1])
    bundles: queue.Queue[Bundle] = queue.Queue()
    threading.Thread(target=_listen, args=(bundles,), daemon=True).start()
    with os.fdopen(replies, "w", encoding="utf-8") as answers:
        while True:
            outcome = bundles.get().run()
            sys.stdout.flush()
            print(json.dumps(dataclasses.asdict(outcome)), file=answers, flush=True)


if __name__ == "__main__":
    try:
        with heeded(again=False):
            main()
    except Stopped as stopped:
        sys.exit(stopped.code)
