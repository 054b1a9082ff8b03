"""Where jobs run: in turn in this process, in one worker process for each GPU, or on a cluster.

A launcher has ``launch(tasks, folder) -> Report``: it runs the tasks, all to their end whatever becomes of one, unless no cell can be
recorded any more (`Report.stopped`).
"""

from pruneexp.system.threads import spin_less

spin_less()  # a worker process imports this before torch
