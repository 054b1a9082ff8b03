"""Table 6's masks are the cells' own, and stand in both units beside what is printed."""

from pathlib import Path

import pandas as pd
import pytest
import torch

from pruneexp.studies.ramanujan import table6
from pruneexp.sweep import Slot, expand


def ring() -> torch.Tensor:
    """A circulant of degree 3 on 12 + 12 vertices: sigma_2 = 1 + sqrt(3)."""
    return torch.stack([torch.roll(torch.eye(12), step, dims=1) for step in range(3)]).sum(0).bool()


GAP = 2 * 2**0.5 - 1 - 3**0.5


def test_dense_layers_count_where_hoang_et_al_count_them_alone() -> None:
    masks = {"a": torch.ones(12, 12, dtype=torch.bool), "b": ring(), "c": ring(), "d": torch.eye(12, dtype=torch.bool)}
    found = table6.figures(masks)
    assert found["imdb"] == pytest.approx(GAP)
    assert found["imdb_norm_pruned"] == pytest.approx(GAP / 8**0.5)
    assert found["imdb_norm"] == pytest.approx((1 + 2 * GAP / 8**0.5) / 3)
    assert (found["imdb_layers"], found["layers"]) == (3, 4)


@pytest.mark.parametrize("words", [["masker=erk"], ["masker=greedy_global", "scorer=random"], ["masker=greedy_global"]])
def test_the_masks_are_those_of_the_experiments_cells(words: list[str], tmp_path: Path) -> None:
    small = ["+experiment=ramanujan_table6_vgg16", "dataset=digits", "model=vgg_small", "densities=[0.1]", "seed=1"]
    grid = expand([*small, f"data_dir={tmp_path}", "scorer=magnitude", *words])
    (slot,) = grid.slots
    masks, with_images = table6.masks_of(slot, with_data=False), table6.masks_of(slot, with_data=True)
    total = sum(mask.numel() for mask in masks.values())
    assert sum(int(mask.sum()) for mask in masks.values()) == round(0.1 * total)
    assert all(torch.equal(mask, with_images[name]) for name, mask in masks.items())


def test_the_table_stands_beside_the_printed_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = list[Slot]()

    def masks_of(slot: Slot, with_data: bool) -> dict[str, torch.Tensor]:
        made.append(slot)
        assert not with_data
        return {"dense": torch.ones(12, 12, dtype=torch.bool), "ring": ring()}

    monkeypatch.setattr(table6, "masks_of", masks_of)
    table6.main(["--report-dir", str(tmp_path), "--seeds", "2", "--without", "synflow"])
    table = pd.read_csv(tmp_path / "tables" / "ramanujan_table6_imdb.csv").set_index(["dataset", "model", "masker"])
    assert not {"snip", "grasp", "synflow"} & {*table["scorer"]}
    printed = table["published_imdb_norm"].dropna().to_dict()
    assert printed == {
        ("cifar10", "vgg16", "erk"): 0.128288, ("cifar10", "vgg16", "greedy_global"): -0.116971,
        ("cifar10", "resnet34", "erk"): 0.181492, ("cifar10", "resnet34", "greedy_global"): -0.01853,
        ("cifar100", "resnet34", "erk"): 0.101492, ("cifar100", "resnet34", "greedy_global"): -0.01853,
    }  # fmt: skip
    own = table[table["published_imdb"].notna()]
    assert sorted(own["published_imdb"]) == pytest.approx(
        [3.09884, 3.09884, 3.463054], abs=1e-5
    )  # six digits are written
    assert own["n"].eq(1).all()  # the same masks for every seed
    assert table.drop(own.index)["n"].eq(2).all()
    assert len(made) == table["n"].sum()
    text = (tmp_path / "tables" / "ramanujan_table6_imdb.md").read_text()
    assert f"on VGG-16 is {GAP / 8**0.5:.3f}, where it prints up to 0.348 (synflow) for others" in text
    assert f"on ResNet-34 {GAP / 8**0.5:.3f}, where it prints up to 0.298 (snip)" in text
    assert text.count("misprint") == 2
    assert "Left out, since SNIP and GraSP look at images and SynFlow takes minutes: synflow, snip, grasp." in text
