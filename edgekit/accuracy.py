"""How often an artifact is right, how sure that figure is, and how often it says what the float model says."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # the records are part of report.json, and need no numpy
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
class Drop:
    """Points of top-1 below the float model, of 100, with a 95 % interval; below 0 where the artifact is above.

    Both models saw the same pictures, so the interval comes of those on which only one of them is right. It is much narrower than
    the difference of two shares that know nothing of each other: Bonett and Price, "Adjusted Wald confidence interval for a
    difference of binomial proportions based on paired data", Journal of Educational and Behavioral Statistics 37 (2012).
    """

    points: float
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
        drop: what these two make of top-1; None for the float model itself.
    """

    count: int
    top1: Share
    top5: Share
    agreement: Share | None = None
    lost: int = 0
    gained: int = 0
    drop: Drop | None = None

    @property
    def drop_points(self) -> float:
        """Points of top-1 below the float model, of 100; below 0 where it is above."""
        return self.drop.points if self.drop else 0.0


def count_right(
    scores: NDArray[np.floating], classes: NDArray[np.integer], float_scores: NDArray[np.floating] | None = None
) -> Accuracy:
    """Count.

    Among equal scores the class of the lower index comes first, as in `predict`: a model that answers the same for every class
    is not right by that. An answer with a NaN in it is wrong, and agrees with nothing.

    Args:
        scores: logits or probabilities (pictures, classes).
        classes: the right ones (pictures,).
        float_scores: the float model's on the same pictures, or None for that model itself.
    """
    count = len(classes)
    right = rank_of(scores, classes) == 0
    top5 = rank_of(scores, classes) < min(5, scores.shape[1])
    hits = share(int(right.sum()), count), share(int(top5.sum()), count)
    if float_scores is None:
        return Accuracy(count, *hits)
    float_right = rank_of(float_scores, classes) == 0
    lost, gained = int((float_right & ~right).sum()), int((right & ~float_right).sum())
    agreement = share(int(agreeing(scores, float_scores).sum()), count)
    return Accuracy(count, *hits, agreement, lost, gained, drop(lost, gained, count))


def agreeing(scores: NDArray[np.floating], float_scores: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Tell on which pictures (pictures,) two models name the same class first."""
    first = float_scores.argmax(axis=1)
    same: NDArray[np.bool_] = (rank_of(scores, first) == 0) & (rank_of(float_scores, first) == 0)
    return same


def rank_of(scores: NDArray[np.floating], classes: NDArray[np.integer]) -> NDArray[np.integer]:
    """Place of a class in each answer (pictures,), from 0; behind all others where a score is NaN."""
    import numpy as np

    own = np.take_along_axis(scores, classes[:, None], axis=1)
    earlier = np.arange(scores.shape[1]) < classes[:, None]
    ranks = ((scores > own) | ((scores == own) & earlier)).sum(axis=1)
    placed: NDArray[np.integer] = np.where(np.isnan(scores).any(axis=1), scores.shape[1], ranks)
    return placed


def share(hits: int, count: int) -> Share:
    """Wilson's score interval for `hits` of `count`."""
    if count == 0:
        raise ValueError("no share of nothing")
    value, z2 = hits / count, _Z_95**2
    centre = (value + z2 / (2 * count)) / (1 + z2 / count)
    half = _Z_95 / (1 + z2 / count) * sqrt(value * (1 - value) / count + z2 / (4 * count**2))
    return Share(value, max(0.0, centre - half), min(1.0, centre + half))


def drop(lost: int, gained: int, count: int) -> Drop:
    """Bonett's and Price's interval for `lost` and `gained` pictures of `count`: Wald's, with one picture more on either side."""
    if count == 0:
        raise ValueError("no difference on nothing")
    only_float, only_this = (lost + 1) / (count + 2), (gained + 1) / (count + 2)
    centre = only_float - only_this
    half = _Z_95 * sqrt((only_float + only_this - centre**2) / (count + 2))
    return Drop(100 * (lost - gained) / count, 100 * max(-1.0, centre - half), 100 * min(1.0, centre + half))
