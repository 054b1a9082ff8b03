"""Figures as a share of the dense network's."""

import pandas as pd

from pruneexp.reports.frame import NETWORK


def share_of_dense(table: pd.DataFrame, column: str) -> "pd.Series[float]":
    """Each row's figure over that of the dense network of its data set, model, recipe and precision; NaN where there is none."""
    dense = table[table["masker"] == "dense"].groupby(NETWORK)[column].mean().rename("whole")
    return table[column] / table.join(dense, on=NETWORK)["whole"]


def with_share(table: pd.DataFrame, column: str, texts: "pd.Series[str]") -> list[str]:
    """Texts with the share in brackets, where there is one and the network is not the dense one."""
    shares = share_of_dense(table, column).where(table["masker"] != "dense")
    return [
        text if not text or pd.isna(own) else f"{text} ({100 * own:.3g} %)"
        for text, own in zip(texts, shares, strict=True)
    ]
