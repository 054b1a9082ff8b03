"""Published figures are counted once each, and agree where the joint interval holds their difference."""

import json
import math
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pytest

from pruneexp.studies import fidelity as study
from pruneexp.studies.published import computed, networks
from pruneexp.studies.published.agreement import AT, ELSEWHERE, NOT, about, compared
from pruneexp.studies.ramanujan import densities
from pruneexp.system.shipped import published_dir
from scripts.results_page import RESULTS

NAN = math.nan


@pytest.fixture
def no_large_networks(monkeypatch: pytest.MonkeyPatch) -> None:
    """The networks of 100 million weights are left to the study itself."""
    codes = densities.codes
    monkeypatch.setattr(densities, "codes", lambda name: codes(name) if name == "resnet18" else [])


@pytest.fixture(scope="module")
def nothing(tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    """What is said where nothing has been run."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(densities, "codes", lambda name: [])
        return study.fidelity(tmp_path_factory.mktemp("empty"))


@pytest.mark.parametrize(
    ("text", "half", "ours", "own", "joint", "verdict"),
    [
        ("77.0", 0.75, [76.0, 78.0, 80.0], 1.0, 1.3, "inside"),  # sqrt(.75^2 + 1^2) = 1.25, and .05
        ("77.0", 0.75, [78.3], 1.0, 1.3, "inside"),
        ("77.0", 0.75, [78.31], 1.0, 1.3, "outside"),
        ("83", NAN, [84.2], 0.7, 1.2, "inside"),  # printed without a decimal: 82.5 to 83.5
        ("83", NAN, [84.3], 0.7, 1.2, "outside"),
        ("3.463054", NAN, [3.4630544], 0.0, 5e-7, "inside"),
        ("3.463054", NAN, [3.4630549], 0.0, 5e-7, "outside"),
        (".56", NAN, [0.5629], 0.0, 0.005, "inside"),
        ("77.0", 0.75, [76.0, 78.0], NAN, NAN, ""),
        ("77.0", 0.75, [], NAN, NAN, ""),
        ("", NAN, [0.5, 0.5, 0.5], 0.0, NAN, ""),  # printed as a star
    ],
)
def test_two_figures_agree_where_the_joint_interval_holds_their_difference(
    text: str, half: float, ours: Sequence[float], own: float, joint: float, verdict: str
) -> None:
    found = compared("accuracy", text, half, ours, own)
    assert found["verdict"] == verdict
    assert found["joint"] == pytest.approx(joint, nan_ok=True)
    assert found["n"] == pytest.approx(len(ours) or NAN, nan_ok=True)


@pytest.mark.parametrize(
    ("source", "last", "table"),
    [
        ("Cunegatti et al., Table 10: * (below chance)", False, "Table 10"),
        ("Tables 5 and 6 (1.7 %)", False, "Table 5"),
        ("Tables 5 and 6", True, "Table 6"),
        ("Table 6, 1.7 %", True, "Table 6"),
        ("abstract: 48", False, "abstract"),
    ],
)
def test_a_figure_is_told_of_its_table(source: str, last: bool, table: str) -> None:
    found = about({"source": source, "published_row": "x"}, "laenen_table1", "", NOT, "", last)
    assert (found["table"], found["paper"]) == (table, "Laenen 2023")


def test_every_published_figure_is_counted_once(nothing: pd.DataFrame) -> None:
    files = {path.name: pd.read_csv(path, comment="#") for path in sorted(published_dir().rglob("*.csv"))}
    accuracies = sum(int((rows["accuracy"].notna() | rows["source"].str.contains("below chance")).sum())
                     for rows in files.values() if "accuracy" in rows)  # fmt: skip
    counted = nothing["figure"].value_counts()
    assert counted["accuracy"] == accuracies - 2  # the one accuracy of Chowdhury et al. stands in three rows
    assert counted["RBO"] == len(files["mge_ranking_rbo.csv"])
    assert counted["adjusted_r2"] + counted["mae"] == len(files["mge_regression.csv"])
    assert counted["seconds"] == files["laenen_table1.csv"]["pruning_seconds"].count()
    assert counted["shape"] == len(files["table2.csv"])
    per_table = nothing[nothing["figure"] == "accuracy"].groupby(["paper", "table"]).size()
    assert [per_table["Cunegatti et al.", f"Table {number}"] for number in (8, 9, 10)] == [144, 144, 144]
    assert not nothing.duplicated([*("paper", "table", "of", "figure")]).any()


def test_where_nothing_has_been_run_nothing_is_said(nothing: pd.DataFrame) -> None:
    run = nothing[~nothing["figure"].isin(["shape"])]
    assert set(run["run"]) == {NOT}
    assert set(run["verdict"]) == {""}
    assert "0 have been run at the published recipe" in study.readable(nothing)


def test_our_records_stand_beside_what_they_reproduce(tmp_path: Path) -> None:
    (tmp_path / "records").mkdir()
    here = sorted((RESULTS / "records").glob("topology_tables8_9*.jsonl"))
    for path in here:
        (tmp_path / "records" / path.name).write_bytes(path.read_bytes())
    found = pd.DataFrame(networks.of_networks(tmp_path))
    found = found[(found["figure"] == "accuracy") & (found["run"] != NOT)]
    assert {AT, ELSEWHERE} == set(found["run"])
    assert found.loc[found["run"] == ELSEWHERE, "verdict"].eq("").all()
    dense = found[found["of"] == "cifar10 resnet20 dense at 100 %"].to_dict("records")
    assert len(dense) == 1
    assert (dense[0]["run"], dense[0]["n"], dense[0]["published"]) == (AT, 3, 91.7)
    cells = [json.loads(line) for path in here for line in path.read_text(encoding="utf-8").splitlines()]
    full = {
        cell["key"]: cell["accuracy"] for cell in cells if cell["kept"] == cell["prunable"] and cell["epochs"] == 160
    }
    assert dense[0]["ours"] == pytest.approx(sum(full.values()) / 3)
    assert dense[0]["verdict"] == "inside"


def test_what_studies_have_computed_stands_beside_what_is_printed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(densities, "codes", lambda name: [])
    (tmp_path / "tables").mkdir()
    (tmp_path / "benchmarks").mkdir()
    table = "model,strategy,sparsity,mean,std,n\nconv6,layer density,0.6,0.5629,0.26,3\nconv6,IMDB,avg,0.8,0.1,3\n"
    (tmp_path / "tables" / "topology_table4.csv").write_text(table, encoding="utf-8")
    table = "metric,encoding,scenario,group,n,mean,std\nadjusted_r2,rolled_bge,sparsity_fixed,0.6,252,0.022,0.01\n"
    (tmp_path / "tables" / "topology_table3.csv").write_text(table, encoding="utf-8")
    table = "dataset,model,scorer,masker,asked_density,n,imdb,imdb_norm\ncifar10,resnet34,none,ramanujan,0.053,1,3.09885,0.2\n"
    table += "cifar10,vgg16_2448,none,ramanujan[least_channels=256],0.029,1,3.46305,0.2\n"
    (tmp_path / "tables" / "ramanujan_table6_imdb.csv").write_text(table, encoding="utf-8")
    table = "table,network,kept,printed,of the 4096 network,of its own network\n5,alexnet,1,2.3,1.3,2.34\n4,x,1,0.08,0.0875,0.2\n"
    (tmp_path / "tables" / "ramanujan_densities.csv").write_text(table, encoding="utf-8")
    other = {"network": "resnet50", "density": 0.01, "mask_seconds": 3.2}  # a network that the paper has no time of
    times = {"rows": [{"network": "vgg16", "density": 0.01, "paper_seconds": 321, "mask_seconds": 3.1}, other]}
    (tmp_path / "benchmarks" / "masks.json").write_text(json.dumps(times), encoding="utf-8")
    found = study.fidelity(tmp_path)
    found = found[found["run"] == AT].set_index("of")
    assert found.loc["conv6, layer_density, 0.6", "verdict"] == "inside"
    assert found.loc["conv6, imdb, avg", "verdict"] == "outside"
    assert found.loc["rolled_bge, 0.6", "n"] == 100
    assert found.loc["rolled_bge, 0.6", "verdict"] == "inside"  # .02 is .015 to .025
    (resnet,) = (name for name in found.index if name.startswith("cifar10 resnet34"))
    assert found.loc[resnet, "verdict"] == "outside"  # printed 3.098840
    (vgg,) = (name for name in found.index if "vgg16_2448" in name)  # 3.463054 is 3.46305 in six digits
    assert found.loc[vgg, "verdict"] == "inside"
    seconds = found[found["figure"] == "seconds"]
    assert seconds["ours"].tolist() == [3.1]
    assert seconds["verdict"].tolist() == [""]


def test_the_table_in_results_is_what_records_and_other_tables_make_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(densities, "codes", lambda name: [])
    made = study.fidelity(RESULTS).to_csv(index=False, float_format="%.6g").splitlines()
    there = (RESULTS / "tables" / "fidelity.csv").read_text(encoding="utf-8").splitlines()
    assert [row for row in made if ",shape," not in row] == [row for row in there if ",shape," not in row], (
        "make fidelity"
    )


@pytest.mark.usefixtures("no_large_networks")
def test_the_shapes_of_resnet_18_are_the_papers() -> None:
    found = pd.DataFrame(computed.of_shapes())
    ours = found["of"].str.startswith("resnet18")
    assert found.loc[ours, "verdict"].tolist() == ["inside"] * 7
    assert found.loc[~ours, "verdict"].eq("outside").all()  # no layer has been counted


def test_the_page_counts_what_the_rows_say(
    nothing: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(study, "fidelity", lambda report_dir: nothing)
    study.main(["--report-dir", str(tmp_path)])
    table = pd.read_csv(tmp_path / "tables" / "fidelity.csv", keep_default_na=False)
    counted = study.summary(nothing)
    wanted = [len(table), *((table["run"] == run).sum() for run in (AT, NOT))]
    assert counted.iloc[-1][["cells", AT, NOT]].tolist() == wanted
    assert counted.iloc[:-1]["cells"].sum() == len(table)
    text = (tmp_path / "tables" / "fidelity.md").read_text(encoding="utf-8")
    assert text.startswith("<!-- made by: python -m pruneexp.studies.fidelity; commit ")
    assert "u the unit of the last printed digit" in " ".join(text.split())
    assert "Of " in capsys.readouterr().out
