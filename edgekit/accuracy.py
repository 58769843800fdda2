"""How often an artifact is right, how sure that figure is, and how often it says what the float model says."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

import numpy as np
from numpy.typing import NDArray

_Z_95 = 1.959963984540054  # two-sided 95 % of the normal distribution


@dataclass(frozen=True, slots=True)
class Share:
    """A part of the pictures, 0 to 1, with Wilson's 95 % interval.

    Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22 (1927).
    """

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Accuracy:
    """What came of one model on labelled pictures.

    Attributes:
        count: pictures that were judged.
        top1: where the most probable class is the right one.
        top5: where the right class is among the five most probable.
        agreement: where the most probable class is the float model's; None for that model itself.
        lost: pictures that the float model has right and this one has not.
        gained: the other way round.
    """

    count: int
    top1: Share
    top5: Share
    agreement: Share | None = None
    lost: int = 0
    gained: int = 0

    @property
    def drop_points(self) -> float:
        """Points of top-1 below the float model, of 100; below 0 where it is above."""
        return 100 * (self.lost - self.gained) / self.count


def count_right(
    scores: NDArray[np.floating], classes: NDArray[np.integer], float_scores: NDArray[np.floating] | None = None
) -> Accuracy:
    """Count.

    Args:
        scores: logits or probabilities (pictures, classes).
        classes: the right ones (pictures,).
        float_scores: the float model's on the same pictures, or None for that model itself.
    """
    count = len(classes)
    best = scores.argmax(axis=1)
    right = best == classes
    # a class's rank is the number of classes that score higher: no order among equals is invented
    own = np.take_along_axis(scores, classes[:, None], axis=1)
    top5 = (scores > own).sum(axis=1) < min(5, scores.shape[1])
    if float_scores is None:
        return Accuracy(count, share(int(right.sum()), count), share(int(top5.sum()), count))
    float_best = float_scores.argmax(axis=1)
    float_right = float_best == classes
    return Accuracy(
        count,
        share(int(right.sum()), count),
        share(int(top5.sum()), count),
        share(int((best == float_best).sum()), count),
        int((float_right & ~right).sum()),
        int((right & ~float_right).sum()),
    )


def share(hits: int, count: int) -> Share:
    """Wilson's score interval for `hits` of `count`."""
    if count == 0:
        raise ValueError("no share of nothing")
    value, z2 = hits / count, _Z_95**2
    centre = (value + z2 / (2 * count)) / (1 + z2 / count)
    half = _Z_95 / (1 + z2 / count) * sqrt(value * (1 - value) / count + z2 / (4 * count**2))
    return Share(value, max(0.0, centre - half), min(1.0, centre + half))
