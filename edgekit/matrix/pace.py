"""Which of two latencies, each measured by itself, is the longer: faster, slower, and most often unproven.

They are those of a cell in two runs, or of two precisions (`edgekit.payoff`). They were not timed in turns: see
`edgekit.latency.comparison` for what that takes away. So little is said: only of the same machine, without doubts on either side,
and beyond what launches of one artifact differ by anyway.
"""

from __future__ import annotations

import statistics
from dataclasses import fields

from edgekit.latency import Latency
from edgekit.machine import Machine
from edgekit.matrix.difference import Difference

# Launches of one artifact differ by some of both; a difference has to be above both. docs/explanation/latency.md has the figures.
LAUNCH_RATIO = 1.35
"""Of two medians."""
LAUNCH_MS = 0.1
"""Between two medians: models of a fifth of a millisecond differ by more than that ratio."""


def judge_latency(
    before: Latency | None, after: Latency | None, *, is_same_artifact: bool, words: tuple[str, str] = ("before", "now")
) -> Difference:
    """Judge the median of a later run by that of an earlier one, in ms.

    Args:
        before: None where it was not measured.
        after: likewise.
        is_same_artifact: then a difference is the machine's, and none is no news.
        words: that reasons tell the two by.
    """
    figures = _median_ms(before), _median_ms(after)
    if before is None or after is None:
        return Difference(*figures, "none")
    if before == after:
        return Difference(*figures, "same", "it was not timed again")
    if why := _incomparable(before, after, words):
        return Difference(*figures, "unproven", why)
    slow, fast = sorted((after, before), key=lambda latency: statistics.median(latency.samples_ns), reverse=True)
    slow_ns, fast_ns = (statistics.median(latency.samples_ns) for latency in (slow, fast))
    if slow_ns <= LAUNCH_RATIO * fast_ns or slow_ns - fast_ns <= LAUNCH_MS * 1e6:
        if is_same_artifact:
            return Difference(*figures, "same", "the artifact is the same")
        return Difference(*figures, "unproven", f"launches of one artifact differ by {LAUNCH_RATIO - 1:.0%}, or {LAUNCH_MS} ms")
    if _quartiles(slow)[0] <= _quartiles(fast)[2]:
        return Difference(*figures, "unproven", "the middle halves of the samples overlap")
    beside = "the artifact is the same: it is the machine, or what runs there" if is_same_artifact else ""
    return Difference(*figures, "slower" if slow is after else "faster", beside)


def _incomparable(old: Latency, new: Latency, words: tuple[str, str]) -> str:
    """Why two latencies say nothing about each other; empty where they may."""
    if old.machine is None or new.machine is None:
        return "it is not known on which machine"
    then, now = words
    if differing := _differing(old.machine, new.machine, words):
        return f"not the same machine: {differing}"
    if old.num_threads != new.num_threads:
        return f"{old.num_threads} threads {then}, {new.num_threads} {now}"
    if len(old.affinity) != len(new.affinity):
        return f"{len(old.affinity)} cores to run on {then}, {len(new.affinity)} {now}"
    for word, latency in ((then, old), (now, new)):
        if latency.doubts:
            return f"too noisy {word}: {'; '.join(latency.doubts)}"
        if len(latency.samples_ns) < 2 or min(latency.samples_ns) <= 0:
            return f"no samples {word}"
    return ""


def _differing(old: Machine, new: Machine, words: tuple[str, str]) -> str:
    """The first thing in which two machines differ; Python's version is none that a runtime sees."""
    for field in fields(Machine):
        before, after = getattr(old, field.name), getattr(new, field.name)
        if field.name != "python" and before != after:
            return f"{field.name.replace('_', ' ')} {_told(before)} {words[0]}, {_told(after)} {words[1]}"
    return ""


def _told(value: object) -> str:
    return " ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _median_ms(latency: Latency | None) -> float | None:
    return statistics.median(latency.samples_ns) / 1e6 if latency and latency.samples_ns else None


def _quartiles(latency: Latency) -> list[float]:
    return statistics.quantiles(latency.samples_ns, n=4, method="inclusive")
