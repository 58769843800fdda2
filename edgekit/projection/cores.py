"""Unit costs on CPUs and GPUs: a posterior mode for every setting around the profile of its runtime and of the settings like it.

theta has a normal prior whose mean is the block's profile, what similar settings deviate from it (for int8 also the same device
in float; for a CPU with one figure or none also like cores under ncnn), and the setting's own scale. beta is what the sum cannot
tell about a network: the mean of its residuals in similar settings, or of its family's if it has none, and 0 for a family that
is not in the file.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from edgekit.projection.cost import alike
from edgekit.projection.figure import Network
from edgekit.projection.likeness import Array, Rates, differences
from edgekit.projection.panel import TINY, Block, Panel, kinship
from edgekit.projection.scale import Scales, guessed

MISFIT = 0.1  # of a network's mean position around the sum
PROFILE_ROOT = 0.5  # of a profile around the scales of `cost`, where nothing better is known
PROFILE = 0.4  # of a runtime's profile around its parent's
SCALE = 0.05  # of a setting's scale around what is expected of it, with one figure: that one is counted there already
SCALE_FREE = 1.3  # likewise with more figures, which speak for themselves
KIN = 0.03  # weight of a relative's residual beside the network's own, from another setting
OWN_FAMILY = 0.5  # likewise in the same setting
FREEDOM = 4.0  # of Student's distribution of the errors around the sum
BOARDS_BLOCK: Block = ("ncnn", "cpu", "float")  # 200 boards by many hands: more unlike than a runtime's few phones
STEPS = 8  # of Gauss and Newton
LIKE_CORES = Rates(cores=2.0, threads=2.0)  # of settings under different runtimes


@dataclass(frozen=True, slots=True)
class Habits:
    """What settings of one unit and precision have in common; found by leaving out figures of the published file.

    Attributes:
        near: what makes settings alike.
        own: standard deviation of a log unit cost around the profile.
        wait: of what the unit costs have in common that wait for the same: a device's memory is slow for all that wait for it.
        noise: of a log latency around the sum.
        misfit: share of a network's residual elsewhere that is taken off its figures before the unit costs are fitted.
        lent: weight of what a device deviates in float, for its int8; a neighbour like it in all has 1.
        few: of so many figures a setting lends half of what one with very many does.
        scales: how slow settings are.
        anchor: standard deviation of one figure around its setting's scale.
    """

    near: Rates
    own: float
    wait: float
    noise: float
    misfit: float
    lent: float
    few: float
    scales: Scales
    anchor: float


BOARDS = Habits(
    near=Rates(cores=2.0, threads=2.0, years=1.0, speed=1.5),
    own=1.26,
    wait=0.54,
    noise=0.075,
    misfit=1.0,
    lent=1.0,
    few=2.2,
    scales=Scales(1.2, Rates(cores=0.6, threads=0.3, years=0.26), device=0.8, own=0.2),
    anchor=0.25,
)
CPU = replace(BOARDS, own=0.7, wait=0.3, noise=0.1)
CPU_INT8 = Habits(
    near=Rates(cores=2.0, threads=1.1, years=1.8, speed=2.7),
    own=0.7,
    wait=0.3,
    noise=0.1,
    misfit=1.0,
    lent=0.4,
    few=4.0,
    scales=Scales(1.2, Rates(cores=0.6, threads=0.3, years=0.26), device=0.5, own=0.3),
    anchor=0.25,
)
GPU = Habits(
    near=Rates(cores=1.1, ways=4.0, years=0.5, speed=0.83),
    own=1.26,
    wait=0.17,
    noise=0.056,
    misfit=0.3,
    lent=1.0,
    few=10.0,
    scales=Scales(0.4, Rates(cores=0.02, years=4.0), device=0.5, own=0.2),
    anchor=0.15,
)


@dataclass
class Cores:
    """A block's settings with their unit costs.

    Attributes:
        panel: what was fitted.
        there: (settings, networks) figures that were used.
        profile: (terms,) log unit costs of the runtime, mean 0.
        theta: (settings, terms) log unit costs.
        spread: (settings, terms, terms) posterior covariance of theta.
        lent_residual: (settings, networks) figure less the sum at the unit costs that are lent to similar settings.
        residual: (settings, networks) figure less the sum at theta; 0 where there is no figure.
        near: (settings, settings) likeness with the speed counted in, times what the figures of the other one are worth.
        count: (settings,) figures that were used.
    """

    panel: Panel
    there: Array
    profile: Array
    theta: Array
    spread: Array
    lent_residual: Array
    residual: Array
    near: Array
    count: Array

    def beta(self, networks: Sequence[Network]) -> Array:
        """What the residuals of the same network and of its family say: in similar settings, and then in this one."""
        known = self.panel.networks
        around = _smoothed(self.near, self.lent_residual, self.there, networks, known)
        own = kinship(networks, known, OWN_FAMILY)
        rest: Array = (self.residual @ own.T - around * (self.there @ own.T)) / (self.there @ own.T + 0.5)
        return around + rest

    def variance(self, share: Array, networks: Sequence[Network]) -> Array:
        """(settings, networks) of the log latency, for `share` (settings, networks, terms) of each term in it."""
        result: Array = np.einsum("dmk,dkl,dml->dm", share, self.spread, share, optimize=True)
        return result


def habits_of(block: Block) -> Habits:
    """Of a block's unit and precision."""
    if block[1] == "gpu":
        return GPU
    if block == BOARDS_BLOCK:
        return BOARDS
    return CPU if block[2] == "float" else CPU_INT8


def fit_profile(panel: Panel, there: Array, parent: Array | None) -> Array:
    """The runtime's log unit costs, mean 0: one fit to the mean position of every network, each counted once.

    Args:
        panel: the figures.
        there: those to use.
        parent: the profile that this one is expected to be like, or None.
    """
    start = np.zeros(panel.work.shape[1]) if parent is None else parent
    seen = there.sum(0) > 0
    theta = start
    for _ in range(6):
        level = np.log(panel.work @ np.exp(theta))
        scale = _mean(panel.logs - level, there, 1)
        position = np.where(seen, _mean(panel.logs - scale[:, None], there, 0), 0.0)
        wide = np.eye(len(theta)) * (PROFILE_ROOT if parent is None else PROFILE) ** 2 + 25.0
        theta = _mode(panel.work, position[None], seen[None].astype(float), start[None], np.linalg.inv(wide), MISFIT)[0][0]
        theta = theta - theta.mean()
    return theta


def fit_cores(panel: Panel, there: Array, profile: Array, source: Cores | None) -> Cores:
    """Fit a block that has figures.

    Args:
        panel: the figures.
        there: those to use.
        profile: of the block.
        source: a fit that tells of the same devices, or of others with such cores.
    """
    habits = habits_of(panel.block)
    count = there.sum(1)
    known = count > 0
    scale = _mean(panel.logs - np.log(panel.work @ np.exp(profile)), there, 1)
    free = np.linalg.inv(_covariance(panel.block[1], habits, SCALE_FREE))
    theta, _ = _mode(panel.work, panel.logs, there, profile + scale[:, None], free, habits.noise)
    slower = np.abs(scale[:, None] - scale[None])
    fresh = panel.apart.is_device | ~known[:, None]  # no speed to compare, or the same device in another mode
    near = habits.near.near(panel.apart, np.where(fresh, 0.0, slower)) * known[None]
    np.fill_diagonal(near, 0.0)
    lends = np.maximum(count - 1, 0) / (count + habits.few)  # a setting of one figure has no profile to lend
    lending = near * lends[None]
    deviation = theta - profile
    deviation = deviation - deviation.mean(1, keepdims=True)
    lent, trust = _lent(panel, source, count, len(profile))
    around = (lending @ deviation + trust * lent) / (lending.sum(1, keepdims=True) + trust + 1e-4)
    lent_residual = (panel.logs - _log_sum(panel.work, theta)) * there
    beta = habits.misfit * _smoothed(lending, lent_residual, there, panel.networks, panel.networks)
    scale = _mean(panel.logs - beta - np.log(panel.work @ np.exp(profile + around).T).T, there, 1)
    log2_threads = np.array([setting.log2_threads for setting in panel.settings]) * (panel.block[1] == "cpu")
    expected, unsure = habits.scales.expected(scale, count, panel.apart, habits.anchor)
    scale = np.where(known, expected, guessed(scale, near, log2_threads))
    one = np.linalg.inv(_covariance(panel.block[1], habits, SCALE))
    is_one = (count == 1)[:, None, None]
    prior = np.where(is_one, one, free)
    theta, spread = _mode(panel.work, panel.logs - beta, there, profile + around + scale[:, None], prior, habits.noise)
    spread = spread + is_one * unsure[:, None, None]  # the scale's, which is the same for all terms
    residual = (panel.logs - _log_sum(panel.work, theta)) * there
    return Cores(panel, there, profile, theta, spread, lent_residual, residual, lending, count)


def _covariance(unit: str, habits: Habits, scale: float) -> Array:
    """Of a setting's log unit costs around the profile."""
    together = np.array(alike(unit), float)
    result: Array = np.eye(len(together)) * habits.own**2 + scale**2 + habits.wait**2 * together
    return result


def _lent(panel: Panel, source: Cores | None, count: Array, terms: int) -> tuple[Array, Array]:
    """What the fit of another block says that these settings deviate from their profile, and how much that counts."""
    if source is None:
        return np.zeros((len(panel.settings), terms)), np.zeros((len(panel.settings), 1))
    if source.panel.block[0] == panel.block[0]:
        return _from_float(panel, source, terms)
    return _from_like_cores(panel, source, count)


def _from_like_cores(panel: Panel, source: Cores, count: Array) -> tuple[Array, Array]:
    """What cores like these deviate under another runtime: for settings of none or one figure, which tell no profile.

    What is lent to the settings that shaped this runtime's profile is in that profile already, and taken off.
    """
    deviation = source.theta - source.profile
    deviation = deviation - deviation.mean(1, keepdims=True)
    like = LIKE_CORES.near(differences(panel.settings, source.panel.settings))
    like = like * (np.maximum(source.count - 1, 0) / (source.count + 4.0))[None]
    total = like.sum(1, keepdims=True)
    lent = like @ deviation / (total + TINY)
    shaped = np.maximum(count - 1, 0) / (count + 4.0)
    needs = (count <= 1)[:, None]
    return (lent - shaped @ lent / (shaped.sum() + 1.0)) * needs, np.minimum(1.0, total) * needs


def _from_float(panel: Panel, in_float: Cores, terms: int) -> tuple[Array, Array]:
    """What the same device deviates from its profile in float, and how much that counts: little, if it has few figures."""
    lent, trust = np.zeros((len(panel.settings), terms)), np.zeros((len(panel.settings), 1))
    deviation = in_float.theta - in_float.profile
    count = in_float.count
    for i, setting in enumerate(panel.settings):
        same = [
            j
            for j, other in enumerate(in_float.panel.settings)
            if (other.device, other.threads, other.compute_unit) == (setting.device, setting.threads, setting.compute_unit)
        ]
        if same:
            j = max(same, key=lambda j: (in_float.panel.settings[j].run == setting.run, count[j]))
            lent[i] = deviation[j] - deviation[j].mean()
            trust[i] = habits_of(panel.block).lent * max(count[j] - 1, 0) / (count[j] + 4)
    return lent, trust


def _log_sum(work: Array, theta: Array) -> Array:
    result: Array = np.log(np.exp(theta) @ work.T)
    return result


def _smoothed(near: Array, residual: Array, there: Array, asked: Sequence[Network], known: Sequence[Network]) -> Array:
    """The mean residual of each network asked for, or of its family, in the settings around each."""
    kin = kinship(asked, known, KIN)
    result: Array = (near @ residual @ kin.T) / (near @ there @ kin.T + 1e-3)
    return result


def _mean(values: Array, weight: Array, axis: int) -> Array:
    mean: Array = (values * weight).sum(axis) / np.maximum(weight.sum(axis), TINY)
    return mean


def _mode(
    work: Array, logs: Array, there: Array, prior_mean: Array, prior: npt.NDArray[Any], noise: float
) -> tuple[Array, Array]:
    """Gauss-Newton to the mode of every row's posterior, and the covariance there.

    The errors are Student's, by weighting anew in every step (Lange, Little and Taylor 1989, doi:10.1080/01621459.1989.10478852):
    a network that is unlike all others would bend the unit costs of the rest. `prior` is the inverse covariance, of all rows or
    of each.
    """
    theta = prior_mean.copy()
    for _ in range(STEPS):
        terms = np.exp(theta)[:, None, :] * work[None]
        total = terms.sum(2)
        share = terms / total[:, :, None]
        off = (logs - np.log(total)) / noise
        weighted = share * (there * (FREEDOM + 1) / (FREEDOM + off**2))[:, :, None]
        curvature = np.swapaxes(weighted, 1, 2) @ share / noise**2 + prior
        pull = ((theta - prior_mean)[:, None, :] @ prior)[:, 0]
        slope = np.einsum("dmk,dm->dk", weighted, logs - np.log(total)) / noise**2 - pull
        step = np.linalg.solve(curvature, slope[:, :, None])[:, :, 0]
        theta = theta + step * np.minimum(1.0, 1.0 / np.maximum(np.abs(step).max(1, keepdims=True), TINY))
    covariance: Array = np.linalg.inv(curvature)
    return theta, covariance
