"""Latency against a clock that the test moves: no figure here depends on the machine."""

from __future__ import annotations

import statistics
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekit import latency
from edgekit.latency import Latency, LatencyPlan, find_doubts, measure, peak_memory_bytes

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
    monkeypatch.setattr(latency, "time", fake)
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
            yield from [2.0 if window % 2 else 3.0] * 10

    result = run(clock, restless(), LatencyPlan(20, 1000, max_warmup_seconds=0.2))
    # windows of 30 ms and 20 ms in turn: after eight of them 200 ms are over
    assert result.warmup_runs == 80
    assert result.doubts[0] == "not steady after 0.2 s of warm-up"


def test_sampling_ends_with_the_iterations(clock: Clock) -> None:
    assert len(run(clock, constant(2.0), LatencyPlan(37, 1000, 1000)).samples_ns) == 37


def test_sampling_ends_with_the_time(clock: Clock) -> None:
    assert len(run(clock, constant(2.0), LatencyPlan(1000, max_seconds=0.0999, max_warmup_seconds=1)).samples_ns) == 50


def test_a_slow_model_is_still_sampled_twenty_times(clock: Clock) -> None:
    assert len(run(clock, constant(5000.0), LatencyPlan(1000, max_seconds=1, max_warmup_seconds=1000)).samples_ns) == 20


def test_a_quiet_series_is_not_doubted() -> None:
    assert find_doubts([100, 101, 102, 103] * 10) == ()


def test_outliers_alone_are_no_doubt() -> None:
    """A few slow inferences show in p99; the median can still be trusted."""
    assert find_doubts([100] * 45 + [900] * 5 + [100] * 50) == ()


def test_a_noisy_series_is_doubted() -> None:
    assert find_doubts([100, 150] * 20) == ("the middle half of the samples spreads over 40% of the median",)


@pytest.mark.parametrize(("first", "second", "shown"), [(100, 130, "+30%"), (200, 150, "-25%")])
def test_a_drifting_series_is_doubted(first: int, second: int, shown: str) -> None:
    doubts = find_doubts([first] * 20 + [second] * 20)
    assert f"the second half of the samples is {shown} off the first" in doubts


@given(st.lists(st.integers(1000, 1100), min_size=20, max_size=60))
def test_samples_within_a_tenth_are_never_doubted(samples: list[int]) -> None:
    assert max(samples) / min(samples) <= 1.1
    assert find_doubts(samples) == ()


@given(st.lists(st.integers(1, 10**6), min_size=20, max_size=60), st.integers(2, 1000))
def test_doubts_do_not_depend_on_the_unit(samples: list[int], factor: int) -> None:
    assert len(find_doubts(samples)) == len(find_doubts([value * factor for value in samples]))


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
        "from edgekit.latency import peak_memory_bytes as peak\n"
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
    monkeypatch.setattr(latency, "peak_memory_bytes", lambda: next(peaks))
    result = run(clock, constant(2.0))
    assert (result.peak_memory_bytes, result.model_memory_bytes) == (4500, 3500)
