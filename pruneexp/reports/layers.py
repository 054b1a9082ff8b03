"""The layers of a grid's networks: what the records say of each, aggregated over seeds."""

from typing import Any

import pandas as pd

from pruneexp.reports.frame import SETTING

MEASURED = ["density", "lambda2", "lambda2_weighted", "bound_gap", "components", "dead_filters", "idle_inputs"]


def layer_table(cells: pd.DataFrame, records: list[dict[str, Any]]) -> pd.DataFrame:
    """One row for each setting and layer: n, the means over seeds of `MEASURED`, and `collapsed`, the number
    of seeds in which the layer has collapsed (see `layer_rows`); those are left out of the lambda_2's means.

    Args:
        cells: one row for each record, in the records' order.
    """
    rows = [
        {
            **setting,
            "layer": layer["name"].removesuffix(".weight"),
            **{figure: layer[figure] for figure in MEASURED},
            "collapsed": _collapsed(layer),
        }
        for setting, record in zip(cells[SETTING].to_dict("records"), records, strict=True)
        for layer in record["layers"]
    ]
    layers = pd.DataFrame(rows, columns=[*SETTING, "layer", *MEASURED, "collapsed"])
    layers[MEASURED] = layers[MEASURED].astype(float)
    layers.loc[layers["collapsed"], ["lambda2", "lambda2_weighted"]] = None
    grouped = layers.groupby([*SETTING, "layer"], sort=False)
    table = grouped[MEASURED].mean()
    table.insert(0, "n", grouped.size())
    table["collapsed"] = grouped["collapsed"].sum()
    return table.reset_index()


def _collapsed(layer: dict[str, Any]) -> bool:
    """As recorded; a record of an earlier version has only lambda_2 to tell it by."""
    told = layer.get("collapsed")
    return (
        bool(layer["density"] < 1 and (layer["lambda2"] is None or layer["lambda2"] > 1 - 1e-9))
        if told is None
        else bool(told)
    )
