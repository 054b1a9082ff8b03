"""Signals end what is under way in order, once; a second one ends it at once."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from pruneexp.system.signals import NUMBERS, SAME, Stopped, check, heeded, shielded
from tests.command import environment


def send(number: int = signal.SIGTERM) -> None:
    os.kill(os.getpid(), number)


@pytest.fixture(autouse=True)
def _handlers_are_brought_back() -> None:
    assert [signal.getsignal(number) for number in NUMBERS] == [signal.SIG_DFL, signal.default_int_handler]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_unwinds_the_block(number: signal.Signals, code: int) -> None:
    unwound = []

    @heeded()
    def block() -> None:
        try:
            send(number)
            unwound.append("never")
        finally:
            unwound.append("finally")

    with pytest.raises(Stopped) as stopped:
        block()
    assert unwound == ["finally"]
    assert (stopped.value.number, stopped.value.code, str(stopped.value)) == (number, code, number.name)
    check()  # it is over


def test_no_handler_of_exceptions_holds_it_up() -> None:
    with pytest.raises(Stopped), heeded(), contextlib.suppress(Exception):
        send()
    assert not issubclass(Stopped, Exception)


def test_one_block_after_another() -> None:
    for number in (*NUMBERS, *NUMBERS):
        with pytest.raises(Stopped) as stopped, heeded():
            send(number)
        assert stopped.value.number == number
    with heeded():
        check()


def test_handlers_are_brought_back_as_they_were() -> None:
    heard: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, frame: heard.append(number))
    try:
        with heeded():
            pass
        send()
        with pytest.raises(Stopped), heeded():
            send()
        send()
    finally:
        signal.signal(signal.SIGTERM, before)
    assert heard == [signal.SIGTERM] * 2


def test_a_signal_that_is_ignored_stays_ignored() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with heeded():
            send(signal.SIGINT)
            check()
            assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
        with pytest.raises(Stopped) as stopped, heeded():
            list(map(send, (signal.SIGINT, signal.SIGTERM)))
        assert stopped.value.number == signal.SIGTERM
    finally:
        signal.signal(signal.SIGINT, before)


def test_another_thread_changes_no_handlers() -> None:
    found: list[object] = []

    def inner() -> None:
        with heeded():
            found.extend(signal.getsignal(number) for number in NUMBERS)

    thread = threading.Thread(target=inner)
    thread.start()
    thread.join()
    assert found == [signal.SIG_DFL, signal.default_int_handler]


# shields


def test_a_shielded_block_ends_first() -> None:
    done = []

    @heeded()
    def block() -> None:
        with shielded():
            send()
            check()
            done.append("inside")
        done.append("never")

    with pytest.raises(Stopped):
        block()
    assert done == ["inside"]


def test_shields_within_shields_end_with_the_outermost() -> None:
    done = []

    @heeded()
    def block() -> None:
        with shielded():
            with shielded():
                send()
            done.append("outer")
            with shielded():
                done.append("another")
        done.append("never")

    with pytest.raises(Stopped):
        block()
    assert done == ["outer", "another"]


def test_a_shield_without_a_signal_does_nothing() -> None:
    with heeded(), shielded():
        check()
    with shielded():
        check()


def test_an_error_in_a_shielded_block_is_not_lost_and_the_signal_neither() -> None:
    @shielded()
    def block() -> None:
        send()
        raise ValueError("broken")

    with heeded():
        with pytest.raises(ValueError, match="broken"):
            block()
        with pytest.raises(Stopped):
            check()


def test_what_unwinds_may_be_shielded_to_its_end() -> None:
    done = []

    @heeded()
    def block() -> None:
        try:
            send()
        finally:
            with shielded():
                done.append("saved")
            done.append("and the rest")

    with pytest.raises(Stopped):
        block()
    assert done == ["saved", "and the rest"]


def test_what_was_lost_is_raised_again() -> None:
    with heeded():
        with contextlib.suppress(Stopped):
            send()
        with pytest.raises(Stopped):
            check()


# a second signal, in processes of their own


TWO = """
import os, signal, sys, time
from pruneexp.system.signals import Stopped, heeded

again, pause, second = sys.argv[1] == "True", float(sys.argv[2]), int(sys.argv[3])
try:
    with heeded(again=again):
        try:
            os.kill(os.getpid(), signal.SIGTERM)
        finally:
            time.sleep(pause)
            os.kill(os.getpid(), second)
            print("unwound", flush=True)
except Stopped as stopped:
    print(stopped, flush=True)
    sys.exit(stopped.code)
"""


@pytest.mark.parametrize(
    ("again", "pause", "second", "code", "out"),
    [
        (True, SAME + 0.1, signal.SIGTERM, 143, ""),
        (True, SAME + 0.1, signal.SIGINT, 130, ""),
        (True, 0.0, signal.SIGTERM, 143, "unwound\nSIGTERM\n"),
        (True, 0.0, signal.SIGINT, 143, "unwound\nSIGTERM\n"),
        (False, SAME + 0.1, signal.SIGTERM, 143, "unwound\nSIGTERM\n"),
    ],
)
def test_a_second_signal_ends_it_at_once(again: bool, pause: float, second: int, code: int, out: str) -> None:
    words = [sys.executable, "-c", TWO, str(again), str(pause), str(int(second))]
    done = subprocess.run(words, env=environment(), capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (code, out, "")


def test_a_second_signal_ends_a_shielded_block_too() -> None:
    script = (
        "import os, signal, time\n"
        "from pruneexp.system.signals import heeded, shielded\n"
        "with heeded(), shielded():\n"
        "    os.kill(os.getpid(), signal.SIGTERM)\n"
        "    print('goes on', flush=True)\n"
        f"    time.sleep({SAME + 0.1})\n"
        "    os.kill(os.getpid(), signal.SIGTERM)\n"
        "    print('never', flush=True)\n"
    )
    start = time.monotonic()
    words = [sys.executable, "-c", script]
    done = subprocess.run(words, env=environment(), capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout) == (143, "goes on\n")
    assert time.monotonic() - start < 60
