"""Where networks come from, and what stands beside ours."""

import math
from pathlib import Path

import pandas as pd
import pytest

from pruneexp.errors import UserError
from pruneexp.studies.topology import source


def test_the_shipped_pool_another_or_records(pool: Path, records: Path) -> None:
    parser = source.parser("What it is.")
    assert len(source.networks(parser.parse_args([]))) == 1258
    assert set(source.networks(parser.parse_args(["--pool", str(pool)]))["model"]) == {"conv6", "resnet20"}
    options = parser.parse_args(["--records", str(records)])
    assert set(source.networks(options)["method"]) == {"snip", "erk"}
    assert source.named("table", options) == "table-ours"
    assert source.named("table", parser.parse_args(["--pool", str(pool)])) == "table"
    with pytest.raises(UserError, match="not allowed with"):
        parser.parse_args(["--pool", str(pool), "--records", str(records)])


def test_records_that_cannot_be_read(tmp_path: Path) -> None:
    parser = source.parser(None)
    with pytest.raises(UserError, match="there is no file"):
        source.networks(parser.parse_args(["--records", str(tmp_path / "none.jsonl")]))
    (tmp_path / "damaged.jsonl").write_text('{"a": 1')
    with pytest.raises(UserError, match="is not one JSON object a line"):
        source.networks(parser.parse_args(["--records", str(tmp_path / "damaged.jsonl")]))


def test_ours_less_theirs_where_there_is_a_theirs() -> None:
    ours = pd.DataFrame({"group": [0.9, 0.95], "mean": [0.5, 0.25]})
    facts = pd.DataFrame({"group": ["0.9"], "rbo_mean": ["0.75"], "rbo_std": ["0.1"]})
    table = source.beside(ours, facts, ["group"], "rbo_")
    assert list(table["published"])[:1] == [0.75]
    assert table["difference"][0] == -0.25
    assert math.isnan(table["difference"][1])
    assert source.cell(0.5, 0.75) == "0.50 / 0.75 (-0.25)"
    assert source.cell(0.25, math.nan, digits=3) == "0.250"
