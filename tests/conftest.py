"""What holds for all tests, and the data that some of them share."""

import gc
import os
import signal
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

import pruneexp  # noqa: F401  (before a test imports lightning)
from pruneexp.system.collecting import paused

# numba takes all processors, whatever OMP_NUM_THREADS says, and has torch take them too from its first call on
os.environ.setdefault("NUMBA_NUM_THREADS", os.environ.get("OMP_NUM_THREADS", "1"))

# where a shell has started the tests in the background SIGINT is ignored, and Ctrl-C is tested too
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """What is imported for the tests stays: the collector, which would go through it time after time, leaves it alone and comes less
    often."""
    with paused():
        collected = yield
    gc.freeze()
    gc.set_threshold(5_000, 10, 20)
    return collected


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """No W&B key anywhere, and nothing of W&B's outside `tmp_path`."""
    from tests.wandb_runs import take_offline

    take_offline(monkeypatch, tmp_path)
    yield
    monkeypatch.delenv("WANDB_SERVICE", raising=False)


@pytest.fixture
def svg_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Figures are drawn, and written as SVG, where nobody looks at them as PNG and PDF."""
    from pruneexp.reports.figures import drawing

    monkeypatch.setattr(drawing, "METADATA", {"svg": drawing.METADATA["svg"]})


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data_dir that has the digits."""
    from pruneexp.sweep import expand

    folder = tmp_path_factory.mktemp("data")
    expand(["seed=0", "masker=greedy", f"data_dir={folder}"]).jobs[0].setting.dataset()
    return folder


@pytest.fixture(scope="session")
def local(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What ``launcher=local`` leaves of the sweep that every launcher is given."""
    from tests.command import LAUNCHED, in_fork

    folder = tmp_path_factory.mktemp("local")
    done = in_fork(folder, *LAUNCHED)
    assert done.code == 0, done.err
    assert done.out.count(": accuracy") == 3
    return folder
