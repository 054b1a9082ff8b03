"""How a run is timed, with clocks that are set by hand."""

import pytest
import torch

from pruneexp.measuring import latency
from pruneexp.measuring.latency import _median, on_cpu, on_cuda


def test_on_a_cpu_it_is_the_time_from_before_to_after(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [5.0]
    monkeypatch.setattr("time.perf_counter", lambda: now[0])

    def run() -> None:
        now[0] += 0.25

    assert on_cpu(run) == 250


def test_on_a_gpu_it_is_its_own_time_between_two_events_and_waited_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []

    class Event:
        """Knows the milliseconds at which the GPU passes it, once it is waited for."""

        def __init__(self, enable_timing: bool) -> None:
            assert enable_timing
            self.passed = False

        def record(self) -> None:
            self.at = 10.0 * len(done)
            done.append("event")

        def synchronize(self) -> None:
            self.passed = True
            done.append("wait")

        def elapsed_time(self, end: "Event") -> float:
            assert end.passed
            return end.at - self.at

    monkeypatch.setattr(torch.cuda, "Event", Event)
    assert on_cuda(lambda: done.append("run")) == 20
    assert done == ["event", "run", "event", "wait"]


@pytest.mark.parametrize(
    ("seconds", "runs"),
    [(0.2, 10), (0.0625, 10), (0.03125, 16)],
    ids=["slow", "ten in more than half a second", "fast"],
)
def test_the_median_is_of_ten_runs_or_half_a_second_after_three_to_warm_up(
    seconds: float, runs: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [0.0]
    measured: list[float] = []
    monkeypatch.setattr("time.perf_counter", lambda: now[0])

    def milliseconds(run: latency.Run) -> float:
        now[0] += seconds
        measured.append(1000.0 if len(measured) < 3 else float(len(measured)))
        return measured[-1]

    median = _median(lambda: None, milliseconds)
    assert len(measured) == 3 + runs
    assert median == sum(measured[3:]) / runs  # of consecutive numbers


def test_a_gpu_whose_clock_stands_still_ends_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(latency, "LEAST_SECONDS", 0.01)
    assert _median(lambda: None, lambda run: 0.0) == 0
