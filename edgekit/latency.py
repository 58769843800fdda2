"""How long an artifact takes: load, first inference, warm-up until steady, then a distribution. Standard library only.

Three figures are kept apart, because a warm mean hides the cold start: `load_ms`, `first_ms` and the steady percentiles. Raw
samples are kept, so that anyone can compute another statistic. The noise rule (interquartile range above 10 % of the median) is
that of torch.utils.benchmark.
"""

from __future__ import annotations

import math
import os
import resource
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from edgekit.errors import EdgekitError, UsageError
from edgekit.machine import Machine, describe_machine

WINDOW = 10
STEADY = 0.03
NOISY_SPREAD = 0.10
NOISY_DRIFT = 0.10
MIN_SAMPLES = 20


@dataclass(frozen=True, slots=True)
class LatencyPlan:
    """How to measure.

    Attributes:
        iterations: samples wanted.
        max_seconds: stop sampling after this long, with at least 20 samples.
        max_warmup_seconds: stop waiting for a steady state after this long, and say so.
    """

    iterations: int = 100
    max_seconds: float = 2.0
    max_warmup_seconds: float = 2.0

    def __post_init__(self) -> None:
        if not (0 < self.max_seconds < math.inf and 0 < self.max_warmup_seconds < math.inf and self.iterations > 1):
            raise UsageError("latency needs at least 2 iterations, and times greater than 0 and finite")


@dataclass(frozen=True, slots=True)
class Latency:
    """A distribution of single inferences at batch 1, and what it can be trusted for.

    Attributes:
        load_ms: reading the artifact from disk until it can run.
        first_ms: the first inference.
        warmup_runs: inferences before the runtime was steady.
        p50_ms: median, and so on. Percentiles are interpolated linearly between samples.
        num_threads: of the runtime.
        peak_memory_bytes: largest resident set of the whole process.
        model_memory_bytes: how much of it came with loading and running the model.
        load_average: of the machine, over the minute before.
        doubts: why the figures are too noisy to trust; empty when they can be.
        samples_ns: every steady inference in order.
        machine: where it was measured; None in files of earlier versions.
    """

    load_ms: float
    first_ms: float
    warmup_runs: int
    p50_ms: float
    p90_ms: float
    p95_ms: float
    p99_ms: float
    mean_ms: float
    std_ms: float
    min_ms: float
    num_threads: int
    peak_memory_bytes: int
    model_memory_bytes: int
    load_average: float
    doubts: tuple[str, ...]
    samples_ns: tuple[int, ...]
    machine: Machine | None = None


def measure(load: Callable[[], Callable[[], object]], *, num_threads: int, plan: LatencyPlan | None = None) -> Latency:
    """Load, warm up and time.

    Args:
        load: makes the artifact ready and returns the function that infers once.
        num_threads: stated in the result; the runtime was told already.
        plan: how long to look.
    """
    plan = plan or LatencyPlan()
    before_bytes, load_average = peak_memory_bytes(), os.getloadavg()[0]
    start = time.perf_counter_ns()
    infer = load()
    load_ns = time.perf_counter_ns() - start
    first_ns = _time(infer)
    warmup_runs, steady = _warm_up(infer, plan)
    samples = _sample(infer, plan)
    doubts = find_doubts(samples)
    after_bytes = peak_memory_bytes()
    if not steady:
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
    )


def find_doubts(samples_ns: list[int]) -> tuple[str, ...]:
    """Say why a series of steady samples cannot be trusted; nothing when it can."""
    low, median, high = statistics.quantiles(samples_ns, n=4, method="inclusive")
    doubts = []
    if (high - low) / median > NOISY_SPREAD:
        doubts.append(f"the middle half of the samples spreads over {(high - low) / median:.0%} of the median")
    half = len(samples_ns) // 2
    drift = statistics.median(samples_ns[half:]) / statistics.median(samples_ns[:half]) - 1
    if abs(drift) > NOISY_DRIFT:
        doubts.append(f"the second half of the samples is {drift:+.0%} off the first")
    return tuple(doubts)


def peak_memory_bytes() -> int:
    """Largest resident set of this process so far."""
    if sys.platform == "darwin":
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # Linux hands getrusage's figure down from parent to child (getrusage(2), "ru_maxrss"); VmHWM starts with the program.
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise EdgekitError("/proc/self/status has no VmHWM: edgekit cannot tell the peak memory on this system")


def _time(infer: Callable[[], object]) -> int:
    start = time.perf_counter_ns()
    infer()
    return time.perf_counter_ns() - start


def _warm_up(infer: Callable[[], object], plan: LatencyPlan) -> tuple[int, bool]:
    """Run in windows of ten until the median of a window is within 3 % of the one before."""
    deadline = time.perf_counter() + plan.max_warmup_seconds
    runs, previous = 0, 0.0
    while time.perf_counter() < deadline:
        median = statistics.median(_time(infer) for _ in range(WINDOW))
        runs += WINDOW
        if previous and abs(median / previous - 1) < STEADY:
            return runs, True
        previous = median
    return runs, False


def _sample(infer: Callable[[], object], plan: LatencyPlan) -> list[int]:
    deadline = time.perf_counter() + plan.max_seconds
    samples: list[int] = []
    while len(samples) < plan.iterations and (time.perf_counter() < deadline or len(samples) < MIN_SAMPLES):
        samples.append(_time(infer))
    return samples
