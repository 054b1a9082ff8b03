"""A published figure is told with the file and row that it stands in."""

import pandas as pd

from pruneexp.reports.published import MASKS, ROW, beside_published, published
from pruneexp.system.shipped import published_dir


def test_the_row_of_a_published_figure_is_the_files() -> None:
    theirs = published()
    for path in sorted(published_dir().glob("*.csv")):
        rows = pd.read_csv(path, comment="#")
        for number in (1, len(rows)):
            told = theirs[theirs[ROW] == f"{path.name}:{number}"]
            assert len(told) >= 1
            assert set(told["dataset"]) == {rows["dataset"][number - 1]}
            assert set(told["source"].dropna()) == {rows["source"][number - 1]}


def test_a_row_of_ours_is_told_its_published_row_at_any_recipe() -> None:
    theirs = published().dropna(subset=["published"]).drop_duplicates(MASKS)
    ours = theirs[[*MASKS, "recipe"]]
    found = beside_published(ours)
    assert list(found[ROW]) == list(theirs[ROW])
    assert found["published_elsewhere"].isna().all()
    short = beside_published(ours.assign(recipe="smoke"))
    assert list(short[ROW]) == list(theirs[ROW])
    assert list(short["published_elsewhere"]) == list(theirs["recipe"])
    assert beside_published(ours.assign(model="unknown"))[ROW].isna().all()
