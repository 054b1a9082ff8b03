"""Does a sweep slow down as it grows? Digits on the command line's own path, in one process."""

import json
import resource
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

DENSITIES = (1.0, 0.2, 0.1, 0.05, 0.02)


def growth(cells: int, threads: int, *overrides: str) -> dict[str, Any]:
    """Seconds a cell of a sweep of so many, five to a job, and of its first and last five; the report is in the whole.

    The clock starts when everything is imported. Cells are told apart by the times their records are written at.
    """
    import torch  # so that it is no part of the seconds

    from pruneexp.cli import main
    from pruneexp.running import run

    assert callable(run)
    if threads:
        torch.set_num_threads(threads)
    with tempfile.TemporaryDirectory() as folder:
        seeds = ",".join(map(str, range(-(-cells // len(DENSITIES)))))
        sys.argv = [
            "pruneexp", "dataset=digits", "model=vgg_small", "scorer=magnitude", "masker=greedy", "logger=none",
            f"densities={list(DENSITIES)}".replace(" ", ""), f"seed={seeds}", f"trainer.threads={threads}",
            f"results_dir={folder}/runs", f"data_dir={folder}/data", *overrides,
        ]  # fmt: skip
        wall, start = time.time(), time.perf_counter()
        try:
            main()
        except SystemExit as done:
            if done.code:
                raise RuntimeError(f"the sweep ended with code {done.code}") from done
        seconds = time.perf_counter() - start
        written = sorted(path.stat().st_mtime for path in Path(folder).glob("runs/*/record.json"))
        training = [
            json.loads(path.read_text(encoding="utf-8"))["seconds"]["training"]
            for path in Path(folder).glob("runs/*/record.json")
        ]
    each = np.diff([wall, *written])
    return {
        "cells": len(written),
        "seconds": seconds,
        "cell_s": seconds / len(written),
        "first_five_s": float(each[:5].mean()),
        "last_five_s": float(each[-5:].mean()),
        "training_s": float(np.mean(training)),
        "peak_memory_MiB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10,
    }
