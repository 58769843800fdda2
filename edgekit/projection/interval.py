"""The 90 % interval of a prediction: how far predictions of its sort were off when their figures were held back.

Conformal (Vovk et al. 2005; CV+ of Barber et al. 2021, doi:10.1214/20-AOS1965): errors are divided by the spread that the
fit gives, which grows with operators that a device was never seen to run, and the interval is the spread times a quantile of
those quotients.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from edgekit.projection.predict import Tier
from edgekit.projection.trial import Trial

COVERAGE = 0.9
LEAST = 30  # held-back figures that a quantile needs
WIDEST = 4.6  # of the half width in log ms, a hundredfold: nothing is known
Sort = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Widths:
    """Quantiles of |error| / spread by the sort of prediction, from the narrowest sort to the widest: ().

    Attributes:
        quantiles: sort -> quantile.
    """

    quantiles: dict[Sort, float]

    def half_width(self, block: tuple[str, str, str], tier: Tier, kin: bool, spread: float) -> float:
        """Of the interval, in log ms."""
        found = next((self.quantiles[sort] for sort in sorts(block, tier, kin) if sort in self.quantiles), WIDEST)
        return min(found * spread, WIDEST)


def sorts(block: tuple[str, str, str], tier: Tier, kin: bool) -> tuple[Sort, ...]:
    """Of a prediction: its block, unit and all together, each by tier and by whether a relative of the network is known."""
    relative = "kin" if kin else "alone"
    return (*block, tier, relative), (block[1], tier, relative), (tier, relative), (tier,), ()


def learn(trials: Iterable[Trial]) -> Widths:
    """Take the quantiles of every sort that has `LEAST` trials, and of all together."""
    quotients: dict[Sort, list[float]] = defaultdict(list)
    for trial in trials:
        for sort in sorts(trial.figure.setting.block, trial.tier, trial.kin):
            quotients[sort].append(abs(trial.error) / trial.spread)
    return Widths({sort: quantile(values) for sort, values in quotients.items() if len(values) >= LEAST or not sort})


def quantile(values: Sequence[float]) -> float:
    """The value that 90 % of as many and one more are not above."""
    ordered = np.sort(values)
    return float(ordered[min(len(ordered) - 1, math.ceil(COVERAGE * (len(ordered) + 1)) - 1)])


def covered(trials: Sequence[Trial]) -> list[bool]:
    """Whether each trial's figure is in the interval that the trials held back at other times give."""
    by_name: dict[str, list[int]] = defaultdict(list)
    for i, trial in enumerate(trials):
        by_name[trial.held].append(i)
    result = [False] * len(trials)
    for name, indices in by_name.items():
        widths = learn(trial for trial in trials if trial.held != name)
        for i in indices:
            trial = trials[i]
            result[i] = abs(trial.error) <= widths.half_width(trial.figure.setting.block, trial.tier, trial.kin, trial.spread)
    return result
