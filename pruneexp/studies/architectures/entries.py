"""One entry of the table for each architecture and question, asked in a process that may be killed."""

import contextlib
import json
import math
import multiprocessing
import os
import resource
import signal
import threading
import time
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from multiprocessing.connection import Connection
from pathlib import Path

import torch
from pydantic import TypeAdapter

from pruneexp.errors import UserError, first_line
from pruneexp.studies import reading
from pruneexp.studies.architectures.listed import Architecture
from pruneexp.studies.architectures.questions import QUESTIONS, Question
from pruneexp.system import files

YES, REFUSED, TOO_LARGE, RAW = "yes", "refused", "too large", "raw"
TOO_SLOW, TOO_MUCH = "it takes more than {:g} s.", "it takes more memory than there is."
SPENT = (
    "can't allocate memory",
    "std::bad_alloc",
    "Cannot allocate memory",
)  # what libraries say instead of MemoryError


@dataclass(frozen=True)
class Limits:
    """Of one entry: seconds of one core, bytes of memory; and on the clock so many times its seconds, lest it wait for ever."""

    seconds: float = 90
    memory: int = 8 * 10**9
    patience: float = 10


@dataclass(frozen=True)
class Entry:
    """What a question found: `answer` is yes, refused, too large or raw, and `sentence` says why."""

    architecture: str
    question: str
    answer: str
    sentence: str = ""
    seconds: float = 0.0
    parameters: int = 0


ENTRY = TypeAdapter(Entry)


def entries_of(architecture: Architecture, path: Path, limits: Limits) -> Iterator[Entry]:
    """An entry for each question, as they come.

    What is found is kept in `path`, a line of JSON for each entry, and not asked again; but for what ended raw, which may have been an
    interrupt, a full disk or a missing package.

    Raises:
        OSError: `path` cannot be written.
        UserError: it is there and damaged.
    """
    known: dict[str, Entry] = {}
    if reading.there(path):
        with reading.told(path):
            known = {entry.question: entry for entry in map(ENTRY.validate_python, reading.lines(path))}
    yield from known.values()
    missing = [question for question in QUESTIONS if question not in known]
    while missing:
        for entry in _asked(architecture, tuple(missing), limits):
            missing.remove(entry.question)
            if entry.answer != RAW:
                known[entry.question] = entry
                files.write(path, "".join(json.dumps(asdict(each)) + "\n" for each in known.values()))
            yield entry


def _asked(architecture: Architecture, questions: Sequence[str], limits: Limits) -> Iterator[Entry]:
    """Entries of one process, the last of them that at which it was killed or died."""
    context = multiprocessing.get_context("spawn")
    heard, told = context.Pipe(duplex=False)
    process = context.Process(target=_answer, args=(architecture, questions, limits, told), daemon=True)
    process.start()
    told.close()
    try:
        with contextlib.suppress(EOFError):  # who died before is told below
            heard.recv()  # that it has started: what it imports counts for no question
        for question in questions:
            unanswered = Entry(architecture.name, question, TOO_LARGE, TOO_SLOW.format(limits.seconds), limits.seconds)
            if not heard.poll(limits.patience * limits.seconds):
                yield unanswered
                return
            try:
                yield heard.recv()
            except EOFError:
                yield _died(unanswered, process)
                return
    finally:
        process.kill()
        process.join()


def _died(entry: Entry, process: multiprocessing.process.BaseProcess) -> Entry:
    process.join()
    if process.exitcode == -signal.SIGXCPU:
        return entry
    if process.exitcode == -signal.SIGKILL:  # the system's, when its memory is spent
        return replace(entry, sentence=TOO_MUCH, seconds=0.0)
    return replace(entry, answer=RAW, sentence=f"the process ended with exit code {process.exitcode}", seconds=0.0)


def _answer(architecture: Architecture, questions: Sequence[str], limits: Limits, told: Connection) -> None:
    """The process: answers one question after another, each of a network made anew; it ends when nobody hears it any more."""
    threading.Thread(target=_follow, daemon=True).start()
    resource.setrlimit(resource.RLIMIT_DATA, (limits.memory, limits.memory))
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    told.send(None)
    for name in questions:
        end = math.ceil(time.process_time() + limits.seconds)
        resource.setrlimit(resource.RLIMIT_CPU, (end, resource.getrlimit(resource.RLIMIT_CPU)[1]))
        told.send(answered(architecture, name, QUESTIONS[name]))


def _follow() -> None:
    """End this process, busy or not, with the one that has started it."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def answered(architecture: Architecture, name: str, question: Question) -> Entry:
    """The entry of one question, whatever it raises."""
    entry, begin = Entry(architecture.name, name, YES), time.process_time()
    try:
        network = architecture.network()
        entry = replace(entry, parameters=sum(parameter.numel() for parameter in network.parameters()))
        question(network, architecture.images())
    except Exception as error:
        if _memory_spent(error):
            entry = replace(entry, answer=TOO_LARGE, sentence=TOO_MUCH)
        elif isinstance(error, UserError):
            entry = replace(entry, answer=REFUSED, sentence=str(error))
        else:
            entry = replace(entry, answer=RAW, sentence=f"{type(error).__name__}: {first_line(error)}")
    return replace(entry, seconds=time.process_time() - begin)


def _memory_spent(error: BaseException | None) -> bool:
    """Whether memory was what the error, or one that led to it, was about."""
    while error is not None:
        if isinstance(error, MemoryError) or any(words in str(error) for words in SPENT):
            return True
        error = error.__cause__ or error.__context__
    return False
