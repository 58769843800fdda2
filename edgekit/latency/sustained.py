"""A run without pauses."""

from __future__ import annotations

import statistics
import time
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise

from edgekit.latency.noise import Watch
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
    watch, ends = Watch(), array("q", [time.perf_counter_ns()])  # 8 bytes each: an hour of a small model has tens of millions
    deadline = ends[0] + seconds * 1e9
    while ends[-1] < deadline:
        infer()
        ends.append(time.perf_counter_ns())
    activity = watch.end()
    return replace(describe(ends), doubts=activity.doubts if activity else ())


def describe(ends_ns: Sequence[int]) -> Sustained:
    """Sum up a run from its start and the end of every inference, in order."""
    start, end, whole = ends_ns[0], ends_ns[-1], ends_ns[-1] - ends_ns[0]
    first = _took(ends_ns, 1, bisect_right(ends_ns, start + whole // 10)) or _took(ends_ns, 1, 2)
    last = _took(ends_ns, bisect_right(ends_ns, end - -(-whole // 10)), len(ends_ns))
    count = max(1, min(MAX_WINDOWS, int(whole / 1e9 / MIN_WINDOW_SECONDS)))
    inner = [bisect_left(ends_ns, start + -(-whole * number // count)) for number in range(1, count)]
    cuts = enumerate(pairwise([1, *inner, len(ends_ns)]))  # one piece at a time: as a list a sample takes five times the bytes
    windows = [_window(number * whole / count / 1e9, _took(ends_ns, *cut)) for number, cut in cuts if cut[0] < cut[1]]
    drift = statistics.median(last) / statistics.median(first) - 1
    inferences = len(ends_ns) - 1
    return Sustained(whole / 1e9, inferences, inferences / (whole / 1e9), drift, tuple(windows))


def _took(ends_ns: Sequence[int], start: int, stop: int) -> list[int]:
    """Nanoseconds of the inferences whose ends are at these places."""
    return [ends_ns[at] - ends_ns[at - 1] for at in range(start, stop)]


def _window(start_s: float, samples_ns: Sequence[int]) -> Window:
    high = statistics.quantiles(samples_ns, n=20, method="inclusive")[-1] if len(samples_ns) > 1 else samples_ns[0]
    return Window(start_s, len(samples_ns), statistics.median(samples_ns) / 1e6, high / 1e6)
