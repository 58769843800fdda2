"""What a fit says of networks in settings: latency, spread, and whether it was ever shown such an operator."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from edgekit.projection.cost import charges, terms_of
from edgekit.projection.figure import Network
from edgekit.projection.fit import Fitted
from edgekit.projection.likeness import Array
from edgekit.projection.networks.catalogue import workload_of
from edgekit.projection.panel import TINY, Panel, kinship
from edgekit.projection.workload import KINDS, Kind, Workload

Tier = Literal["published", "calibrated", "anchored", "specification"]
FLOOR = 0.05  # of a prediction's own spread in log ms: what measuring again changes, and a little for the sum
UNSEEN = 1.0  # of the log unit cost of a kind that no figure of the setting had: little more than its order of magnitude


@dataclass(frozen=True)
class Surface:
    """Predictions for networks in all settings of a block.

    Attributes:
        log_ms: (settings, networks) natural logarithm of the latency in ms.
        spread: (settings, networks) standard deviation that the fit gives it.
        unseen: (settings, networks, kinds) kinds of operators that the network has and no figure of the setting had.
        kin: (networks,) whether the block has a figure of the network's family.
    """

    log_ms: Array
    spread: Array
    unseen: npt.NDArray[np.bool_]
    kin: npt.NDArray[np.bool_]


def survey(fitted: Fitted, there: Array, networks: Sequence[Network], works: Sequence[Workload] = ()) -> Surface:
    """Predict networks, whose operators must be known, in all settings of a block.

    Args:
        fitted: the block.
        there: (settings, networks) the figures that it was fitted on.
        networks: to be predicted.
        works: theirs, where they are not those of the catalogue: other heads, other inputs.
    """
    panel, works = fitted.panel, works or [work_of(network) for network in networks]
    work = np.array([charges(each, *panel.block[:2]) for each in works]) + TINY
    terms = np.exp(fitted.theta)[:, None, :] * work[None]
    total = terms.sum(2)
    share = terms / total[:, :, None]
    variance = fitted.variance(share, networks) + FLOOR**2 + _misfit(fitted, there)[:, None]
    has = np.array([kinds_in(each) for each in works])
    shown = there @ np.array([kinds_in(work_of(network)) for network in panel.networks], float) > 0
    unseen = np.asarray(has[None] & ~shown[:, None])
    terms_of_kinds = np.array([[name == kind for name in terms_of(panel.block[1])] for kind in KINDS], float)
    spread = np.sqrt(variance + (UNSEEN * (share * (unseen @ terms_of_kinds)).sum(2)) ** 2)
    kin = np.asarray((kinship(networks, panel.networks, 1.0) * there.any(0)).any(1))
    return Surface(np.log(total) + fitted.beta(networks), spread, unseen, kin)


def _misfit(fitted: Fitted, there: Array) -> Array:
    """(settings,) mean square by which a setting's own figures differ from what is said of them.

    A fit that takes figures for outliers is sure of what it says of the others: two campaigns in one setting are no outliers.
    """
    panel = fitted.panel
    said = np.log(np.exp(fitted.theta) @ panel.work.T) + fitted.beta(panel.networks)
    result: Array = ((panel.logs - said) ** 2 * there).sum(1) / np.maximum(there.sum(1), 1)
    return result


def tier_of(count: int) -> Tier:
    """Of a setting with figures of so many networks."""
    return "calibrated" if count >= 2 else "anchored" if count else "specification"


def work_of(network: Network) -> Workload:
    """Of a network whose operators are known."""
    work = workload_of(network.name, network.width, network.resolution)
    assert work
    return work


def kinds_in(work: Workload) -> npt.NDArray[np.bool_]:
    """Which of `KINDS` a workload has."""
    return np.array([kind in work.kinds for kind in KINDS])


def names_of(mask: npt.NDArray[np.bool_]) -> tuple[Kind, ...]:
    """The kinds of a mask over `KINDS`."""
    return tuple(kind for kind, there in zip(KINDS, mask, strict=True) if there)


def by_macs(panel: Panel, there: Array, networks: Sequence[Network]) -> Array:
    """The yardstick: (settings, networks) log ms by multiply-accumulates alone.

    At the median ms per multiply-accumulate of the setting's figures, or of the block's where the setting has none.
    """
    rate = np.where(there > 0, panel.logs - np.log([work_of(network).macs for network in panel.networks]), np.nan)
    overall = np.nanmedian(rate) if (there > 0).any() else 0.0
    rates = [np.nanmedian(row) if np.isfinite(row).any() else overall for row in rate]
    result: Array = np.array(rates)[:, None] + np.log([work_of(network).macs for network in networks])[None]
    return result
