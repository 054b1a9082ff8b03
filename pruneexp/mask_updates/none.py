"""Masks that stay as they are."""

from pruneexp.components.options import component


@component("mask_update")
def none() -> None:
    """No updates: training keeps the masks that it begins with."""
