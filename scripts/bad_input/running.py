"""A bad command line run in a forked process, and what the program made of it."""

import os
import resource
import signal
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from scripts.bad_input.lines import Line
from scripts.corruptions_of.commands import Outcome, forked
from scripts.wrong_values import BASE

SECONDS = 10  # of a processor that a line may take that is to be refused
TRAINED = 30  # and one that is right to be taken: it imports everything, makes cells and reports them
WALL = 40.0  # of the clock, on a machine that has other things to do
MEMORY = 6 * 2**30  # bytes of addresses beside those that are taken already
EXPLAINED = ("accepted", "wrote", "program", "silent")  # right where a line says why
WRONG = ("traceback", "hang", "crash", "left", "vague")
KINDS = ("sentence", "failed", *EXPLAINED, *WRONG)
TOLD = (2, 130, 141)  # a mistake; interrupted; nobody reads what is said
QUIET = (" ", "libgomp: ")  # of libraries, which say it before Python starts
NOWHERE = "http://127.0.0.1:9"  # nothing is downloaded


@dataclass(frozen=True)
class Verdict:
    """What became of a line.

    Attributes:
        kind: sentence: exit code 2, one sentence, nothing written. failed: the cells could not be made, said in a sentence, what a sweep
            notes of that aside. accepted. program: so ended a cell in which a user's function raised: its traceback, once, and a sentence.
            wrote: refused, and files are there. silent: refused, and nothing was said. And what is wrong: traceback; hang: longer than
            `SECONDS` (or `TRAINED`), or twice than `WALL`; crash: ended by a signal; left: processes are there; vague: no sentence, or
            several.
        said: on the terminal; of an accepted line what is on its last line.
    """

    kind: str
    said: str

    def fault(self, line: Line) -> bool:
        """Whether it should be otherwise."""
        return self.kind in (EXPLAINED if not line.accepted else ()) or self.kind in WRONG


def verdict(line: Line, data: Path) -> Verdict:
    """What becomes of a line; `data` has the digits. One that hangs is run again with more time: the machine may have been busy."""
    found = _once(line, data, WALL)
    return _once(line, data, 3 * WALL) if found.kind == "hang" else found


def _once(line: Line, data: Path, wall: float) -> Verdict:
    """Run it in an empty folder."""
    with tempfile.TemporaryDirectory() as name:
        outer, here = Path(name), Path(name) / "here"
        here.mkdir()
        if line.before is not None:
            line.before(here)
        there = {path for path in here.rglob("*") if "__pycache__" not in path.parts}
        done = forked(outer, command(line, here, data), wall, lambda: _enter(line, here))
        number = outer / "pid"
        left = _end_others(int(number.read_text(encoding="ascii"))) if number.exists() else 0
        new = [
            path
            for path in here.rglob("*")
            if path not in there and "__pycache__" not in path.parts and path.suffix != ".pyc"
        ]
        return _judged(done, sorted(str(path.relative_to(here)) for path in new), left)


def command(line: Line, here: Path, data: Path) -> list[str]:
    """The line's words, after the smallest other settings where it chooses no experiment, which has its own."""
    words = [word.replace("{here}", str(here)) for word in line.words]
    if not line.smallest:
        return words
    given = {word.lstrip("+~").partition("=")[0].partition("@")[0] for word in words}
    base = {"data_dir": str(data)} | ({} if given & {"experiment", "from"} else BASE)
    return [*(f"{name}={value}" for name, value in base.items() if name not in given), *words]


def _enter(line: Line, here: Path) -> None:
    """What the forked process does first."""
    (here.parent / "pid").write_text(str(os.getpid()), encoding="ascii")
    os.chdir(here)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    taken = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (taken + MEMORY,) * 2)
    resource.setrlimit(resource.RLIMIT_CPU, (TRAINED if line.accepted else SECONDS,) * 2)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    root = str(Path(__file__).resolve().parents[2])
    env = {"http_proxy": NOWHERE, "https_proxy": NOWHERE, "HTTPS_PROXY": NOWHERE, "PYTHONPATH": root}
    env |= {name: value.replace("{here}", str(here)) for name, value in line.env.items()}
    sys.path[:0] = [folder for folder in env["PYTHONPATH"].split(os.pathsep) if folder != root]
    os.environ.update(env, PYTHONPATH=os.pathsep.join(dict.fromkeys([*env["PYTHONPATH"].split(os.pathsep), root])))
    if line.program is not None:
        line.program()
        sys.exit(0)


def _end_others(session: int) -> int:
    """End the processes that a line has left in its session; how many there were."""
    found, end = 0, time.monotonic() + 3
    while time.monotonic() < end and _of_session(session):  # what multiprocessing has started ends by itself
        time.sleep(0.05)
    for process in _of_session(session):
        os.kill(process, signal.SIGKILL)
        found += 1
    return found


def _of_session(session: int) -> list[int]:
    """The processes of a session that have not ended."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, _, its = stat.read_text(encoding="utf-8", errors="replace").rpartition(") ")[2].split()[:4]
        except OSError:
            continue
        if int(its) == session and state != "Z":
            found.append(int(stat.parent.name))
    return found


def _judged(done: Outcome, new: list[str], left: int) -> Verdict:
    said = f"{done.out}\n{done.err}".strip()
    lines = [line for line in done.err.splitlines() if line and "Warning: " not in line and not line.startswith(QUIET)]
    sentences = [line for line in lines if line.startswith("pruneexp: ") and len(line) < 2000]
    end = "\n".join(said.splitlines()[-12:])
    if done.code is None or -done.code in (signal.SIGXCPU, signal.SIGKILL):
        return Verdict("hang", end)
    if done.code < 0:
        return Verdict("crash", f"signal {-done.code}: {end}")
    if done.code == 1 and "Traceback (most" in said and "could not be made: " in done.err:
        return Verdict("program", done.err.splitlines()[-1])
    if "Traceback (most recent call last)" in said or done.code not in (0, 1, *TOLD):
        return Verdict("traceback", end)
    if left:
        return Verdict("left", f"{left} processes; {end}")
    if done.code == 0:
        return Verdict("accepted", said[:5000])
    if "could not be made" in done.err and sentences:
        return Verdict("failed", done.err.strip())
    if done.code in TOLD and not new and not said:
        return Verdict("silent", "")
    if len(lines) != 1 or len(sentences) != 1 or done.code not in TOLD:
        return Verdict("vague", f"exit {done.code}: {end}")
    return Verdict("wrote", f"{', '.join(new[:5])}: {end}") if new else Verdict("sentence", lines[0])
