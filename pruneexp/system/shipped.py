"""Where configurations and the papers' numbers live."""

from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1]


def conf_dir() -> Path:
    """The checkout's conf/, or the copy shipped inside the installed package."""
    return _shipped("conf")


def published_dir() -> Path:
    """The papers' numbers: the checkout's results/published/, or the installed package's copy."""
    return _shipped("published", "results/published")


def _shipped(name: str, in_checkout: str | None = None) -> Path:
    inside = PACKAGE / name
    return inside if inside.is_dir() else PACKAGE.parent / (in_checkout or name)
