"""The small sweep that is corrupted, and what a user does with each of its files."""

import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from scripts.corruptions_of import damages
from scripts.corruptions_of.commands import Outcome, composed, forked, killed_after
from scripts.corruptions_of.damages import Damage

RUNS = Path("results") / "runs"
DATA = Path("data") / "digits"
RECORDS = Path("kept.jsonl")
CHECK = ["mode=check", "masker=greedy", "seed=0"]  # one job: its options are those of any
BASE = [
    "recipe=smoke", "recipe.train_images=64", "recipe.test_images=64", "logger=none", "trainer.accelerator=cpu",
    "trainer.threads=1", "seed=0", "figures=[]",
]  # fmt: skip
SWEEP = [*BASE, "densities=[1.0,0.2]", "masker=greedy,sparsify"]
TRAINED = [*BASE, "name=trained", "when=trained", "densities=[0.2]", "masker=greedy"]  # reads the dense cell's weights
OTHER = [*BASE, "name=other", "seed=1", "densities=[1.0]", "masker=greedy"]
MORE = [*BASE, "densities=[1.0,0.2,0.1]", "masker=greedy"]
UNFINISHED = [
    *BASE, "name=unfinished", "densities=[0.5]", "recipe.epochs=5", "trainer.checkpoint_seconds=0.000001",
]  # fmt: skip
ELSEWHERE = [*SWEEP, "results_dir=results/elsewhere", f"records=[{RECORDS}]"]


@dataclass(frozen=True)
class Case:
    """One file that can be corrupted, and what is done then.

    Attributes:
        file: in the sweep's folder.
        other: a file of the same kind.
        commands: that read it, or should not mind.
        names: one of which a refusal must mention.
        without: what is not there, so that the file is needed.
        alone: nothing else is recorded.
        makers: commands that made the file, where the last of `commands` cannot.
    """

    file: Path
    other: Path
    commands: list[list[str]]
    names: list[str]
    without: list[Path] = field(default_factory=list)
    alone: bool = False
    makers: list[list[str]] = field(default_factory=list)

    @property
    def of_a_cell(self) -> bool:
        """Whether mode=check has to name it."""
        return self.file.is_relative_to(RUNS) and not self.file.name.startswith(".")


class Sweep:
    """The sweep, made in `folder`.

    Attributes:
        cells: the finished cells' folders, by name.
        unfinished: checkpoints, by masker.

    Raises:
        RuntimeError: it could not be made.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True)
        for words in (SWEEP, TRAINED, OTHER):
            composed(folder, words)
            _made(forked(folder, words))
        self.cells = {
            "dense": self._only("*-dense-dense-d1-s0-*"),
            "other": self._only("*-dense-dense-d1-s1-*"),
            "sparsify": self._only("*-sparsify-d0.2-*"),
        }
        greedy = [path.relative_to(folder) for path in (folder / RUNS).glob("*-greedy-d0.2-*")]
        self.cells["trained"], self.cells["greedy"] = sorted(
            greedy, key=lambda path: '"trained"' not in (folder / path / "record.json").read_text(encoding="utf-8")
        )
        (records,) = (folder / RUNS / "reports" / "records").glob("quickstart-*.jsonl")
        shutil.copy(records, folder / RECORDS)
        shutil.rmtree(folder / RUNS / "reports")
        self.unfinished = {}
        for masker in ("greedy", "sparsify"):
            told = forked(folder, [*UNFINISHED, f"masker={masker}"], before=killed_after(3))
            if told.code != -9:
                raise RuntimeError(f"a training was to be killed at its third checkpoint:\n{told.out}{told.err}")
            self.unfinished[masker] = self._only(f".*-{masker}-d0.5-*.checkpoint")

    def _only(self, pattern: str) -> Path:
        (path,) = (self.folder / RUNS).glob(pattern)
        return path.relative_to(self.folder)

    def cases(self) -> Mapping[str, tuple[dict[str, Damage], list[Case]]]:
        """By target: the damages that it can suffer, and the files that can suffer them."""
        return {
            "record": (damages.ANY | damages.SWAPPED | damages.JSON, list(self._records())),
            "masks": (damages.ANY | damages.SWAPPED, list(self._masks())),
            "weights": (damages.ANY | damages.SWAPPED, list(self._weights())),
            "history": (damages.ANY | damages.SWAPPED | damages.DIGIT, list(self._histories())),
            "images": (damages.ANY | damages.TRAIN, list(self._data("images"))),
            "labels": (damages.ANY | damages.PERMUTED | damages.TRAIN, list(self._data("labels"))),
            "checkpoint": (damages.ANY | damages.SWAPPED, [self._checkpoint()]),
            "records": (damages.ANY | damages.JSON | damages.KEYS, [self._sourced()]),
        }

    def _records(self) -> Iterator[Case]:
        for name, cell in self.cells.items():
            if name == "other":
                continue
            path, other = cell / "record.json", self.cells["other"] / "record.json"
            grid = TRAINED if name == "trained" else SWEEP
            yield Case(path, other, [[*grid, "mode=report"], CHECK, grid], [str(cell)])
            density = "1.0" if name == "dense" else "0.2"
            own = [*BASE, f"densities=[{density}]", f"masker={'sparsify' if name == 'sparsify' else 'greedy'}"]
            own = grid if name == "trained" else own
            rest = [folder for some, folder in self.cells.items() if some not in (name, "other")]
            yield Case(path, other, [[*own, "mode=report"], CHECK, own], [str(cell)], rest, alone=True)

    def _masks(self) -> Iterator[Case]:
        for name, other in (("dense", "other"), ("greedy", "sparsify"), ("sparsify", "greedy")):
            path = self.cells[name] / "masks.safetensors"
            commands = [[*SWEEP, "mode=report"], CHECK, SWEEP, [*SWEEP, "topology=ramanujan"]]
            yield Case(path, self.cells[other] / "masks.safetensors", commands, [str(path), self.cells[name].name])

    def _weights(self) -> Iterator[Case]:
        path, cell = self.cells["dense"] / "weights.safetensors", self.cells["dense"]
        own = [*BASE, "name=tuned", f"weights={cell}", "densities=[0.2]", "masker=greedy"]
        commands = [CHECK, TRAINED, own]
        yield Case(
            path,
            self.cells["other"] / path.name,
            commands,
            [str(path), cell.name],
            [self.cells["trained"]],
            makers=[SWEEP],
        )
        yield from self._unread("weights.safetensors", ("greedy", "sparsify"), ("sparsify", "greedy"))

    def _histories(self) -> Iterator[Case]:
        yield from self._unread("history.csv", ("dense", "other"), ("greedy", "sparsify"), ("sparsify", "trained"))

    def _unread(self, file: str, *pairs: tuple[str, str]) -> Iterator[Case]:
        """A file that nothing but mode=check reads, of the first cell of each pair; the second has the other."""
        for name, other in pairs:
            path = self.cells[name] / file
            commands = [[*SWEEP, "mode=report"], CHECK, SWEEP]
            yield Case(path, self.cells[other] / file, commands, [str(path), self.cells[name].name])

    def _data(self, what: str) -> Iterator[Case]:
        for split, other in (("train", "test"), ("test", "train")):
            path, others = DATA / f"{split}_{what}.npy", DATA / f"{other}_{what}.npy"
            yield Case(path, others, [SWEEP, MORE], [str(DATA), "arrays of digits"])
            alone = [folder for name, folder in self.cells.items() if name != "greedy"]
            yield Case(path, others, [MORE], [str(DATA), "arrays of digits"], alone, alone=True)

    def _checkpoint(self) -> Case:
        path, own = self.unfinished["greedy"], [*UNFINISHED, "masker=greedy"]
        return Case(path, self.unfinished["sparsify"], [own, own, CHECK], [str(path)])

    def _sourced(self) -> Case:
        commands = [[*ELSEWHERE, f"mode={mode}"] for mode in ("plan", "report", "check", "run")]
        return Case(RECORDS, RECORDS, commands, [str(RECORDS)])


def _made(outcome: Outcome) -> None:
    if outcome.code != 0:
        raise RuntimeError(f"the sweep could not be made:\n{outcome.out}{outcome.err}")
