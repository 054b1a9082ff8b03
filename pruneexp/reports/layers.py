"""The layers of a grid's networks: what the records say of each, aggregated over seeds."""

from typing import Any

import pandas as pd

from pruneexp.reports.table import SETTING

FIGURES = ["density", "lambda2", "lambda2_weighted", "bound_gap", "components", "dead_filters", "idle_inputs"]


def layer_table(cells: pd.DataFrame, records: list[dict[str, Any]]) -> pd.DataFrame:
    """One row for each setting and layer: n, the means over seeds of `FIGURES`, and `collapsed`.

    A layer has collapsed where its largest component is a star, a single edge or nothing at all: lambda_2 is then 1, 2 or
    undefined and says nothing of connectivity. Those seeds are counted by `collapsed` and left out of the lambda_2's means.

    Args:
        cells: one row for each record, in the records' order.
    """
    rows = [
        {**setting, "layer": layer["name"].removesuffix(".weight"), **{figure: layer[figure] for figure in FIGURES}}
        for setting, record in zip(cells[SETTING].to_dict("records"), records, strict=True)
        for layer in record["layers"]
    ]
    layers = pd.DataFrame(rows, columns=[*SETTING, "layer", *FIGURES])
    layers[FIGURES] = layers[FIGURES].astype(float)
    layers["collapsed"] = (layers["density"] < 1) & ~(layers["lambda2"] < 1 - 1e-9)
    layers.loc[layers["collapsed"], ["lambda2", "lambda2_weighted"]] = None
    grouped = layers.groupby([*SETTING, "layer"], sort=False)
    table = grouped[FIGURES].mean()
    table.insert(0, "n", grouped.size())
    table["collapsed"] = grouped["collapsed"].sum()
    return table.reset_index()
