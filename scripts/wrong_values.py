"""Every option there is with wrong values: each must be refused in one sentence, before anything is made, or mean something.

    python -m scripts.wrong_values [--match TEXT] [--runs 150]

Nothing is listed here but the values: the options are those of `pruneexp.cell.Options` and `Logger`, of every component that a
file of conf/ configures (those inside others too), `name`, `_target_` and `_partial_` of each, and the groups themselves. Each
value is typed as on the command line, composed and checked in this process with the smallest other settings: refused in a
sentence, refused in a poor one (several lines, or the option is not named), a traceback, or accepted. Then as many as `--runs`
of them, half accepted and half refused, run as commands of their own: what is refused exits with 2, says one line and leaves no
file; what is accepted ends well or in a sentence. Writes results/benchmarks/wrong_values.md, where each accepted value stands
beside the words that allow it.
"""

import argparse
import gc
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from pruneexp.cell import CHOICES, FIELDS, OTHERS, SEVERAL, Logger, Options, hint
from pruneexp.components.component import Component, configured, locate, told_in_tables
from pruneexp.components.options import options_of
from pruneexp.components.values import Label, allowed
from pruneexp.errors import UserError
from pruneexp.records.provenance import git_commit
from pruneexp.sweep import expand
from pruneexp.system import files
from pruneexp.system.shipped import conf_dir

ROOT = Path(__file__).resolve().parent.parent
OUT = ROOT / "results" / "benchmarks" / "wrong_values.md"
HUGE = "1" + "0" * 30
VALUES = {  # as told to a reader: as typed
    "null": "null", "true": "true", "false": "false", "text": "text", "empty text": "''", "[]": "[]", "[1]": "[1]",
    "{}": "{}", "{a: 1}": "{a: 1}",
    "-1": "-1", "0": "0", "0.5": "0.5", "1.5": "1.5", "nan": "nan", "inf": "inf", "-inf": "-inf", "1e400": "1e400",
    "10**9": "1000000000", "10**30": HUGE, "-10**30": f"-{HUGE}", "'1'": "'1'", "[text]": "[text]", "[true, null]": "[true,null]",
    "[[1]]": "[[1]]", "[10**30]": f"[{HUGE}]", "[{a: 1}]": "[{a: 1}]", "10000 letters": "x" * 10_000, "two lines": "'a\nb'", "a/b": "'a/b'",
    "..": "'..'", "é漢": "'é漢'", "bytes that are no UTF-8": "'\udcff'", "???": "'???'", "${nothing}": "'${nothing}'",
}  # fmt: skip
BASE = {  # the smallest other settings
    "seed": "0", "dataset": "digits", "masker": "greedy", "recipe": "smoke", "launcher": "local", "logger": "none",
    "densities": "[0.5]",
    "recipe.train_images": "64", "recipe.test_images": "32", "figure": "[]",
}  # fmt: skip


@dataclass(frozen=True)
class Place:
    """Where a value is given.

    Attributes:
        option: its name on the command line.
        words: what is allowed there.
        chosen: the file of conf/ that has it, as "group=file"; nothing where every command line has it.
    """

    option: str
    words: str
    chosen: str = ""

    @property
    def group(self) -> str:
        group = self.option.partition(".")[0]
        return group if group in (*CHOICES, *OTHERS, *SEVERAL) else "options"

    def command(self, value: str, **others: str) -> list[str]:
        """The command line that gives it a value of `VALUES`, beside other settings."""
        settings = {k: v for k, v in (BASE | others).items() if k not in (self.option, self.chosen.partition("=")[0])}
        chosen = [self.chosen] if self.chosen else []
        return [*chosen, *(f"{k}={v}" for k, v in settings.items()), f"{self.option}={VALUES[value]}"]


def places() -> Iterator[Place]:
    """Every option there is, each once."""
    for name in FIELDS:
        yield Place(name, allowed(hint(Options, name)))
    for group in (*CHOICES, *OTHERS):
        paths = sorted((conf_dir() / group).glob("*.yaml"), key=lambda path: (path.stem != BASE.get(group), path.stem))
        yield Place(group, f"a file of conf/{group}")
        found: dict[str, Place] = {}
        for path in paths:
            for key, place in _inside(group, group, path):
                found.setdefault(key, place)
        yield from found.values()
    for group in SEVERAL:
        yield Place(group, f"names of files of conf/{group}")
        for path in sorted((conf_dir() / group).glob("*.yaml")):
            yield from (place for _, place in _inside(group, f"{group}.{path.stem}", path))


def _inside(group: str, where: str, path: Path) -> Iterator[tuple[str, Place]]:
    """The options that a file configures, each with what tells it from those of other files."""
    said: dict[str, Any] = OmegaConf.to_container(OmegaConf.load(path), resolve=True)  # type: ignore[assignment]
    node, chosen = said.get(group, said), f"{group}={path.stem}"
    if "_target_" not in node:
        for name in Logger.model_fields.keys() & node.keys() if group == "logger" else node:
            words = allowed(hint(Logger, name)) if group == "logger" else "local"
            yield f"{name} without _target_", Place(f"{where}.{name}", words, chosen)
        return
    if lacking := _lacking(group, node):
        target = locate(group, node["_target_"])
        for name in lacking:  # without it nothing else is looked at
            yield f"{target.__module__}.{target.__qualname__} {name}", Place(f"{where}.{name}", lacking[name], chosen)
        return
    yield from _of_component(where, configured(group, node), chosen)
    for told, what in told_in_tables(group).items():
        if told in node:
            yield told, Place(f"{where}.{told}", allowed(what), chosen)
    if group not in ("dataset", *SEVERAL):  # whose name is an option of its own, or stands in no file
        yield "name", Place(f"{where}.name", allowed(Label), chosen)


def _lacking(group: str, node: dict[str, Any]) -> dict[str, str]:
    """The options that a file leaves to whoever chooses it, and what is allowed there."""
    options = options_of(locate(group, node["_target_"]), group)
    return {name: allowed(one.hint) for name, one in options.items() if one.required and name not in node}


def _of_component(where: str, found: Component, chosen: str) -> Iterator[tuple[str, Place]]:
    kind, target = found.about.kind, f"{found.target.__module__}.{found.target.__qualname__}"
    yield f"{kind} _target_", Place(f"{where}._target_", f"the dotted name of a {kind}", chosen)
    yield f"{kind} _partial_", Place(f"{where}._partial_", "true or false", chosen)
    for name, option in options_of(found.target, kind).items():
        yield f"{target} {name}", Place(f"{where}.{name}", allowed(option.hint), chosen)
    for name, inner in found.options.items():
        if isinstance(inner, Component):
            yield from _of_component(f"{where}.{name}", inner, chosen)


def outcome(place: Place, value: str) -> tuple[str, str]:
    """What the command line makes of it: sentence, poor sentence, traceback or accepted; and what it says."""
    try:
        _ = expand(place.command(value)).slots
    except UserError as error:
        text = str(error)
        names = [
            place.option,
            place.option.rpartition(".")[2],
            place.option.removesuffix(".name"),
        ]  # logger=, not logger.name=
        named = any(name in text for name in names)
        return "sentence" if named and "\n" not in text and len(text) < 1500 else "poor sentence", text
    except Exception as error:
        return "traceback", f"{type(error).__name__}: {error}"
    return "accepted", ""


def run(place: Place, value: str, data: Path, seconds: float = 120) -> tuple[str, str]:
    """The same as a command of its own, in an empty folder: how it ended, and what is wrong with that, if anything."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        arguments = place.command(value, results_dir=str(folder / "runs"), data_dir=str(data))
        path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")]))
        away = "http://127.0.0.1:9"  # nothing is downloaded
        env = {**os.environ, "PYTHONPATH": path, "WANDB_MODE": "offline", "http_proxy": away, "https_proxy": away}
        command = [sys.executable, "-m", "pruneexp", *arguments]
        done = subprocess.Popen(
            command, cwd=folder, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True
        )
        try:
            said = done.communicate(timeout=seconds)[1].decode(errors="replace").strip()
        except subprocess.TimeoutExpired:
            os.killpg(done.pid, signal.SIGKILL)  # and what it has started
            done.communicate()
            return f"not ended after {seconds:g} s", ""
        left = any(folder.iterdir())
    ended = f"exit {done.returncode}"
    if "Traceback" in said or done.returncode not in (0, 1, 2):
        return ended, said.splitlines()[-1] if said else f"exit {done.returncode}"
    if done.returncode and said.count("\n"):
        return ended, f"several lines: {said[:300]}"
    return f"{ended}{', files left' if left and done.returncode == 2 else ''}", ""


def cell(text: str) -> str:
    """Text for a table in Markdown."""
    return ascii(text)[1:-1].replace("|", "\\|") if len(text) < 400 else cell(f"{text[:380]}...")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--match", default="", help="only options whose name contains this; nothing is written")
    parser.add_argument("--runs", type=int, default=150, help="how many commands")
    arguments = parser.parse_args()
    gc.freeze()  # torch's objects are many, and none of them goes
    begin, found = time.monotonic(), list[tuple[Place, str, str, str]]()
    for place in [place for place in places() if arguments.match in place.option]:
        for value in VALUES:
            kind, text = outcome(place, value)
            found.append((place, value, kind, text))
            if kind != "sentence":
                print(
                    f"{kind}: {place.chosen} {place.option}={value}: {ascii(text)[:300] if text else place.words}",
                    flush=True,
                )
    print(Counter(kind for *_, kind, _ in found), f"{time.monotonic() - begin:.0f} s", flush=True)

    draw, commands = random.Random(0), list[tuple[Place, str, str, str, str]]()
    with tempfile.TemporaryDirectory() as data:
        for kinds in (("accepted",), ("sentence", "poor sentence")):
            some = [one for one in found if one[2] in kinds]
            for place, value, kind, _ in draw.sample(some, min(arguments.runs // 2, len(some))):
                ended, wrong = run(place, value, Path(data))
                wrong = wrong or (f"{ended}, and refused before" if kind != "accepted" and ended != "exit 2" else "")
                commands.append((place, value, kind.rpartition(" ")[2], ended, wrong))
                print(f"{kind}, {ended}: {place.chosen} {place.option}={value}: {wrong or 'right'}", flush=True)
    if not arguments.match:
        files.write(OUT, report(found, commands, f"python -m scripts.wrong_values --runs {arguments.runs}"))


def report(
    found: list[tuple[Place, str, str, str]], commands: list[tuple[Place, str, str, str, str]], command: str
) -> str:
    """The walk as Markdown."""
    kinds = ("sentence", "poor sentence", "traceback", "accepted")
    count = Counter((place.group, kind) for place, _, kind, _ in found)
    lines = [f"<!-- made by: {command}; commit {git_commit()} -->", f"Every option with {len(VALUES)} values:", ""]
    lines += ["| group | options | " + " | ".join(kinds) + " |", "|" + "---|" * (len(kinds) + 2)]
    for group in dict.fromkeys(place.group for place, *_ in found):
        options = len({place for place, *_ in found if place.group == group})
        lines.append(f"| {group} | {options} | " + " | ".join(str(count[group, kind]) for kind in kinds) + " |")
    sums = [str(sum(kind == one for *_, one, _ in found)) for kind in kinds]
    lines += [f"| all | {len({place for place, *_ in found})} | {' | '.join(sums)} |", ""]
    for kind in kinds[1:3]:
        some = [f"- `{p.chosen} {p.option}`={value}: {cell(text)}" for p, value, one, text in found if one == kind]
        lines += [f"{kind.capitalize()}:", "", *some, ""] if some else []
    ends = Counter((kind, ended, "wrong" if wrong else "right") for _, _, kind, ended, wrong in commands)
    lines += ["Commands of their own, drawn from these:", "", "| refused or accepted here | ended | | commands |"]
    lines += ["|---|---|---|---|", *(f"| {' | '.join(end)} | {number} |" for end, number in sorted(ends.items())), ""]
    lines += [f"- `{p.chosen} {p.option}`={value}: {cell(wrong)}" for p, value, _, _, wrong in commands if wrong]
    lines += ["", "What is accepted, and why:", "", "| option | values | it must be |", "|---|---|---|"]
    accepted: dict[Place, list[str]] = {}
    for place, value, kind, _ in found:
        if kind == "accepted":
            accepted.setdefault(place, []).append(value)
    for place, values in accepted.items():
        name = f"{place.option} ({place.chosen})" if place.chosen else place.option
        lines.append(f"| {name} | {cell(', '.join(values))} | {cell(place.words)} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
