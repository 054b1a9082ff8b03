"""Every number of a result in README, docs and the page of results is what a file has, and says which."""

from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf

from scripts.claims import bare, filled, unclaimed
from scripts.references import Sources
from scripts.results_page import PAGES, RESULTS, page

TARGETS: Any = OmegaConf.to_container(OmegaConf.load(RESULTS / "targets.yaml"))
ENTRY = "It has {masker=a -> accuracy} % at 2 %, in 160 epochs of ResNet-20 (Table 8; Laenen 2023), 64 x 576, `n=3`."
MADE = """# Title

Of 3 seeds, <!-- settings: 3 seeds --> **72 ± 12<!-- {made: masker=b -> accuracy} -->** and 5.0<!-- {made:
masker=b -> dead %.1f} -->, 46<!-- {log.md: "46 an hour"} --> an hour.

<!-- table: made -->
| 17 |
<!-- end -->

## Options

<!-- no results: options -->

| 18 |

### Other

One more, `19`, and

```
20
```
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "tables").mkdir()
    (tmp_path / "tables" / "made.csv").write_text(
        "masker,accuracies,accuracy,ci95,dead\nb,60 72 84,72,12.4,5\n", encoding="utf-8"
    )
    (tmp_path / "log.md").write_text("It was 46 an hour.\n", encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_every_claimed_number_is_what_its_source_has(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert filled(text, Sources(RESULTS)) == text, "python -m scripts.results_page puts it right"


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_every_number_of_a_result_is_claimed(path: Path) -> None:
    assert unclaimed(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("entry", TARGETS, ids=lambda entry: entry["title"])
def test_no_number_of_a_result_is_typed_on_the_page_of_results(entry: dict[str, Any]) -> None:
    assert bare(f"{entry['title']}. {entry['says']}", entry.get("settings", [])) == []


def test_the_page_of_results_is_what_its_sources_make_of_it() -> None:
    assert page(TARGETS, RESULTS) == (RESULTS / "README.md").read_text(encoding="utf-8"), "make results-page"


# what these tests see


def test_there_are_claims() -> None:
    texts = [path.read_text(encoding="utf-8") for path in PAGES]
    assert sum(text.count("<!-- {") for text in texts) >= 4
    assert sum(entry["says"].count("{") for entry in TARGETS) >= 100


def test_a_page_whose_claims_are_true_is_left_as_it_is(folder: Path) -> None:
    assert filled(MADE, Sources(folder)) == MADE
    assert unclaimed(MADE) == []


@pytest.mark.parametrize(
    ("true", "false"), [("72 ± 12", "73 ± 12"), ("72 ± 12", "71.5 [60.1, 83.0]"), ("5.0", "-4"), ("46<", "47<")]
)
def test_another_number_is_put_right(folder: Path, true: str, false: str) -> None:
    wrong = MADE.replace(true, false, 1)
    assert wrong != MADE
    assert filled(wrong, Sources(folder)) == MADE


@pytest.mark.parametrize("planted", ["One more", "46<!--"])
def test_a_claim_needs_its_number_and_a_number_its_claim(folder: Path, planted: str) -> None:
    with pytest.raises(SystemExit, match="no number in front"):
        filled(MADE.replace("5.0<", "five<"), Sources(folder))
    (found,) = unclaimed(MADE.replace(planted, f"1.7 and {planted}"))
    assert "1.7" in found


def test_a_section_ends_what_is_said_of_it() -> None:
    assert len(unclaimed(MADE.replace("One more", "Of 3 seeds"))) == 1
    assert len(unclaimed(MADE.replace("### Other", "<!-- end -->\n21\n### Other"))) == 1


@pytest.mark.parametrize(
    ("settings", "left"),
    [(["2 %", "160 epochs"], []), (["2 %"], ["160"]), ([], ["2 %", "160"]), (["2 %", "160 epochs", "5 %"], ["5 %"])],
)
def test_numbers_in_an_entry_are_references_or_settings(settings: list[str], left: list[str]) -> None:
    found = bare(ENTRY, settings)
    assert len(found) == len(left)
    assert all(number in told for number, told in zip(left, found, strict=True))


@pytest.mark.parametrize(
    "typed", ["0.82", "three: 4e-16", "21 to", "-0.3", "eleven", "Sixty", "1,300", "about 5 %", "within .05"]
)
def test_a_typed_number_is_seen(typed: str) -> None:
    assert bare(f"It has {typed} of them.") != []
