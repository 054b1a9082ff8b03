"""--help names every option with its meaning and values, and examples that work; it fits a terminal, and a pipe has plain lines."""

import re
from pathlib import Path

import pytest

from pruneexp.cell import CHOICES, FIELDS, OTHERS, SEVERAL
from pruneexp.jobs.composing import Source
from pruneexp.sweep import grids
from pruneexp.usage import EXAMPLES, GROUP_MEANINGS, usage

WIDE = usage(Source(), None).splitlines()
NARROW = usage(Source(), 80).splitlines()


@pytest.mark.parametrize("words", EXAMPLES)
def test_an_example_works(words: str) -> None:
    (grid,) = grids(words.split())
    assert f"  python -m pruneexp {words}" in WIDE
    typed = " ".join(line.strip().removesuffix(" \\") for line in NARROW)
    assert f"python -m pruneexp {words}" in typed
    if "nine cells" in EXAMPLES[words]:
        assert len(grid.slots) == 9
    if "one cell" in EXAMPLES[words]:
        assert len(grid.slots) == 1


def test_there_are_three_examples_and_a_meaning_for_each_group() -> None:
    assert len(EXAMPLES) == 3
    assert set(GROUP_MEANINGS) == {"experiment", *CHOICES, *SEVERAL, *OTHERS}


@pytest.mark.parametrize("name", FIELDS)
def test_an_option_has_its_meaning_and_its_values(name: str) -> None:
    lines = WIDE[WIDE.index("Options, their defaults, meanings and values:") :]
    (at,) = [k for k, line in enumerate(lines) if re.match(rf"  {name}(\.\w+)?=", line)]
    assert lines[at + 1].strip() == FIELDS[name].description
    assert lines[at + 2].startswith("      values: ")


@pytest.mark.parametrize(
    ("of", "options"),
    [
        ("recipe=", ("recipe.optimiser=sgd [adam adamw]", "recipe.mixup=0.0", "recipe.warmup_epochs=0", "recipe.lr=")),
        ("dataset=folder", ("dataset.root=", "dataset.side=null", "dataset.validation=0", "dataset.strict=false")),
        ("dataset=arrays", ("dataset.root=", "dataset.validation=0")),
        ("model=timm", ("model.architecture=",)),
        ("trainer=", ("trainer.accelerator=auto [cpu cuda]", "trainer.members=1 [auto]")),
        ("masker=greedy, greedy_global, greedy_matched", ("masker.scope=layerwise [global matched]",)),
    ],
)
def test_options_of_what_a_file_configures_are_there_at_their_defaults(of: str, options: tuple[str, ...]) -> None:
    told = WIDE[WIDE.index(f"  {of}") + 1].strip().split(", ")
    assert set(options) <= set(told)


def test_files_of_ones_own_folder_are_named(tmp_path: Path) -> None:
    (tmp_path / "masker").mkdir()
    (tmp_path / "masker" / "mine.yaml").write_text(
        "_target_: pruneexp.maskers.greedy.greedy\n_partial_: true\n", encoding="utf-8"
    )
    (tmp_path / "masker" / "other.yaml").write_text("_target_: mine.masker\n", encoding="utf-8")
    (tmp_path / "masker" / "broken.yaml").write_text("a: [\n", encoding="utf-8")
    lines = usage(Source(folder=str(tmp_path)), None).splitlines()
    assert "  masker=greedy, greedy_global, greedy_matched, mine" in lines


@pytest.mark.parametrize("width", [60, 80, 120])
def test_no_line_is_longer_than_the_terminal(width: int) -> None:
    lines = NARROW if width == 80 else usage(Source(), width).splitlines()
    assert max(map(len, lines)) <= width
    words = {word for line in lines for word in line.replace(" \\", "").replace("[", "").replace("]", "").split()}
    assert {"greedy_matched,", "vgg16_c100_sweep,", "published,", "--config-dir"} <= words


def test_words_with_dashes_stand_at_the_end() -> None:
    for word in ("--config-dir", "-cd", "--cfg", "--version", "--help", "-sc"):
        assert any(word in line for line in WIDE[WIDE.index("Words with dashes:") :])
