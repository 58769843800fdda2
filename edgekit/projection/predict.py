"""Predictions for networks in settings, with their tier and their interval."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from edgekit.projection.cost import unseen
from edgekit.projection.figure import Figure, Network
from edgekit.projection.fit import TINY, Array, Block, Fitted, Panel, charges_of, kinship
from edgekit.projection.networks.catalogue import family_of, workload_of
from edgekit.projection.setting import Setting
from edgekit.projection.workload import Kind

Tier = Literal["published", "calibrated", "anchored", "specification"]
FLOOR = 0.05  # of a prediction's own spread in log ms: what re-measuring alone changes, and a little for the sum


@dataclass(frozen=True, slots=True)
class Estimate:
    """A prediction before its interval.

    Attributes:
        block: whose unit costs were used.
        log_ms: natural logarithm of the latency in ms.
        spread: standard deviation that the fit gives it, in log ms.
        tier: "calibrated" by figures of two or more networks in the setting, "anchored" by one, "specification" by none.
        kin: whether a figure of the network's family is among the block's figures.
        unseen: kinds of operators that no figure of the setting had.
    """

    block: Block
    log_ms: float
    spread: float
    tier: Tier
    kin: bool
    unseen: tuple[Kind, ...]


def estimate(fitted: Fitted, there: Array, network: Network, setting: Setting, statistic: str = "") -> Estimate | None:
    """Predict one network in one setting, or None if the operators or the setting are not known.

    Args:
        fitted: the setting's block.
        there: the figures that the block was fitted on.
        network: to be predicted.
        setting: a row of the block, or another run of one.
        statistic: to be predicted; by default the mean of those that the source gives.
    """
    panel = fitted.panel
    row = panel.row(setting)
    work = charges_of(network, panel.block)
    if row is None or work is None:
        return None
    log_ms, spread = _at(fitted, row, work)
    kin = kinship([network], [family_of(network.name)], panel.networks, panel.families)[0]
    log_ms += _beta(fitted, there, row, kin) + panel.lift.get((row, statistic), 0.0)
    return Estimate(panel.block, log_ms, spread, tier_of(there[row]), bool(there[:, kin > 0].any()), _unseen(panel, there[row], network))


def tier_of(there: Array) -> Tier:
    """Of a setting, by the networks that it has figures of."""
    count = int((there > 0).sum())
    return "calibrated" if count >= 2 else "anchored" if count else "specification"


def _at(fitted: Fitted, row: int, work: Array) -> tuple[float, float]:
    terms = np.exp(fitted.theta[row]) * work
    share = terms / terms.sum()
    return float(np.log(terms.sum())), float(np.sqrt(share @ fitted.spread[row] @ share + FLOOR**2))


def _beta(fitted: Fitted, there: Array, row: int, kin: Array) -> float:
    """What the residuals of the same network and of its family say: in similar settings, and in this one."""
    around = fitted.near[row] @ ((fitted.residual + fitted.beta) * there) @ kin
    weight = fitted.near[row] @ there @ kin
    own = there[row] * kin
    from_around = around / (weight + 0.1)
    own_residual = (fitted.residual[row] + fitted.beta[row] - from_around) @ own
    return float(from_around + own_residual / (own.sum() + 0.5))


def _unseen(panel: Panel, there: Array, network: Network) -> tuple[Kind, ...]:
    work = workload_of(network.name, network.width, network.resolution)
    seen: set[Kind] = set()
    for used, known in zip(there, panel.networks, strict=True):
        other = workload_of(known.name, known.width, known.resolution) if used else None
        seen |= other.kinds if other else set()
    return unseen(work, frozenset(seen)) if work else ()


def by_macs(panel: Panel, there: Array, network: Network, setting: Setting) -> float | None:
    """The yardstick: log ms by multiply-accumulates alone, at the median ms per MAC of the setting's figures, or of the block's."""
    row, work = panel.row(setting), workload_of(network.name, network.width, network.resolution)
    if row is None or work is None:
        return None
    macs = np.log([_macs(known) for known in panel.networks])
    rate = panel.logs - macs
    used = there[row] > 0
    rates = rate[row][used] if used.any() else rate[there > 0]
    return float(np.median(rates) + np.log(work.macs)) if len(rates) else None


def _macs(network: Network) -> int:
    work = workload_of(network.name, network.width, network.resolution)
    assert work  # a panel has only networks with known operators
    return work.macs


def match(figures: Sequence[Figure], asked: Figure) -> Figure | None:
    """The very figure that is asked for, if it is published."""
    return next((figure for figure in figures if figure.key == asked.key), None)


__all__ = ["FLOOR", "TINY", "Estimate", "Tier", "by_macs", "estimate", "match", "tier_of"]
