"""The 90 % interval of a prediction: how far predictions of its sort were off when their figures were held back.

Conformal (Vovk et al. 2005; CV+ of Barber et al. 2021, doi:10.1214/20-AOS1965): errors are divided by the spread that the
fit gives, which grows with operators that a device was never seen to run, and the interval is the spread times a quantile of
those quotients. What a sort with few held-back figures lacks, the sorts that it belongs to lend.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import pairwise

import numpy as np

from edgekit.projection.trial import Trial
from edgekit.projection.widths import Sort, Widths, sorts

COVERAGE = 0.9
MANY = 30  # held-back figures, from which on a sort's quantile is its own
FEW = 5  # likewise, from which on it may widen that of the next wider sort: so few come from one or two devices


def learn(trials: Iterable[Trial]) -> Widths:
    """Take the quantile of every sort that has `FEW` trials, and of all together."""
    narrowest: dict[tuple[Sort, ...], list[float]] = defaultdict(list)
    for trial in trials:
        chain = sorts(trial.figure.setting.block, trial.tier, trial.kin)
        narrowest[chain].append(abs(trial.error) / trial.spread)
    quotients: dict[Sort, list[float]] = defaultdict(list)
    wider: dict[Sort, Sort] = {}
    for chain, values in narrowest.items():
        wider.update(pairwise(chain))
        for sort in chain:
            quotients[sort] += values
    quantiles: dict[Sort, float] = {}
    for sort in sorted(quotients, key=len):  # the wider ones first
        own = quantile(quotients[sort])
        if not sort or len(quotients[sort]) >= MANY:
            quantiles[sort] = own
        elif len(quotients[sort]) >= FEW:
            quantiles[sort] = max(own, quantiles[wider[sort]])
    return Widths(quantiles)


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
