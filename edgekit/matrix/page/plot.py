"""A latency's distribution as a histogram: where everything stands in a drawing of 360 by 190."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from edgekit.latency import Latency

WIDTH, HEIGHT = 360.0, 190.0
LEFT, RIGHT, TOP, BOTTOM = 34.0, 350.0, 62.0, 154.0
_LABEL = 80.0  # the width of a label, or more
_FEWEST_BARS, _MOST_BARS = 8, 40


@dataclass(frozen=True, slots=True)
class Block:
    """A bar of the histogram: how many inferences took about so long."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Tick:
    """A figure on the axis."""

    x: float
    label: str


@dataclass(frozen=True, slots=True)
class Mark:
    """A percentile: a line, and its label, each on a line of its own so that none hides another.

    Attributes:
        name: "p50" and so on.
        x: of the line.
        label_y: of the label.
        anchor: of the label: it grows to the side where there is room.
        ms: the figure.
    """

    name: str
    x: float
    label_y: float
    anchor: str
    ms: float


@dataclass(frozen=True, slots=True)
class Plot:
    """A histogram.

    Attributes:
        latency: that it shows.
        blocks: bars; none where there are no samples.
        ticks: of the axis, in ms.
        marks: percentiles.
        most: inferences in the highest bar.
        beyond: how many inferences are too slow for the axis: it ends at twice the way from p50 to p99.
        slowest_ms: of all.
    """

    latency: Latency
    blocks: tuple[Block, ...] = ()
    ticks: tuple[Tick, ...] = ()
    marks: tuple[Mark, ...] = ()
    most: int = 0
    beyond: int = 0
    slowest_ms: float = 0.0


def draw(latency: Latency) -> Plot:
    """Place the samples of a latency."""
    if not latency.samples_ns:
        return Plot(latency)
    samples_ms = np.asarray(latency.samples_ns, np.float64) / 1e6
    p50, p99 = (float(value) for value in np.percentile(samples_ms, (50, 99)))
    low, slowest = float(samples_ms.min()), float(samples_ms.max())
    high = p99 + (p99 - p50)  # so that labels have room to the right of their lines
    if high - low < 1e-3 * high or high <= low:  # all alike
        low, high = 0.99 * low, 1.01 * high or 1.0
    counts, edges = np.histogram(samples_ms, _bar_count(samples_ms, high - low), (low, high))
    most = int(counts.max())

    def at(ms: float) -> float:
        return LEFT + (RIGHT - LEFT) * (ms - low) / (high - low)

    blocks = tuple(
        Block(at(left), BOTTOM - height, at(right) - at(left), height)
        for number, left, right in zip(counts.tolist(), edges[:-1].tolist(), edges[1:].tolist(), strict=True)
        if (height := (BOTTOM - TOP) * number / most)
    )
    figures = {"p50": latency.p50_ms, "p90": latency.p90_ms, "p95": latency.p95_ms, "p99": latency.p99_ms}
    marks = tuple(
        Mark(name, at(ms), 14.0 + 13.0 * line, "start" if at(ms) + _LABEL < WIDTH else "end", ms)
        for line, (name, ms) in enumerate(figures.items())
        if math.isfinite(ms) and low <= ms <= high
    )
    ticks = tuple(Tick(at(ms), label) for ms, label in _ticks(low, high))
    return Plot(latency, blocks, ticks, marks, most, int((samples_ms > high).sum()), slowest)


def _bar_count(samples_ms: np.ndarray[tuple[int], np.dtype[np.float64]], span_ms: float) -> int:
    """By the rule of Freedman and Diaconis, within what can be seen: numpy's own knows no bounds."""
    low, high = np.percentile(samples_ms, (25, 75))
    width_ms = 2 * float(high - low) / samples_ms.size ** (1 / 3)
    return _MOST_BARS if width_ms <= 0 else int(np.clip(math.ceil(span_ms / width_ms), _FEWEST_BARS, _MOST_BARS))


def _ticks(low: float, high: float) -> list[tuple[float, str]]:
    """Two to six round figures."""
    rough = (high - low) / 6
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough)
    digits = max(0, -math.floor(math.log10(step)))
    first = math.ceil(low / step)
    return [(i * step, f"{i * step:.{digits}f}") for i in range(first, math.floor(high / step + 1e-9) + 1)]
