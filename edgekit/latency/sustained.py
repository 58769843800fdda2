"""A run without pauses."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from itertools import pairwise

from edgekit.latency.record import Sustained, Window

MAX_WINDOWS = 60
MIN_WINDOW_SECONDS = 1.0
NOTABLE = 0.10


def sustain(infer: Callable[[], object], seconds: float) -> Sustained:
    """Infer again and again.

    Args:
        infer: once.
        seconds: for how long; the inference that is running then is still counted.
    """
    ends = [time.perf_counter_ns()]
    deadline = ends[0] + seconds * 1e9
    while ends[-1] < deadline:
        infer()
        ends.append(time.perf_counter_ns())
    return describe(ends)


def describe(ends_ns: Sequence[int]) -> Sustained:
    """Sum up a run from its start and the end of every inference."""
    samples = [later - earlier for earlier, later in pairwise(ends_ns)]
    whole_ns = ends_ns[-1] - ends_ns[0]
    tenth = whole_ns / 10
    first = [took for end, took in zip(ends_ns[1:], samples, strict=True) if end - ends_ns[0] <= tenth] or samples[:1]
    last = [took for end, took in zip(ends_ns[1:], samples, strict=True) if ends_ns[-1] - end < tenth] or samples[-1:]
    count = max(1, min(MAX_WINDOWS, int(whole_ns / 1e9 / MIN_WINDOW_SECONDS)))
    pieces: list[list[int]] = [[] for _ in range(count)]
    for end, took in zip(ends_ns[1:], samples, strict=True):
        pieces[min(count - 1, (end - ends_ns[0]) * count // whole_ns)].append(took)
    windows = [_window(number * whole_ns / count / 1e9, piece) for number, piece in enumerate(pieces) if piece]
    drift = statistics.median(last) / statistics.median(first) - 1
    return Sustained(whole_ns / 1e9, len(samples), len(samples) / (whole_ns / 1e9), drift, tuple(windows))


def _window(start_s: float, samples_ns: Sequence[int]) -> Window:
    high = statistics.quantiles(samples_ns, n=20, method="inclusive")[-1] if len(samples_ns) > 1 else samples_ns[0]
    return Window(start_s, len(samples_ns), statistics.median(samples_ns) / 1e6, high / 1e6)
