"""Table 3 from end to end: ours, published, difference."""

import json
from pathlib import Path

import pandas as pd
import pytest

from pruneexp.errors import UserError
from pruneexp.studies.topology import source, table3


def test_ours_stand_beside_the_published(tmp_path: Path, pool: Path) -> None:
    table3.main(["--pool", str(pool), "--report-dir", str(tmp_path), "--repeats", "1"])
    path = tmp_path / "tables" / "topology_table3.csv"
    made = json.loads(path.with_suffix(".json").read_text())
    assert made["command"] == f"python -m pruneexp.studies.topology.table3 --pool {pool.name} --repeats 1"
    assert made["commit"]
    table = pd.read_csv(path)
    assert set(table["encoding"]) == {"unrolled_mge"}
    facts = source.published("mge_regression").set_index(table3.KEYS)["mean"].astype(float)
    keys = table[table3.KEYS].itertuples(index=False, name=None)
    assert list(table["published"]) == pytest.approx([facts[key] for key in keys])
    assert table["difference"].to_numpy() == pytest.approx((table["mean"] - table["published"]).to_numpy(), abs=1e-5)
    row = table[(table["metric"] == "adjusted_r2") & (table["group"] == "conv6")].iloc[0]
    text = (tmp_path / "tables" / "topology_table3.md").read_text()
    assert f"{row['mean']:.2f} / {row['published']:.2f} ({row['difference']:+.2f})" in text
    assert f"does not come out: {row['mean']:.2f} against {row['published']:.2f}." in text
    assert "1 repeats in " in text


def test_networks_of_our_own_stand_alone(tmp_path: Path, records: Path, pool: Path) -> None:
    with pytest.raises(UserError, match="networks with every metric; unrolled_mge needs 18"):
        table3.main(["--records", str(records), "--report-dir", str(tmp_path)])
    table = table3.compared(source.networks(source.parser(None).parse_args(["--pool", str(pool)])), 1, facts=False)
    assert table["published"].isna().all()
    assert " / " not in table3.shown(table)
