"""GraSP against an explicit Hessian, finite differences of the gradient's norm, and its choice of images."""

import copy
from typing import Any

import pytest
import torch
from torch import nn
from torch.func import functional_call
from torch.nn import functional

from pruneexp import UserError, prune
from pruneexp.data.batches import Batches
from pruneexp.pruning.method import Scores
from pruneexp.scorers.grasp import grasp

IMAGES = torch.randn(14, 1, 4, 4, generator=torch.Generator().manual_seed(0))
LABELS = torch.tensor([2, 0, 2, 2, 1, 0, 2, 1, 1, 0, 2, 1, 0, 2])
FIRST_TWO = [1, 5, 4, 7, 0, 2]  # of each class in their order, by hand
FIRST_THREE = [1, 5, 9, 4, 7, 8, 0, 2, 3]
WEIGHTS = ["0.weight", "5.weight", "8.weight"]


def network() -> nn.Sequential:
    with torch.random.fork_rng():
        torch.manual_seed(1)
        model = nn.Sequential(
            nn.Conv2d(1, 2, 3),
            nn.BatchNorm2d(2),
            nn.Tanh(),
            nn.Dropout(0.5),
            nn.Flatten(),
            nn.Linear(8, 4),
            nn.BatchNorm1d(4),
            nn.Tanh(),
            nn.Linear(4, 3),
        )
        for norm in (model[1], model[6]):
            nn.init.uniform_(norm.get_parameter("weight"), 0.5, 1.5)
            nn.init.uniform_(norm.get_parameter("bias"), -0.5, 0.5)
            nn.init.uniform_(norm.get_buffer("running_mean"), -0.3, 0.3)
            nn.init.uniform_(norm.get_buffer("running_var"), 0.5, 2.0)
    return model


def scores(model: nn.Module, per_class: int = 3, **options: Any) -> Scores:
    return grasp(model, Batches(IMAGES, LABELS), torch.Generator(), per_class=per_class, **options)


class Loss:
    """The mean cross-entropy of logits / temperature as a function of one vector of the three weights."""

    def __init__(self, model: nn.Sequential, rows: list[int], batchnorm: str, temperature: float) -> None:
        self.model = copy.deepcopy(model).double()
        self.model[3] = nn.Identity()
        self.model.train(batchnorm == "train")
        self.images, self.labels = IMAGES[rows].double(), LABELS[rows]
        self.temperature = temperature
        self.shapes = [self.model.get_parameter(name).shape for name in WEIGHTS]
        self.at = torch.cat([self.model.get_parameter(name).detach().ravel() for name in WEIGHTS])

    def __call__(self, vector: torch.Tensor) -> torch.Tensor:
        parts = vector.split([shape.numel() for shape in self.shapes])
        given = {name: part.reshape(shape) for name, part, shape in zip(WEIGHTS, parts, self.shapes, strict=True)}
        logits = functional_call(self.model, given, (self.images,))
        return functional.cross_entropy(logits / self.temperature, self.labels)

    def gradient(self, vector: torch.Tensor) -> torch.Tensor:
        point = vector.clone().requires_grad_()
        return torch.autograd.grad(self(point), point)[0]

    def hessian(self) -> torch.Tensor:
        hessian = torch.autograd.functional.hessian(self, self.at)
        assert isinstance(hessian, torch.Tensor)
        torch.testing.assert_close(hessian, hessian.T)
        return hessian

    def want(self) -> torch.Tensor:
        return self.at * (self.hessian() @ self.gradient(self.at))


def vector(some: Scores) -> torch.Tensor:
    return torch.cat([value.ravel() for value in some.values()])


@pytest.mark.parametrize("batchnorm", ["train", "eval"])
@pytest.mark.parametrize("temperature", [200.0, 1.0, 0.5])
@pytest.mark.parametrize(("per_class", "rows"), [(3, FIRST_THREE), (2, FIRST_TWO)])
def test_a_score_is_the_weight_times_hessian_times_gradient(
    batchnorm: str, temperature: float, per_class: int, rows: list[int]
) -> None:
    model = network()
    got = scores(model, per_class, temperature=temperature, batchnorm=batchnorm)
    assert list(got) == WEIGHTS
    assert all(value.dtype == torch.float64 for value in got.values())
    want = Loss(model, rows, batchnorm, temperature).want()
    torch.testing.assert_close(vector(got), want, rtol=1e-9, atol=1e-12 * float(want.abs().max()))
    assert (want > 0).any()
    assert (want < 0).any()


def test_the_defaults_are_a_temperature_of_200_and_batch_statistics() -> None:
    model = network()
    torch.testing.assert_close(vector(scores(model)), Loss(model, FIRST_THREE, "train", 200.0).want())


@pytest.mark.parametrize("batchnorm", ["train", "eval"])
def test_removing_a_little_of_a_weight_changes_the_gradients_squared_norm_by_minus_twice_the_score(
    batchnorm: str,
) -> None:
    model = network()
    got = vector(scores(model, temperature=1.0, batchnorm=batchnorm))
    loss = Loss(model, FIRST_THREE, batchnorm, 1.0)
    part = 1e-4
    for index in range(len(loss.at)):
        norms = []
        for sign in (1, -1):
            point = loss.at.clone()
            point[index] *= 1 - sign * part
            norms.append(float(loss.gradient(point).square().sum()))
        slope = (norms[0] - norms[1]) / (2 * part)
        assert slope == pytest.approx(-2 * float(got[index]), rel=1e-4, abs=1e-6 * float(got.abs().max()))


def test_the_largest_are_kept_so_that_what_goes_raises_the_gradients_norm_and_what_stays_would_lower_it() -> None:
    model = network()
    images, labels = IMAGES.repeat(4, 1, 1, 1), LABELS.repeat(4)  # ten of each class
    masks = prune(model, 0.5, scorer="grasp", masker="greedy_global", data=(images, labels))
    got = grasp(model, Batches(images, labels), torch.Generator())
    kept = torch.cat([masks[name].ravel() for name in WEIGHTS])
    every = vector(got)
    assert every[kept].min() >= every[~kept].max()
    order = torch.argsort(labels, stable=True)
    rows = [int(k) % 14 for c in range(3) for k in order[labels[order] == c][:10]]
    loss = Loss(model, rows, "train", 200.0)
    now = float(loss.gradient(loss.at).square().sum())
    for removed, sign in ((~kept, 1), (kept, -1)):
        without = torch.where(removed, loss.at * (1 - 1e-3), loss.at)
        assert sign * (float(loss.gradient(without).square().sum()) - now) > 0


@pytest.mark.parametrize("chunk", [1, 2, 4, 9])
def test_chunks_make_no_difference_with_running_statistics(chunk: int) -> None:
    model = network()
    whole = scores(model, batchnorm="eval")
    parts = scores(model, batchnorm="eval", chunk=chunk)
    torch.testing.assert_close(vector(parts), vector(whole), rtol=1e-10, atol=1e-20)


def test_chunks_have_batch_statistics_of_their_own() -> None:
    model = network()
    assert not torch.allclose(vector(scores(model, chunk=3)), vector(scores(model)), rtol=1e-2, atol=0)
    assert torch.equal(vector(scores(model, chunk=9)), vector(scores(model)))


@pytest.mark.parametrize("batchnorm", ["train", "eval"])
@pytest.mark.parametrize(("per_class", "rows"), [(3, FIRST_THREE), (2, FIRST_TWO)])
def test_of_two_halves_gradients_and_hessians_are_summed(batchnorm: str, per_class: int, rows: list[int]) -> None:
    model, middle = network(), len(rows) // 2
    got = vector(scores(model, per_class, halves=True, batchnorm=batchnorm, chunk=1))
    halves = [Loss(model, part, batchnorm, 200.0) for part in (rows[:middle], rows[middle:])]
    gradient = torch.stack([half.gradient(half.at) for half in halves]).sum(dim=0)
    hessian = torch.stack([half.hessian() for half in halves]).sum(dim=0)
    want = halves[0].at * (hessian @ gradient)
    torch.testing.assert_close(got, want, rtol=1e-9, atol=1e-12 * float(want.abs().max()))
    # of halves of one size and running statistics, each sum is twice the mean
    alike = torch.allclose(got, 4 * vector(scores(model, per_class, batchnorm=batchnorm)), rtol=1e-9, atol=0)
    assert alike == (batchnorm == "eval" and len(rows) % 2 == 0)


def redrawn(model: nn.Sequential, seed: int) -> nn.Sequential:
    """With weights N(0, 2 / fan_in) where they are not zero."""
    twin, generator = copy.deepcopy(model).double(), torch.Generator().manual_seed(seed)
    for name, fan_in in zip(WEIGHTS, (9, 8, 4), strict=True):
        weight = twin.get_parameter(name)
        drawn = torch.randn(*weight.shape, generator=generator, dtype=torch.float64) * (2 / fan_in) ** 0.5
        weight.data = torch.where(weight == 0, 0.0, drawn)
    return twin


@pytest.mark.parametrize("halves", [False, True])
def test_scores_on_redrawn_weights_are_those_of_a_network_that_has_them(halves: bool) -> None:
    model = network()
    model[5].get_parameter("weight").data[1, 2:5] = 0.0  # pruned in an earlier round
    batches = Batches(IMAGES, LABELS)
    got = grasp(model, batches, torch.Generator().manual_seed(4), per_class=3, score_on="redrawn", halves=halves)
    other = redrawn(model, 4)
    if not halves:
        torch.testing.assert_close(vector(got), Loss(other, FIRST_THREE, "train", 200.0).want(), rtol=1e-9, atol=1e-16)
    torch.testing.assert_close(vector(got), vector(scores(other, halves=halves)), rtol=1e-9, atol=1e-16)
    assert (got["5.weight"][1, 2:5] == 0).all()
    for name in WEIGHTS:  # of the network's own weights only where they are zero counts
        model.get_parameter(name).data *= -3.0
    again = grasp(model, batches, torch.Generator().manual_seed(4), per_class=3, score_on="redrawn", halves=halves)
    assert torch.equal(vector(again), vector(got))


def test_other_images_than_the_first_of_each_class_do_not_matter() -> None:
    images = IMAGES.clone()
    for row in range(14):
        if row not in FIRST_TWO:
            images[row] = 100.0
    changed = grasp(network(), Batches(images, LABELS), torch.Generator(), per_class=2)
    assert torch.equal(vector(changed), vector(scores(network(), per_class=2)))


@pytest.mark.parametrize(("per_class", "rows"), [(1, [1, 4, 0]), (2, FIRST_TWO), (3, FIRST_THREE)])
def test_a_balanced_batch_is_the_first_of_each_class_in_the_fixed_order(per_class: int, rows: list[int]) -> None:
    images, labels = Batches(IMAGES, LABELS).balanced(per_class)
    assert torch.equal(images, IMAGES[rows])
    assert labels.tolist() == [k for k in range(3) for _ in range(per_class)]


def test_a_class_that_no_label_names_is_not_asked_for() -> None:
    images, labels = Batches(IMAGES, 3 * LABELS + 1).balanced(2)  # classes 1, 4, 7
    assert torch.equal(images, IMAGES[FIRST_TWO])
    assert labels.tolist() == [1, 1, 4, 4, 7, 7]


def test_too_few_images_of_a_class_are_refused() -> None:
    assert LABELS.bincount().tolist() == [4, 4, 6]
    scores(network(), per_class=4)
    with pytest.raises(
        UserError, match=r"^this scorer needs 5 training images of each class, and of one there are only 4\.$"
    ):
        scores(network(), per_class=5)
    with pytest.raises(UserError, match=r"needs 10 training images of each class, and of one there are only 4\.$"):
        prune(network(), 0.5, scorer="grasp", data=(IMAGES, LABELS))
    with pytest.raises(UserError, match=r"needs 1 training images of each class, and of one there are only 0\.$"):
        Batches(IMAGES[:0], LABELS[:0]).balanced(1)
    with pytest.raises(UserError, match="needs data"):
        prune(network(), 0.5, scorer="grasp", example_input=IMAGES)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"per_class": 0}, r"grasp's per_class must be a whole number, at least 1, got 0"),
        ({"per_class": True}, r"grasp's per_class must be a whole number, at least 1, got True"),
        ({"per_class": 1.5}, r"grasp's per_class must be a whole number, at least 1, got 1\.5"),
        ({"chunk": 0}, r"grasp's chunk must be a whole number, at least 1, got 0"),
        ({"chunk": "all"}, r"grasp's chunk must be a whole number, at least 1, got 'all'"),
        ({"temperature": 0}, r"grasp's temperature must be a finite number, above 0, got 0"),
        ({"temperature": -200.0}, r"grasp's temperature must be a finite number, above 0, got -200"),
        ({"temperature": float("nan")}, r"grasp's temperature must be a finite number, above 0, got nan"),
        ({"temperature": float("inf")}, r"grasp's temperature must be a finite number, above 0, got inf"),
        ({"temperature": "hot"}, r"grasp's temperature must be a finite number, above 0, got 'hot'"),
        ({"batchnorm": "both"}, "train or eval, got 'both'"),
        ({"score_on": "new"}, "own or redrawn, got 'new'"),
        ({"halves": 2}, "grasp's halves must be true or false, got 2"),
    ],
)
def test_options_out_of_their_range_are_refused(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        grasp(network(), Batches(IMAGES, LABELS), torch.Generator(), **{"per_class": 2, **options})
