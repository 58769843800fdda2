"""How slow settings are as a whole, from what each one's figures say and from settings like it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edgekit.projection.likeness import Array, Differences, Rates
from edgekit.projection.panel import TINY

THREADS_GAIN = 0.45  # of the log latency by a doubling of threads: the median of ncnn's boards
USEFUL_DOUBLINGS = 3.0  # of threads; beyond eight those boards gain nothing


@dataclass(frozen=True, slots=True)
class Scales:
    """Prior of the logarithm of how slow settings are: standard deviations.

    Attributes:
        alike: of what settings share by likeness.
        near: what likeness is here.
        device: of what all settings of a device share.
        own: of each setting by itself.
    """

    alike: float
    near: Rates
    device: float
    own: float

    def among(self, apart: Differences, *, is_square: bool = True) -> Array:
        """Covariance; `is_square` if rows and columns are the same settings."""
        shared = self.alike**2 * self.near.near(apart) + self.device**2 * apart.is_device
        return shared + self.own**2 * np.eye(len(shared)) if is_square else shared

    def expected(self, seen: Array, count: Array, apart: Differences, noise: float) -> tuple[Array, Array]:
        """Of every setting the mean and the variance of the posterior (Rasmussen and Williams 2006, equations 2.25 and 2.26).

        Args:
            seen: (settings,) what the figures of each say.
            count: (settings,) of figures; what a setting without any "says" is not used.
            apart: how unlike the settings are.
            noise: standard deviation of one figure around what its setting is.
        """
        prior = self.among(apart)
        known = count > 0
        level = float(seen[known].mean())
        around = prior[np.ix_(known, known)] + np.diag(noise**2 / count[known])
        weights = np.linalg.solve(around, prior[known])
        mean: Array = level + weights.T @ (seen[known] - level)
        variance: Array = np.diag(prior) - (weights * prior[known]).sum(0)
        return mean, variance


def guessed(seen: Array, near: Array, log2_threads: Array) -> Array:
    """Of settings without figures: what those like them say, with another number of threads brought to theirs.

    Args:
        seen: (settings,) what the figures of each say.
        near: (settings, settings) likeness; 0 to settings without figures. One figure tells as much as many.
        log2_threads: (settings,) 0 where threads do not count.
    """
    gain = THREADS_GAIN * np.minimum(log2_threads, USEFUL_DOUBLINGS)
    at_one_thread: Array = near @ (seen + gain) / np.maximum(near.sum(1), TINY)
    return at_one_thread - gain
