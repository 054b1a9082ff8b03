"""A report as a run of W&B's: its table and figures to look at, and all of it as an artifact."""

import contextlib
import io
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from PIL import Image

from pruneexp.errors import reason
from pruneexp.system.console import say_once
from pruneexp.system.tracking import MODE
from pruneexp.training.about import About
from pruneexp.training.wandb_run import HUNG, WandbRun, abandon, within

STAGING = "WANDB_DATA_DIR"  # W&B's own: under which an artifact's files wait for their upload


def log_report(project: str, folder: Path, group: str, stem: str, paths: Sequence[Path]) -> None:
    """Log a report; a later one of the same name goes on with its run. What fails is told, and costs nothing.

    Args:
        project, folder: as for `WandbRun`.
        group: the experiment.
        stem: what the report's files are called.
        paths: its files, of which the tables (.csv, .md) and pictures (.png) are logged, without the command that made them.
    """
    if os.environ.get(MODE) == "disabled":
        return
    about = About(f"report {group} {stem}", f"report {stem}", group, "report", (group,), {"experiment": group})
    try:
        run = WandbRun(project, folder, about)
        with _staging(Path(run.run.dir).parent):
            within(HUNG, lambda: _log(run, stem, paths))
        run.finish(whole=True)
    except Exception as error:
        abandon()
        say_once("logger=wandb", f"the report could not be logged ({reason(error)}).")


@contextlib.contextmanager
def _staging(folder: Path) -> Iterator[None]:
    """Keep the artifact's copies in a folder, the run's, rather than in the user's home, unless the user says where."""
    if STAGING in os.environ:
        yield
        return
    os.environ[STAGING] = str(folder)
    try:
        yield
    finally:
        del os.environ[STAGING]


def _log(tracked: WandbRun, stem: str, paths: Sequence[Path]) -> None:
    import wandb

    shown: dict[str, Any] = {}
    artifact = wandb.Artifact(re.sub(r"[^\w.-]+", "-", stem), "report")
    for path in paths:
        content, part = _without_command(path), path.stem.removeprefix(stem).replace("-", "/", 1)
        if content is None:
            continue
        with artifact.new_file(path.name, "wb") as file:
            file.write(content)
        if path.suffix == ".png":
            shown[f"figure{part}"] = wandb.Image(Image.open(io.BytesIO(content)))
        elif path.suffix == ".csv":
            table = pd.read_csv(path, keep_default_na=False, na_values=[""])
            shown[f"table{part}"] = wandb.Table(dataframe=table.astype(object).where(table.notna(), None))
    tracked.run.log(shown)
    tracked.run.log_artifact(artifact)


def _without_command(path: Path) -> bytes | None:
    """A table's or a picture's content without the command that its file names; None of another file."""
    if path.suffix == ".csv":
        return path.read_bytes()
    if path.suffix == ".md":
        return re.sub(r"\A<!-- made by: .* -->\n", "", path.read_text(encoding="utf-8")).encode()
    if path.suffix != ".png":
        return None
    content = io.BytesIO()
    with Image.open(path) as picture:
        picture.save(content, "png")
    return content.getvalue()
