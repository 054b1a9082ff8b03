"""What people pass as data."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset, TensorDataset

import pruneexp
from pruneexp import UserError
from pruneexp.data.given import given
from pruneexp.network.masks import Masks

X = torch.randn(120, 6, generator=torch.Generator().manual_seed(0))
Y = torch.arange(120) % 4


def network(outputs: int = 4) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, outputs))


def prune(data: Any, model: nn.Module | None = None, scorer: str = "snip", **options: Any) -> Masks:
    return pruneexp.prune(model or network(), 0.4, scorer, "greedy_global", data=data, scorer_options=options)


def batches() -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    for start in range(0, 120, 25):
        yield X[start : start + 25], Y[start : start + 25]


@pytest.mark.parametrize(
    "data",
    [
        (X.numpy(), Y.numpy()),
        [X, Y],
        (X, Y.tolist()),
        (X, Y.int()),
        (X, Y.to(torch.uint8)),
        (X.double(), Y.short()),
        (X, Y.numpy().astype(np.uint32)),
        (X, Y[:, None]),
        (X, nn.functional.one_hot(Y)),
        (X, nn.functional.one_hot(Y).float()),
        {"image": X, "label": Y},
        list(batches()),
        [{"inputs": X, "targets": Y, "index": 3}],
        DataLoader(TensorDataset(X, Y, Y), batch_size=7),
    ],
)
def test_every_usual_kind_of_data_gives_the_same_masks(data: Any) -> None:
    want = prune((X, Y))
    assert all(torch.equal(mask, want[name]) for name, mask in prune(data).items())


def test_batches_are_read_as_far_as_they_are_asked_for() -> None:
    taken: list[int] = []

    def endless() -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        while True:
            taken.append(1)
            yield X[:50], Y[:50]

    prune(endless())
    assert len(taken) == 2
    prune(endless(), samples=101)
    assert len(taken) == 5


def test_a_scorer_that_asks_for_all_gets_all() -> None:
    want = prune((X, Y), scorer="grasp", per_class=30)
    assert all(torch.equal(mask, want[name]) for name, mask in prune(batches(), scorer="grasp", per_class=30).items())


def test_a_data_sets_samples_come_in_an_order_of_the_seeds_own_and_a_loaders_draws_move_no_global_generator() -> None:
    state = torch.random.get_rng_state()
    by_class = torch.sort(Y).indices
    data = TensorDataset(X[by_class], Y[by_class])
    first, again = (given(data, None, False, 0).samples(40) for _ in range(2))
    assert torch.equal(first[0], again[0])
    assert len(first[1].unique()) == 4
    assert not torch.equal(first[0], given(data, None, False, 1).samples(40)[0])
    loader = DataLoader(data, batch_size=8, shuffle=True)
    assert torch.equal(given(loader, None, False, 0).samples(9)[0], given(loader, None, False, 0).samples(9)[0])
    assert torch.equal(torch.random.get_rng_state(), state)


class Broken(Dataset[Any]):
    def __len__(self) -> int:
        return 9

    def __getitem__(self, index: int) -> Any:
        raise FileNotFoundError("no picture 3.jpg")


class Odd(Dataset[Any]):
    def __getitem__(self, index: int) -> Any:
        return X[index]


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        ((X, Y[:9]), r"^data has 120 images and 9 labels: there must be one for each\.$"),
        ((X, Y.float()), r"^labels must be whole numbers, the class of each sample, got torch\.float32: pass labels\.long\(\)\.$"),
        ((X, Y + 1), r"^the labels are 1 to 4, and the network has 4 outputs, .*: the labels count from 1, subtract 1\.$"),
        ((X, 2 * Y), r"^the labels are 0 to 6, and the network has 4 outputs, which are classes 0 to 3\.$"),
        ((X, Y - 1), r"^the labels are -1 to 2, and the network has 4 outputs"),
        ((X, torch.stack([Y, Y], 1)), r"^the network's outputs have shape \[100, 4\] and the labels \[100, 2\]: outputs"),
        ((X[:0], Y[:0]), r"^images must be a tensor \[n, \.\.\.\] with n at least 1, got shape \[0, 6\]\.$"),
        ((X, None), r"^data must be \(images, labels\) of tensors or arrays, .*; a batch of it is a tuple without images and labels\.$"),
        ((X, "cat"), r"^labels must be a tensor or an array of numbers \[n, \.\.\.\], got 'cat'\.$"),
        ((X, np.array(["cat"] * 120)), r"^labels must be a tensor or an array of numbers"),
        ((X, torch.tensor(3)), r"^labels must be a tensor \[n, \.\.\.\] with n at least 1, got shape \[\]\.$"),
        ((X.to_sparse(), Y), r"^images must be a dense tensor, got torch\.sparse_coo: pass to_dense\(\) of it\.$"),
        ((X.to(torch.complex64), Y), r"^images are complex numbers: pass real ones\.$"),
        (X, r"^data must be .*; a batch of it is a Tensor without images and labels\.$"),
        (3, r"^data must be \(images, labels\) of tensors or arrays, a DataLoader or .*, got 3\.$"),
        ("mnist", r"^data must be \(images, labels\) .*, got 'mnist'\.$"),
        ([], r"^data holds no samples: pass \(images, labels\)"),
        ([(X[:50], Y[:50]), (X[:, :3], Y)], r"^the samples of data differ in their shapes, \[3\] and \[6\]\.$"),
        ({"image": X}, r"^data must be .*; a batch of it is a dict without images and labels\.$"),
        (Broken(), r"^data cannot be read \(FileNotFoundError: no picture 3\.jpg\)\.$"),
        (Odd(), r"^data is a Dataset without a length: pass \(images, labels\)"),
        ((X[:50], Y[:50]), r"^this scorer needs 100 training samples, and there are only 50\.$"),
        ([(X[:50], Y[:50])], r"^this scorer needs 100 training samples, and there are only 50\.$"),
        (None, r"^this scorer needs data: pass data=\(images, labels\)\.$"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_one_sentence(data: Any, sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        prune(data)


@pytest.mark.parametrize("example", [3, "picture", torch.tensor(1.0), torch.zeros(0, 3), [None]])
def test_an_example_that_is_no_tensor_is_one_sentence(example: Any) -> None:
    with pytest.raises(UserError, match=r"^example_input must be a tensor"):
        pruneexp.prune(network(), 0.4, "synflow", example_input=example)


def test_a_scorer_that_takes_images_of_each_class_says_what_it_needs() -> None:
    with pytest.raises(
        UserError, match=r"^this scorer takes so many images of each class and needs one class of each image: pass"
    ):
        prune((X, nn.functional.one_hot(Y).float()), scorer="grasp")


@pytest.mark.parametrize("scorer", ["snip", "grasp", "prospr", "taylor"])
def test_labels_of_each_position_go_with_outputs_of_each(scorer: str) -> None:
    class Positions(nn.Module):
        def __init__(self, last: bool) -> None:
            super().__init__()
            self.first, self.second, self.last = nn.Linear(6, 8), nn.Linear(8, 5), last

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            logits: torch.Tensor = self.second(torch.tanh(self.first(x)))  # [n, positions, classes]
            return logits if self.last else logits.transpose(1, 2)

    options = {"grasp": {"per_class": 2}}.get(scorer, {"samples": 20})
    x = torch.randn(80, 3, 6, generator=torch.Generator().manual_seed(1))
    labels = torch.randint(5, (80, 3), generator=torch.Generator().manual_seed(2))
    labels[0, 0] = -100  # which the loss leaves out
    with torch.random.fork_rng():
        torch.manual_seed(0)
        one = Positions(last=True)
        other = Positions(last=False)
        other.load_state_dict(one.state_dict())
    if scorer == "grasp":
        with pytest.raises(UserError, match=r"not \[80, 3\] from -100 on"):
            prune((x, labels), one, scorer, **options)
        return
    first, second = (prune((x, labels), model, scorer, **options) for model in (one, other))
    assert all(torch.equal(mask, second[name]) for name, mask in first.items())
