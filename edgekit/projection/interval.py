"""The 90 % interval of a prediction: how far predictions of its sort were off when their figures were held back.

Conformal (Vovk et al. 2005; CV+ of Barber et al. 2021, doi:10.1214/20-AOS1965): errors are divided by the spread that the
fit gives, which grows with operators that a device was never seen to run, and the interval is the spread times a quantile of
those quotients.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence

import numpy as np

from edgekit.projection.trial import Trial
from edgekit.projection.widths import Sort, Widths, sorts

COVERAGE = 0.9
LEAST = 30  # held-back figures that a quantile needs


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
