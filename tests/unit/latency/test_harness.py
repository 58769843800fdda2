"""Latency against a clock that the test moves: no figure here depends on the machine."""

from __future__ import annotations

import statistics
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from types import SimpleNamespace

import numpy as np
import pytest

from edgekit.errors import UsageError
from edgekit.latency import Latency, LatencyPlan, harness, measure
from edgekit.latency.memory import peak_memory_bytes
from edgekit.latency.noise import Activity
from edgekit.machine import available_cores

MILLISECOND = 1_000_000
PATIENT = LatencyPlan(iterations=100, max_seconds=1000, max_warmup_seconds=1000)


class Clock:
    """Stands still but for what the model under test takes."""

    def __init__(self) -> None:
        self.now_ns = 0

    def pass_time(self, milliseconds: float) -> None:
        self.now_ns += round(milliseconds * MILLISECOND)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    fake = SimpleNamespace(perf_counter_ns=lambda: clock.now_ns, perf_counter=lambda: clock.now_ns / 1e9)
    monkeypatch.setattr(harness, "time", fake)
    monkeypatch.setattr(harness, "Watch", lambda: SimpleNamespace(end=lambda: Activity(0.0, 0.0, 2)))
    return clock


def model(clock: Clock, inferences_ms: Iterable[float], *, load_ms: float = 5.0) -> Callable[[], Callable[[], object]]:
    """A model that takes `load_ms` to load, and for each inference the next of `inferences_ms`."""
    times: Iterator[float] = iter(inferences_ms)

    def load() -> Callable[[], object]:
        clock.pass_time(load_ms)
        return lambda: clock.pass_time(next(times))

    return load


def constant(milliseconds: float) -> Iterator[float]:
    while True:
        yield milliseconds


def steady_then(samples_ms: list[float]) -> list[float]:
    """First inference, two equal windows of warm-up, then the samples."""
    return [50.0, *[2.0] * 20, *samples_ms]


def run(clock: Clock, inferences_ms: Iterable[float], plan: LatencyPlan = PATIENT) -> Latency:
    return measure(model(clock, inferences_ms), num_threads=3, plan=plan)


def test_load_first_and_steady_times_are_kept_apart(clock: Clock) -> None:
    result = run(clock, steady_then([2.0] * 100))
    assert (result.load_ms, result.first_ms, result.p50_ms, result.min_ms) == (5.0, 50.0, 2.0, 2.0)
    assert result.num_threads == 3
    assert result.doubts == ()


def test_percentiles_are_those_of_numpy(clock: Clock) -> None:
    samples = np.random.default_rng(0).gamma(2.0, 3.0, 100).round(3).tolist()
    result = run(clock, steady_then(samples))
    assert list(result.samples_ns) == [round(value * MILLISECOND) for value in samples]
    for percent, value in ((50, result.p50_ms), (90, result.p90_ms), (95, result.p95_ms), (99, result.p99_ms)):
        assert value == pytest.approx(np.percentile(samples, percent)), percent
    assert result.mean_ms == pytest.approx(np.mean(samples))
    assert result.std_ms == pytest.approx(np.std(samples, ddof=1))
    assert result.min_ms == pytest.approx(min(samples))


def test_warm_up_ends_when_a_window_is_like_the_one_before(clock: Clock) -> None:
    falling = [9.0] * 10 + [5.0] * 10 + [3.0] * 10 + [2.95] * 10
    result = run(clock, [50.0, *falling, *[2.9] * 100])
    assert result.warmup_runs == 40
    assert set(result.samples_ns) == {2_900_000}, "no inference of the warm-up is among the samples"


def test_warm_up_looks_at_the_median_and_not_at_an_outlier(clock: Clock) -> None:
    assert run(clock, [50.0, *[2.0] * 10, *[2.0] * 9, 80.0, *[2.0] * 100]).warmup_runs == 20


def test_warm_up_that_never_ends_is_cut_off_and_doubted(clock: Clock) -> None:
    def restless() -> Iterator[float]:
        yield 50.0
        for window in range(1000):
            yield from [4.0 if window % 2 else 3.0] * 10

    result = run(clock, restless(), LatencyPlan(20, 1000, max_warmup_seconds=0.27))
    # windows of 30 ms and 40 ms in turn: after eight of them 280 ms are over
    assert result.warmup_runs == 80
    assert result.doubts[0] == "not steady after 0.27 s of warm-up"


def test_a_fast_model_is_warmed_up_for_longer_than_ten_inferences(clock: Clock) -> None:
    """Ten of a tenth of a millisecond are over before the core has changed its clock."""
    assert run(clock, constant(0.1)).warmup_runs == 2 * 200


@pytest.mark.parametrize(
    ("inference_s", "runs"),
    [(0.4, 2 * 7), (0.5, 2 * 5), (1.0, 2 * 3), (1.6, 2 * 3)],
)
def test_a_slow_model_is_warmed_up_in_smaller_windows(clock: Clock, inference_s: float, runs: int) -> None:
    result = run(clock, constant(1000 * inference_s), LatencyPlan(20, 1, max_warmup_seconds=5))
    assert (result.warmup_runs, result.doubts) == (runs, ())
    assert runs * inference_s < 2 * 5


def test_of_a_model_too_slow_for_two_windows_it_is_said_that_nobody_knows(clock: Clock) -> None:
    result = run(clock, constant(2000.0), LatencyPlan(20, 1, max_warmup_seconds=5))
    assert result.warmup_runs == 3
    assert result.doubts == ("not known to be steady: 5 s of warm-up are too short to tell",)


def test_sampling_ends_with_the_iterations(clock: Clock) -> None:
    assert len(run(clock, constant(2.0), LatencyPlan(37, 1000, 1000)).samples_ns) == 37


def test_sampling_ends_with_the_time(clock: Clock) -> None:
    assert len(run(clock, constant(2.0), LatencyPlan(1000, max_seconds=0.0999, max_warmup_seconds=1)).samples_ns) == 50


def test_a_slow_model_is_still_sampled_twenty_times(clock: Clock) -> None:
    assert len(run(clock, constant(5000.0), LatencyPlan(1000, max_seconds=1, max_warmup_seconds=1000)).samples_ns) == 20


def test_a_real_function_is_measured() -> None:
    calls = []
    result = measure(lambda: lambda: calls.append(1), num_threads=1, plan=LatencyPlan(25, 1.0, 1.0))
    assert len(calls) == 1 + result.warmup_runs + len(result.samples_ns)
    assert all(value >= 0 for value in result.samples_ns)
    assert result.p50_ms == pytest.approx(statistics.median(result.samples_ns) / 1e6)


def test_peak_memory_grows_with_what_is_allocated_and_starts_with_the_process() -> None:
    """In a process of its own: its peak is neither that of this one, nor reached before."""
    size = 96 * 2**20
    code = (
        "from edgekit.latency.memory import peak_memory_bytes as peak\n"
        f"before = peak(); block = b'x' * {size}; after = peak(); del block; print(before, after, peak())"
    )
    block = b"x" * size  # so that this process's own peak is above
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    before, after, freed = (int(number) for number in done.stdout.split())
    assert 0 < before < len(block)
    assert after - before > 0.9 * size
    assert freed > 0.99 * after, "a peak does not fall, but for what the kernel has not counted yet"
    assert peak_memory_bytes() > len(block)


def test_memory_of_the_model_is_what_came_with_it(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    peaks = iter([1000, 4500, 4500])
    monkeypatch.setattr(harness, "peak_memory_bytes", lambda: next(peaks))
    result = run(clock, constant(2.0))
    assert (result.peak_memory_bytes, result.model_memory_bytes) == (4500, 3500)


def test_the_cores_it_may_run_on_and_what_others_did_are_stated() -> None:
    result = measure(lambda: lambda: None, num_threads=1, plan=LatencyPlan(25, 1.0, 1.0))
    assert len(result.affinity) == available_cores()
    assert result.other_cores is not None
    assert result.other_cores >= 0


def test_a_busy_machine_is_a_doubt(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(harness, "Watch", lambda: SimpleNamespace(end=lambda: Activity(2.0, 0.0, 2)))
    assert "cores busy" in run(clock, constant(2.0)).doubts[0]


def test_a_sustained_run_follows_when_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[float] = []
    monkeypatch.setattr(harness, "sustain", lambda infer, seconds: asked.append(seconds))
    measure(lambda: lambda: None, num_threads=1, plan=LatencyPlan(25, 1.0, 1.0))
    measure(lambda: lambda: None, num_threads=1, plan=LatencyPlan(25, 1.0, 1.0, sustain_seconds=7))
    assert asked == [7]


@pytest.mark.parametrize(
    "plan", [{"iterations": 1}, {"max_seconds": 0}, {"max_warmup_seconds": float("inf")}, {"sustain_seconds": -1}]
)
def test_a_plan_that_makes_no_sense_is_refused(plan: dict[str, float]) -> None:
    with pytest.raises(UsageError):
        LatencyPlan(**plan)  # type: ignore[arg-type]  # one of each kind
