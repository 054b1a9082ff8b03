"""PyTorch's CUDA build on a pretended GPU, whose kernels are counted and compute nothing: programs of tests/stub, each in a process."""

import itertools
import json
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
RUN = Path(os.environ.get("CUDA_STUB", "nowhere")) / "run.sh"
pytestmark = pytest.mark.skipif(
    not RUN.exists(),
    reason="needs PyTorch's CUDA build with a pretended GPU: cuda_stub/setup.sh FOLDER, FOLDER/venv/bin/pip install pydantic, then"
    " CUDA_STUB=FOLDER",
)


def started(program: str, *arguments: str, **environment: str) -> subprocess.Popen[str]:
    variables = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "LD_", "COV"))}
    return subprocess.Popen(
        [str(RUN), "-m", f"tests.stub.{program}", *arguments],
        cwd=ROOT,
        env={**variables, "PYTHONPATH": str(ROOT), **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def told(program: str, *arguments: str, **environment: str) -> Any:
    """What a program answers."""
    out, errors = (process := started(program, *arguments, **environment)).communicate(timeout=300)
    assert process.returncode == 0, errors
    return json.loads(out.splitlines()[-1])


def those(kernels: dict[str, int], *parts: str) -> int:
    """Launches of kernels whose names have all these parts."""
    return sum(count for name, count in kernels.items() if all(part in name for part in parts))


def test_a_step_of_resnet20_is_at_most_290_kernels() -> None:
    """375 before masks were laid out as their weights, casts made at once, batches counted by the epoch and losses averaged."""
    found = told("launches")
    counting, kernels = found["kernels"]["counting"], found["kernels"]["eager"]
    assert sum(kernels.values()) <= 290
    assert found["nodes"] <= 290
    assert sum(counting.values()) == sum(kernels.values()) + 21  # BatchNorm's counters
    assert those(kernels, "CUDAFunctorOnSelf_add") == 0
    assert those(counting, "CUDAFunctorOnSelf_add") == 21
    # the images, and the logits and their gradient; weights and their gradients are two launches
    assert those(kernels, "copy_kernel") <= 4
    assert those(kernels, "multi_tensor_apply_kernel", "CopyFunctor") == 2
    assert those(kernels, "multi_tensor_apply_kernel", "BinaryOpListAlphaFunctor") == 1  # all masks
    assert found["waits"] == 0
    assert (found["replay"]["replays"], found["replay"]["launches"]) == (1, 0)


def test_four_branches_are_each_what_one_is_alone_and_share_nothing() -> None:
    found = told("side_by_side")
    alone, four = found["alone"], found["four"]
    assert four["kernels"] == alone["kernels"] * 4
    assert four["nodes"] == alone["nodes"] * 4
    assert four["nodes of all"] == sum(four["nodes"])
    assert len(set(four["streams"])) == 4
    assert four["allocated on"] == [[one] for one in four["streams"]]
    assert (four["overlapping"], four["overlapping on the way"]) == (0, 0)
    assert (four["buffers"], four["inputs"]) == (2, [0, 0, 1, 1])
    assert (four["replay"]["replays"], four["replay"]["synchronisations"]) == (1, 0)
    assert four["logits"] == [[32, 4]] * 4


def test_members_train_in_each_precision_and_give_their_memory_back() -> None:
    found = told("memory")
    assert found["trained"] == [[[3, 3, 3], 0]] * 8
    assert found["chosen"] == [[8, 0]] * 8
    assert found["tried"] == [[1, 2, 4, 8]] * 8


def test_what_fits_is_chosen_and_training_goes_on_where_memory_ran_out() -> None:
    found = told("memory", "700", CUDA_STUB_GIB="1")
    assert found["chosen"] == [[2, 0]]
    assert found["tried"] == [[1, 2, 4]]
    assert found["again"] == [3, 3, 3]


def test_the_host_waits_once_an_epoch_and_once_more_for_validation_images() -> None:
    found = told("waits")
    assert found["waits"] == {
        "one": 1,
        "one, validation": 2,
        "three": 1,
        "three, validation": 2,
        "three, crops": 1,
    }
    assert found["replays of an epoch"] == 5  # the smaller last batch, too
    assert found["evaluated"] == ["torch.float32, autocast False"]
    assert found["flags"] == [False] * 3
    assert found["deterministic"]


def test_a_network_that_no_graph_can_hold_is_trained_and_the_next_one_recorded() -> None:
    recorded = [3, 9]  # epochs, replays
    rows = itertools.product(("nothing", "reads a number", "waits in a recording"), (False, True))
    assert told("capture") == [
        [forbidden, dropout, recorded if forbidden == "nothing" else [3, 0], recorded, recorded]
        for forbidden, dropout in rows
    ]


@pytest.mark.parametrize("members", ["3", "auto"])
def test_dense_cells_of_three_seeds_are_one_group(tmp_path: Path, members: str) -> None:
    found = told("cells", str(tmp_path), "3", members)
    assert [row[:2] for row in found] == [[0, 3], [1, 3], [2, 3]]
    assert len({row[2] for row in found}) == 1
    if members == "3":
        assert found[0][2] == 3


def test_cells_that_are_ended_in_the_middle_each_leave_a_checkpoint_and_go_on(tmp_path: Path) -> None:
    with started("cells", str(tmp_path), "1000", "3") as process:
        until = time.monotonic() + 120
        while len(list(tmp_path.glob(".*.checkpoint"))) < 3 and time.monotonic() < until:
            time.sleep(0.05)
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 143, errors
    assert len(list(tmp_path.glob(".*.checkpoint"))) == 3
    assert not list(tmp_path.glob("*/record.json"))
    with started("cells", str(tmp_path), "1000", "3") as process:
        out, errors = process.communicate(timeout=240)
    assert out.count("goes on after epoch") == 3, errors
    assert json.loads(out.splitlines()[-1]) == [[0, 1000, 3], [1, 1000, 3], [2, 1000, 3]]
