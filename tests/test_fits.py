"""How much memory the parameters of a training need."""

import pytest

from pruneexp.errors import UserError
from pruneexp.fits import check_room, without_numbers
from pruneexp.sweep import expand

SELECTS = ("dataset.validation=100", "select=best_validation")


@pytest.mark.parametrize(
    ("words", "copies"),
    [
        ((), 4), (("recipe.optimiser=adamw",), 5), (SELECTS, 5), ((*SELECTS, "recipe.optimiser=adam"), 6),
        (("dataset.validation=100", "patience=3"), 4), ((*SELECTS, "trainer.devices=2"), 10),
    ],
)  # fmt: skip
def test_every_copy_of_a_parameter_is_counted(
    words: tuple[str, ...], copies: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    (job,) = expand(["model=vgg_small", "masker=greedy", "trainer.accelerator=cpu", "seed=0", *words]).jobs
    network = without_numbers(job.setting, 10, (1, 16, 16))
    assert network is not None
    needed = 4 * copies * sum(parameter.numel() for parameter in network.parameters())
    monkeypatch.setattr("pruneexp.system.memory.available", lambda: needed)
    check_room(job, 10, (1, 16, 16))
    monkeypatch.setattr("pruneexp.system.memory.available", lambda: needed - 1)
    with pytest.raises(UserError, match=r"^model=vgg_small has [\d,]+ parameters, and its training needs at least"):
        check_room(job, 10, (1, 16, 16))
