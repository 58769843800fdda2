"""The one harness of all targets: load, first inference, warm-up until steady, then a distribution.

Three figures are kept apart, because a warm mean hides the cold start: `load_ms`, `first_ms` and the steady percentiles. Raw
samples are kept, so that anyone can compute another statistic.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable

from edgekit.latency.memory import peak_memory_bytes
from edgekit.latency.noise import Watch, find_doubts
from edgekit.latency.plan import LatencyPlan
from edgekit.latency.record import Latency
from edgekit.latency.sustained import sustain
from edgekit.machine import affinity, describe_machine

WINDOW = 10
WINDOW_SECONDS = 0.02  # ten inferences of a small model are over before a core has changed its clock
SMALL_WINDOW = 3  # of a model so slow that no ten are done in half of the time for warm-up
STEADY = 0.03
MIN_SAMPLES = 20
MAX_WINDOW = 10_000


def measure(load: Callable[[], Callable[[], object]], *, num_threads: int, plan: LatencyPlan | None = None) -> Latency:
    """Load, warm up and time.

    Args:
        load: makes the artifact ready and returns the function that infers once.
        num_threads: stated in the result; the runtime was told already.
        plan: how long to look.
    """
    plan = plan or LatencyPlan()
    before_bytes, load_average, watch = peak_memory_bytes(), os.getloadavg()[0], Watch()
    start = time.perf_counter_ns()
    infer = load()
    load_ns = time.perf_counter_ns() - start
    first_ns = _time(infer)
    warmup_runs, steady = warm_up(infer, plan.max_warmup_seconds)
    samples = sample(infer, plan.iterations, plan.max_seconds)
    after_bytes = peak_memory_bytes()
    activity = watch.end()
    doubts = (*find_doubts(samples), *(activity.doubts if activity else ()))
    if steady is None:
        doubts = (f"not known to be steady: {plan.max_warmup_seconds:g} s of warm-up are too short to tell", *doubts)
    elif not steady:
        doubts = (f"not steady after {plan.max_warmup_seconds:g} s of warm-up", *doubts)
    cuts = statistics.quantiles(samples, n=100, method="inclusive")
    return Latency(
        load_ms=load_ns / 1e6,
        first_ms=first_ns / 1e6,
        warmup_runs=warmup_runs,
        p50_ms=cuts[49] / 1e6,
        p90_ms=cuts[89] / 1e6,
        p95_ms=cuts[94] / 1e6,
        p99_ms=cuts[98] / 1e6,
        mean_ms=statistics.fmean(samples) / 1e6,
        std_ms=statistics.stdev(samples) / 1e6,
        min_ms=min(samples) / 1e6,
        num_threads=num_threads,
        peak_memory_bytes=after_bytes,
        model_memory_bytes=max(0, after_bytes - before_bytes),  # the kernel counts per thread, and may be off by some pages
        load_average=load_average,
        doubts=doubts,
        samples_ns=tuple(samples),
        machine=describe_machine(),
        affinity=tuple(sorted(affinity())),
        other_cores=activity.other_cores if activity else None,
        sustained=sustain(infer, plan.sustain_seconds) if plan.sustain_seconds else None,
    )


def warm_up(infer: Callable[[], object], max_seconds: float) -> tuple[int, bool | None]:
    """Run in windows until the median of one is within 3 % of that of the one before.

    A window is ten inferences, or 20 ms if that is longer, or as many as half of the time holds if these are fewer: three at
    least, for a median.

    Returns:
        How many inferences that took, and whether it came to that within `max_seconds`; None where there were no two windows.
    """
    deadline = time.perf_counter() + max_seconds
    runs, steady, previous = 0, None, 0.0
    while not steady and time.perf_counter() < deadline:
        end = time.perf_counter() + WINDOW_SECONDS
        window = sample(infer, WINDOW, max_seconds / 2, SMALL_WINDOW)
        window += sample(infer, MAX_WINDOW, end - time.perf_counter(), 0)
        runs, median = runs + len(window), statistics.median(window)
        steady = abs(median / previous - 1) < STEADY if previous else None
        previous = median
    return runs, steady


def sample(infer: Callable[[], object], iterations: int, max_seconds: float, at_least: int = MIN_SAMPLES) -> list[int]:
    """Time single inferences, so many or for so long, but never fewer than `at_least`. Returns nanoseconds."""
    deadline = time.perf_counter() + max_seconds
    samples: list[int] = []
    while len(samples) < iterations and (time.perf_counter() < deadline or len(samples) < at_least):
        samples.append(_time(infer))
    return samples


def _time(infer: Callable[[], object]) -> int:
    start = time.perf_counter_ns()
    infer()
    return time.perf_counter_ns() - start
