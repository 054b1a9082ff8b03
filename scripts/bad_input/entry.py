"""What else can be started or called: studies, the graphs' own command line, functions from Python."""

import runpy
import sys
from collections.abc import Callable, Iterator
from typing import Any

from scripts.bad_input.lines import Line

MODULES = {  # wrong words after `python -m`
    "pruneexp.graphs.ramanujan": (
        "", "5", "5 5", "4 17", "5 16", "-5 17", "0 0", "x 17", "5 17 3", "1e9 17", "array-code", "array-code 0 5", "array-code -3 5",
        "array-code 5 0",
        "array-code x y", "galois-array-code 1 2", "galois-array-code 0 0 0", "galois-array-code 16 144 6", "galois-array-code -1 2 4",
        "biregular 4",
        "biregular 0 0", "biregular -4 4 --density 0.5", "biregular 64 576 --density 2", "biregular 64 576 --density nan",
        "biregular 64 576 --density 0",
        "biregular 64 576 --degree 0", "biregular 64 576 --degree 1000", "biregular 64 576 --degree 7", "biregular 64 576",
        "biregular 6 4 --degree 2 --density 0.5",
        "nothing 1 2", "5 17 --output x.txt", "5 17 --output /proc/nothing/x.mtx", "5 17 --output", "5 17 --nothing",
    ),
    "pruneexp.studies.connectivity": (
        "--seeds 0", "--seeds -1", "--seeds x", "--networks nothing", "--networks", "--report-dir", "--nothing", "extra",
    ),
    "pruneexp.studies.synflow_empty": ("--seeds 0", "--seeds x", "--networks nothing", "--repor x"),
    "pruneexp.studies.rounds": ("--processes 0", "--processes x", "--scorers nothing", "--scorers"),
    "pruneexp.studies.method_options": ("--seeds", "--seeds x", "--methods nothing", "--data-dir /proc/nothing", "--report-dir"),
    "pruneexp.studies.fidelity": ("--nothing", "extra", "--report-dir"),
    "pruneexp.studies.kept_similarity": ("--model nothing", "--dataset nothing", "--weights nothing", "--nothing"),
    "pruneexp.studies.which_or_how_many": (
        "nothing", "--nothing", "results_dir=/proc/nothing", "records=[nothing]", "densities=[0.05,0.02]", "allocation=nothing",
    ),
    "pruneexp.studies.best_of_both": (
        "nothing", "densities=[1.0]", "--ours", "--ours nothing", "--ours masker=greedy,random", "--ours allocation=nothing",
        "model=nothing",
    ),
    "pruneexp.studies.zoo": ("nothing", "--seconds 0", "--seconds x", "--seconds nan", "--gigabytes 0", "--gigabytes -1"),
    "pruneexp.studies.ramanujan.table6": ("--seeds x", "--without nothing", "--data-dir /proc/nothing --seeds 0"),
    "pruneexp.studies.ramanujan.shapes": ("--random x", "--random"),
    "pruneexp.studies.topology.table3": (
        "--repeats x", "--repeats 0", "--repeats -1", "--pool nothing", "--records nothing", "--pool a --records b",
    ),
    "pruneexp.studies.topology.tables4_11_12": ("--pool nothing", "--records nothing", "--pool"),
    "pruneexp.studies.topology.figures2_to_5": ("fig9", "--pool nothing", "--records nothing"),
    "pruneexp.studies.topology.methods": (
        "--model nothing", "--dataset nothing", "--density 0", "--density 2", "--density nan", "--density x",
    ),
    "pruneexp.studies.topology.mge_pool": ("", "/proc/nothing", "a b"),
}  # fmt: skip
CALLS: dict[str, Callable[[Any], object]] = {  # from Python: what is wrong, and the call, of pruneexp
    "prune: no network": lambda p: p.prune(None, 0.5),
    "prune: a function for a network": lambda p: p.prune(print, 0.5),
    "prune: a density above 1": lambda p: p.prune(net(), 1.5),
    "prune: a density of 0": lambda p: p.prune(net(), 0),
    "prune: a density that is text": lambda p: p.prune(net(), "0.5"),
    "prune: a density that is no number": lambda p: p.prune(net(), float("nan")),
    "prune: a seed below 0": lambda p: p.prune(net(), 0.5, seed=-1),
    "prune: a scorer that there is not": lambda p: p.prune(net(), 0.5, scorer="nothing"),
    "prune: a masker that is a number": lambda p: p.prune(net(), 0.5, masker=5),
    "prune: an option that the scorer has not": lambda p: p.prune(net(), 0.5, scorer_options={"nothing": 1}),
    "prune: options that are a list": lambda p: p.prune(net(), 0.5, scorer_options=[1]),
    "prune: an override of the sweep": lambda p: p.prune(net(), 0.5, overrides=["seed=1"]),
    "prune: an override that is text": lambda p: p.prune(net(), 0.5, overrides="rounds=3"),
    "prune: weights that there are not": lambda p: p.prune(net(), 0.5, only=["nothing"]),
    "prune: no data": lambda p: p.prune(net(), 0.5, scorer="snip"),
    "prune: data that does not fit": lambda p: p.prune(net(), 0.5, scorer="snip", data=(1, 2)),
    "run: an option that there is not": lambda p: p.run(["nothing=1"]),
    "run: a folder that there is not": lambda p: p.run([], config_dir="nowhere"),
    "run: a mode without rows": lambda p: p.run(["mode=nothing"]),
    "load_cell: nothing there": lambda p: p.load_cell("nowhere"),
    "load_cell: no words": lambda p: p.load_cell(""),
    "load_masks: nothing there": lambda p: p.load_masks("nowhere"),
    "load_masks: a device": lambda p: p.load_masks("/dev/null"),
    "load_results: nothing there": lambda p: p.load_results("nowhere"),
    "load_results: a device": lambda p: p.load_results("/dev/null"),
    "apply_masks: a weight that there is not": lambda p: p.apply_masks(net(), {"nothing": None}),
    "remove: a mask of another shape": lambda p: p.remove(net(), {"0.weight": ones(2)}, example_input=ones(1, 4)),
    "keep_masks: no network": lambda p: p.keep_masks(None, {}),
}  # fmt: skip


def lines() -> Iterator[Line]:
    """Programs beside the command line, then calls."""
    for module, wrong in MODULES.items():
        for words in wrong:
            yield Line(tuple(words.split()), f"words after python -m {module}", program=started(module), smallest=False)
    for why, call in CALLS.items():
        yield Line((), why, program=called(call), smallest=False)


def started(module: str) -> Callable[[], object]:
    """``python -m module``."""

    def program() -> None:
        sys.argv[0] = module
        for name in (module, f"{module}.__main__"):  # as in a process that has just been started
            sys.modules.pop(name, None)
        runpy.run_module(module, run_name="__main__", alter_sys=True)

    return program


def called(call: Callable[[Any], object]) -> Callable[[], object]:
    """The call, and its UserError or TypeError told as the command line tells one."""

    def program() -> None:
        import pruneexp
        from pruneexp.errors import UserError
        from pruneexp.system.ending import told_at_the_end

        with told_at_the_end("pruneexp"):
            try:
                call(pruneexp)
            except TypeError as error:
                raise UserError(str(error)) from error

    return program


def net() -> Any:
    from torch import nn

    return nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2))


def ones(*shape: int) -> Any:
    import torch

    return torch.ones(shape)
