"""CUDA's host side without a GPU: launches, captures, streams, waits and memory on a pretended one that computes nothing.

Each test runs a program of tests/stub in PyTorch's CUDA build and looks at the line of JSON that it prints.
"""

import functools
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.command import ROOT

RUN = Path(os.environ.get("CUDA_STUB", "")) / "run.sh"
if not os.environ.get("CUDA_STUB") or not RUN.exists():
    pytest.skip(
        "needs PyTorch's CUDA build with a pretended GPU: cuda_stub/setup.sh FOLDER, FOLDER/venv/bin/pip install pydantic,"
        " then CUDA_STUB=FOLDER",
        allow_module_level=True,
    )


def program(name: str, *arguments: str, folder: Path = ROOT, gib: int = 80) -> subprocess.CompletedProcess[str]:
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "PYTHONDONTWRITEBYTECODE": "",  # compiling all of torch's modules takes longer than any program
        "OMP_NUM_THREADS": "1",
        "COLUMNS": "160",
        "CUDA_STUB_GIB": str(gib),
    }
    return subprocess.run(
        [str(RUN), "-m", f"tests.stub.{name}", *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


@functools.cache
def said(name: str, *arguments: str, gib: int = 80) -> Any:
    """What the program prints in its last line, run once."""
    done = program(name, *arguments, gib=gib)
    assert done.returncode == 0, done.stderr[-4000:]
    return json.loads(done.stdout.splitlines()[-1])


# the kernels of a step


def launches(kernels: dict[str, int], *parts: str) -> int:
    """Of all kernels whose names have these parts."""
    return sum(number for name, number in kernels.items() if all(part in name for part in parts))


def test_a_resnet_step_is_fewer_than_290_kernels_eager_and_recorded() -> None:
    found = said("launches")
    eager = found["kernels"]["eager"]
    assert 0 < sum(eager.values()) <= 290
    assert found["nodes"] == sum(eager.values())
    assert found["waits"] == 0
    replay = found["replay"]
    assert (replay["replays"], replay["launches"], replay["synchronisations"]) == (1, 0, 0)


def test_which_kernels_a_resnet_step_has_no_more() -> None:
    counting, eager = (said("launches")["kernels"][name] for name in ("counting", "eager"))
    casts = launches(eager, "copy_kernel_cuda")
    assert (
        0 < casts <= 4
    )  # of images, logits and their gradients; those of weights and gradients are two of many tensors
    assert launches(eager, "multi_tensor_apply_kernel", "CopyFunctor") == 2
    additions = "CUDAFunctorOnSelf_add<long>"  # of one to a counter
    assert (launches(counting, additions), launches(eager, additions)) == (21, 0)
    assert launches(eager, "std::multiplies<float>") == 1  # all masks
    assert launches(eager, "multi_tensor_apply_kernel", "std::multiplies<float>") == 1
    assert launches(eager, "MulFunctor<float>", "float, float, float") == 0


# branches of one recording


def test_each_branch_is_the_step_of_a_network_alone() -> None:
    alone, four = said("side_by_side")["alone"], said("side_by_side")["four"]
    (kernels,), (nodes,) = alone["kernels"], alone["nodes"]
    assert sum(kernels.values()) == nodes > 200
    assert four["kernels"] == [kernels] * 4
    assert four["nodes"] == [nodes] * 4
    assert alone["nodes of all"] == nodes
    assert four["nodes of all"] == 4 * nodes  # forks and joins are edges
    for found in (alone, four):
        assert (found["replay"]["replays"], found["replay"]["launches"], found["replay"]["synchronisations"]) == (
            1,
            0,
            0,
        )
    assert four["logits"] == [[32, 4]] * 4


def test_each_branch_is_on_a_stream_of_its_own() -> None:
    four = said("side_by_side")["four"]
    assert len(set(four["streams"])) == 4
    assert four["allocated on"] == [[stream] for stream in four["streams"]]


def test_branches_share_the_batches_of_their_seed_and_no_other_memory() -> None:
    alone, four = said("side_by_side")["alone"], said("side_by_side")["four"]
    assert (alone["buffers"], alone["inputs"]) == (1, [0])
    assert (four["buffers"], four["inputs"]) == (2, [0, 0, 1, 1])
    assert four["overlapping"] == 0
    assert four["overlapping on the way"] == 0


# memory


def test_trainings_in_either_precision_leave_no_memory() -> None:
    """Vgg and ResNet, recorded and not; once Python has collected what Lightning ties in a knot."""
    found = said("memory")["trained"]
    assert [left["answer"] for left in found] == [[3, 3, 3]] * 8
    assert [left["collected"] for left in found] == [0] * 8


def test_a_recording_is_given_back_before_anything_is_collected() -> None:
    """A training without one holds as much memory when it has ended."""
    held = [left["reserved"] for left in said("memory")["trained"]]
    assert all(recorded <= other + 2**20 for recorded, other in zip(held[::2], held[1::2], strict=True))


def test_finding_out_how_many_are_best_at_once_leaves_no_memory() -> None:
    """Whether Python collects garbage or not."""
    found = said("memory")["chosen"]
    assert [left["answer"] for left in found] == [4] * 4
    assert [left["allocated"] for left in found] == [0] * 4


def test_no_more_are_trained_at_once_than_there_is_memory_for() -> None:
    found = said("memory", "700", gib=1)
    assert 1 <= found["fit"] < 8
    assert found["trained"] == [3] * found["fit"]


# what no graph can hold

NEXT = [{"epochs": 3, "replays": 9}] * 2  # a network that can be recorded, and one with dropout


@pytest.mark.parametrize("place", range(3), ids=["in a step", "in a step with dropout", "in the recording alone"])
def test_what_waits_is_trained_without_a_recording_and_the_next_with_one(place: int) -> None:
    found = said("fallback", "step", "step+dropout", "recording")
    assert found[3 * place : 3 * place + 3] == [{"epochs": 3, "replays": 0}, *NEXT]


# masks that change


def test_an_update_of_masks_is_made_as_it_is_and_what_is_recorded_is_replayed_around_it() -> None:
    """Of two networks trained at once the first one's masks change, after 3, 6 and 9 steps; every fifth batch is smaller."""
    found = said("mask_changes")
    for of in found.values():
        replayed = [0, 0, 0, 1, 0, 1, 1, 1, 1, 0, 1, 1, 1, 1, 0]
        assert [of[name]["replayed"] for name in ("none", "set", "gmp")] == [
            replayed
        ] * 3  # theirs come between two steps
        assert of["rigl"]["replayed"] == [0, 0, 0, 0, 0, 1, 0, 1, 1, 0, 1, 1, 1, 1, 0]
        assert {name: one["updates"][0] for name, one in of.items()} == {"none": 0, "rigl": 3, "set": 3, "gmp": 3}
        waits = {name: one["waits"] - of["none"]["waits"] for name, one in of.items()}
        masks = of["rigl"]["masks"][0]  # are read at the end; SET's numbers are drawn on the CPU
        assert waits == {"none": 0, "rigl": masks, "gmp": masks, "set": masks * 4}


# an epoch


def test_the_host_waits_for_no_step() -> None:
    assert said("epochs")["steps"] == [0, 0]


def test_the_host_waits_once_an_epoch_and_once_more_for_validation_images() -> None:
    """For one network and for three of three seeds, in several chunks, shifted or cropped, with a checkpoint kept each epoch; and with the
    best network so far, which is each epoch's, where there are validation images."""
    epochs = said("epochs")["epochs"]
    assert [found["kept"] for _, found in epochs] == [networks for (networks, *_), _ in epochs]
    assert [found["waits"] for _, found in epochs] == [2 if validation else 1 for (_, _, validation, _), _ in epochs]
    assert {tuple(case[:1]) for case, _ in epochs} == {(1,), (3,)}


def test_the_smaller_last_batch_is_replayed_from_its_own_recording() -> None:
    for (_, graphs, _, _), found in said("epochs")["epochs"]:
        assert found["replayed"] == ([32, 32, 32, 32, 22] * 2 if graphs else [])


def test_training_has_autocast_and_evaluation_has_none() -> None:
    for _, found in said("epochs")["epochs"]:
        assert found["autocast"] == {"training": [True], "evaluation": [False]}


def test_a_prepared_device_computes_float32_in_float32() -> None:
    before, after = said("epochs")["tf32"]
    assert before["convolution"]  # torch's own choice
    assert after == {"matmul": False, "convolution": False}


# the command

ARGUMENTS = (
    "recipe=smoke", "recipe.epochs=6", "recipe.train_images=128", "recipe.test_images=64", "seed=0,1,2", "masker=greedy",
    "densities=[1.0]", "logger=none", "figure=[]", "trainer.threads=1",
)  # fmt: skip


def made(folder: Path) -> list[dict[str, Any]]:
    """The records of three dense cells."""
    found = [json.loads(path.read_text()) for path in sorted(folder.glob("results/runs/*/record.json"))]
    assert [record["seed"] for record in found] == [0, 1, 2]
    assert [(record["device"], record["precision"]) for record in found] == [("CUDA stub", "bf16")] * 3
    assert [record["epochs"] for record in found] == [6] * 3
    assert not list(folder.glob("results/runs/.*.checkpoint"))
    return found


def test_cells_of_three_seeds_that_are_killed_go_on_together(tmp_path: Path) -> None:
    arguments = (*ARGUMENTS, "trainer.members=3")
    stopped = program("command", "12", *arguments, folder=tmp_path)  # in the sixth epoch of two batches
    assert stopped.returncode == 143, stopped.stderr
    assert len(list(tmp_path.glob("results/runs/.*.checkpoint"))) == 3
    assert not list(tmp_path.glob("results/runs/*/record.json"))
    done = program("command", "0", *arguments, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("goes on after epoch 5 of 6") == 3
    assert [record["notes"]["members"] for record in made(tmp_path)] == [3] * 3


def test_cells_of_three_seeds_of_which_as_many_as_is_best_are_trained_at_once(tmp_path: Path) -> None:
    done = program("command", "0", *ARGUMENTS, "trainer.members=auto", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "trainer.members=auto: 3 at once." in done.stdout
    assert [record["notes"]["members"] for record in made(tmp_path)] == [3] * 3
