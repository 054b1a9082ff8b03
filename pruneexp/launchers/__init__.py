"""Where jobs run: in turn in this process, in one worker process for each GPU, or on a cluster.

A launcher has ``launch(tasks, folder) -> Report``: it runs the tasks, all to their end whatever becomes of one, unless no cell can be
recorded any more (`Report.stopped`).
"""
