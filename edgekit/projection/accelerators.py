"""Unit costs on NPUs: one Gaussian process over the settings of a block, around what its parent's says of the same devices.

An accelerator's figures are few and come in campaigns: the same networks on some devices with one version of a runtime. What
they have in common is mostly the campaign and how fast the device is. The log latency of network m in setting d is

    log sum_k exp(theta(d, k)) f(m, k) + beta(d, m) + noise

where every theta(., k) and every beta(., m) is a Gaussian process over settings, and beta also over networks, which are alike
by family and by what they spend their time on. The sum is taken as linear around the present theta and solved again, a few
times. The noise is Student's, and so is a network as a whole: one that is unlike all others has a large beta, instead of bending
the unit costs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edgekit.projection.figure import Network
from edgekit.projection.likeness import Array, Differences, Rates, differences
from edgekit.projection.panel import Panel, charges_of, kinship
from edgekit.projection.scale import Scales
from edgekit.projection.setting import Setting

# Standard deviations of logarithms; found by leaving out figures of the published file.
COST = 0.4  # of a unit cost around what the parent says
COST_NEAR = Rates(years=6.0, ways=0.5, speed=0.54)
BETA = 0.1  # of what the sum does not tell of a network
BETA_NEAR = Rates(years=0.25, ways=0.2, speed=0.35)
BETA_DEVICE = 0.05  # likewise, of what all settings of a device share
LEVEL = 3.0  # of all settings together
SCALES = Scales(0.0, Rates(), device=0.3, own=0.3)
LENT_SCALE = 0.5  # share of how slow a device is under the parent's runtime that is expected under another
KIN = 0.05  # of a beta, what the family shares
LIKE_WORK = 0.5  # of a beta, what networks with like work share
WORK_WIDTH = 0.33  # how far apart the roots of two networks' shares of time are that are unlike (Hellinger's distance)
NOISE = 0.06  # of a figure
ANCHOR = 0.2  # of a figure around its setting's scale, for a first guess of how slow settings are
FREEDOM = 0.5  # of Student's distribution of the noise
NETWORK_FREEDOM = 1.0  # likewise of a network's beta
STEPS = 5
DAMPING = 0.5  # of a step after the first


@dataclass
class Accelerators:
    """A block's settings with their unit costs, and what predictions for others need.

    Attributes:
        panel: what was fitted.
        there: (settings, networks) figures that were used.
        theta: (settings, terms) log unit costs.
        parent: whose theta is this one's prior mean.
        rows: (figures,) settings of the figures.
        columns: (figures,) networks of the figures.
        weights: (figures,) of each figure in the posterior mean: the inverse covariance times what the prior does not tell.
        shares: (figures, terms) of each term in the sum.
        covariance: (figures, figures) of the figures with their noise.
        cost: (settings, settings) covariance of a unit cost.
        misfit: (settings, settings) covariance of a beta.
        scale: (settings, settings) covariance of the scale.
        typical: (terms,) unit costs by which the work of networks is compared.
        unlike: (networks,) standard deviation of each network's beta, in units of `BETA`.
    """

    panel: Panel
    there: Array
    theta: Array
    parent: Accelerators | None
    rows: npt.NDArray[np.intp]
    columns: npt.NDArray[np.intp]
    weights: Array
    shares: Array
    covariance: Array
    cost: Array
    misfit: Array
    scale: Array
    typical: Array
    unlike: Array

    def beta(self, networks: Sequence[Network]) -> Array:
        """What the sum does not tell of networks, in every setting of the block."""
        like = self._like(networks)[:, self.columns] * self.unlike[self.columns]
        result: Array = self.misfit[:, self.rows] @ (self.weights[:, None] * like.T)
        return result * self._unlike(networks)

    def variance(self, share: Array, networks: Sequence[Network]) -> Array:
        """(settings, networks) of the log latency, for `share` (settings, networks, terms) of each term in it."""
        own = self._unlike(networks)
        like = self._like(networks)[:, self.columns] * self.unlike[self.columns] * own[:, None]
        with_figures = (
            self.scale[:, None, self.rows]
            + self.cost[:, None, self.rows] * (share @ self.shares.T)
            + self.misfit[:, None, self.rows] * like[None]
        )
        prior = np.diag(self.scale)[:, None] + np.diag(self.cost)[:, None] * (share**2).sum(2)
        prior = prior + np.diag(self.misfit)[:, None] * own**2
        flat = with_figures.reshape(-1, len(self.rows))
        told = (flat * np.linalg.solve(self.covariance, flat.T).T).sum(1).reshape(prior.shape)
        result: Array = np.maximum(prior - told, 0.0)
        return result

    def expected(self, settings: Sequence[Setting]) -> Array:
        """(settings, terms) theta that these would have in this block: the prior mean of a block whose parent this is."""
        apart = differences(settings, self.panel.settings)
        above = self.parent.expected(settings) if self.parent else np.zeros((len(settings), self.theta.shape[1]))
        cost = _cost(apart, 0.0)[:, self.rows] @ (self.shares * self.weights[:, None])
        scale = SCALES.among(apart, is_square=False)[:, self.rows] @ self.weights
        result: Array = above + cost + LENT_SCALE * scale[:, None]
        return result

    def _like(self, networks: Sequence[Network]) -> Array:
        return _likeness(networks, self.panel, self.typical)

    def _unlike(self, networks: Sequence[Network]) -> Array:
        known = self.panel.columns
        return np.array([self.unlike[known[network]] if network in known else 1.0 for network in networks])


def fit_accelerators(panel: Panel, there: Array, parent: Accelerators | None) -> Accelerators:
    """Fit a block that has figures.

    Args:
        panel: the figures.
        there: those to use.
        parent: the fit of a block that this one is expected to be like.
    """
    work, count = panel.work, there.sum(1)
    base = parent.expected(panel.settings) if parent else np.zeros((len(panel.settings), work.shape[1]))
    level = ((panel.logs - np.log(np.exp(base) @ work.T)) * there).sum(1) / np.maximum(count, 1)
    slow, _ = SCALES.expected(level, count, panel.apart, ANCHOR)
    slower = np.abs(slow[:, None] - slow[None])
    cost = _cost(panel.apart, slower)
    misfit = BETA**2 * BETA_NEAR.near(panel.apart, slower) + BETA_DEVICE**2 * panel.apart.is_device
    scale = SCALES.among(panel.apart) + LEVEL**2
    rows, columns = np.where(there > 0)
    logs, among = panel.logs[rows, columns], np.ix_(rows, rows)
    typical = np.exp(base.mean(0))
    like = _likeness(panel.networks, panel, typical)
    unlike = np.ones(len(panel.networks))
    theta = base + np.where(count > 0, level, level[count > 0].mean())[:, None]
    noise = np.full(len(logs), NOISE**2)
    for step in range(STEPS):
        terms = np.exp(theta[rows]) * work[columns]
        shares = terms / terms.sum(1, keepdims=True)
        told = np.log(terms.sum(1)) - (shares * (theta[rows] - base[rows])).sum(1)
        kin = like[np.ix_(columns, columns)] * np.outer(unlike[columns], unlike[columns])
        covariance = scale[among] + cost[among] * (shares @ shares.T) + misfit[among] * kin + np.diag(noise)
        weights = np.linalg.solve(covariance, logs - told)
        noise = _student((weights * noise) ** 2, NOISE**2, FREEDOM)
        fitted = Accelerators(
            panel=panel,
            there=there,
            theta=theta,
            parent=parent,
            rows=rows,
            columns=columns,
            weights=weights,
            shares=shares,
            covariance=covariance,
            cost=cost,
            misfit=misfit,
            scale=scale,
            typical=typical,
            unlike=unlike,
        )
        beta = fitted.beta(panel.networks)
        square = (beta**2 * there).sum(0) / np.maximum(there.sum(0), 1)
        unlike = np.where(there.any(0), np.sqrt(_student(square, BETA**2, NETWORK_FREEDOM)) / BETA, 1.0)
        fresh = base + cost[:, rows] @ (shares * weights[:, None]) + (scale[:, rows] @ weights)[:, None]
        change = (fresh - theta) * (DAMPING if step else 1.0)
        theta = theta + change / np.maximum(np.abs(change).max(1, keepdims=True), 1.0)
    return fitted


def _cost(apart: Differences, slower: Array | float) -> Array:
    return COST**2 * COST_NEAR.near(apart, slower)


def _student(square: Array, variance: float, freedom: float) -> Array:
    """Variance that a deviation of this square is given, by weighting anew as in `cores`; at most a hundredfold."""
    result: Array = variance * (freedom + np.minimum(square / variance, 100.0)) / (freedom + 1)
    return result


def _likeness(networks: Sequence[Network], panel: Panel, typical: Array) -> Array:
    """How much the beta of one network is that of another: 1 for itself."""
    asked = np.array([charges_of(network, panel.block) for network in networks])
    roots = [np.sqrt(work * typical / (work * typical).sum(1, keepdims=True)) for work in (asked, panel.work)]
    far = ((roots[0][:, None] - roots[1][None]) ** 2).sum(2)
    same, family = (kinship(networks, panel.networks, relative) for relative in (0.0, 1.0))
    result: Array = (1 - KIN - LIKE_WORK) * same + KIN * family + LIKE_WORK * np.exp(-far / (2 * WORK_WIDTH**2))
    return result
