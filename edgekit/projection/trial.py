"""Leaving out: what the fit says of figures that it was not given."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edgekit.projection.figure import Figure
from edgekit.projection.fit import Fitted, fit
from edgekit.projection.likeness import Array
from edgekit.projection.panel import Block, Panel
from edgekit.projection.predict import Tier, by_macs, names_of, survey, tier_of
from edgekit.projection.workload import Kind

FOLDS = 6
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Trial:
    """A figure, and what was predicted for it without it.

    Attributes:
        figure: the one held back.
        log_ms: predicted, natural logarithm of ms.
        spread: standard deviation of log_ms that the fit gives.
        tier: by the figures that were left in its setting.
        kin: whether figures of its family were left anywhere in the block.
        unseen: kinds of operators that no figure left in the setting had.
        macs_log_ms: predicted by the yardstick.
        held: what was held back with it: a family, a fold of networks, or of devices.
    """

    figure: Figure
    log_ms: float
    spread: float
    tier: Tier
    kin: bool
    unseen: tuple[Kind, ...]
    macs_log_ms: float
    held: str

    @property
    def error(self) -> float:
        """Predicted less measured, in log ms."""
        return self.log_ms - self.figure.log_ms


def without_families(panels: dict[Block, Panel], figures: Sequence[Figure]) -> Iterator[Trial]:
    """Every family of networks in turn is held back, on all devices."""
    for family in sorted({family for panel in panels.values() for family in panel.families}):
        held = {block: np.repeat((panel.families == family)[None], len(panel.settings), 0) for block, panel in panels.items()}
        yield from hold(panels, held, figures, f"family {family}")


def without_networks(panels: dict[Block, Panel], figures: Sequence[Figure]) -> Iterator[Trial]:
    """A sixth of the networks is held back, whose families may stay; six times."""
    order = {network: i for i, network in enumerate(sorted({n for p in panels.values() for n in p.networks}, key=str))}
    for fold in range(FOLDS):
        held = {
            block: np.repeat(
                np.array([order[network] % FOLDS == fold for network in panel.networks])[None], len(panel.settings), 0
            )
            for block, panel in panels.items()
        }
        yield from hold(panels, held, figures, f"networks {fold}")


def without_devices(
    panels: dict[Block, Panel], figures: Sequence[Figure], *, anchored: bool, one_by_one: bool = False
) -> Iterator[Trial]:
    """A sixth of the devices keeps one network in every setting, the one most often published, or none; six times.

    Args:
        panels: all figures.
        figures: those to be predicted are among them.
        anchored: keep one network in every setting.
        one_by_one: hold back every device by itself instead, as often as there are devices.
    """
    devices = {d: i for i, d in enumerate(sorted({s.device for p in panels.values() for s in p.settings}))}
    folds = len(devices) if one_by_one else FOLDS
    for fold in range(folds):
        held = {}
        for block, panel in panels.items():
            rows = np.array([devices[setting.device] % folds == fold for setting in panel.settings])
            kept = np.zeros(panel.there.shape, bool)
            if anchored:
                often = np.where(panel.there > 0, panel.there.sum(0)[None], -1.0).argmax(1)
                kept[np.arange(len(rows)), often] = True
            held[block] = rows[:, None] & ~kept
        yield from hold(panels, held, figures, f"devices {fold}")


def hold(panels: dict[Block, Panel], held: dict[Block, Mask], figures: Sequence[Figure], name: str) -> Iterator[Trial]:
    """Fit without the held figures, and predict those.

    Args:
        panels: all figures.
        held: (settings, networks) of each block: hold these back.
        figures: those to be predicted are among them.
        name: of what is held.
    """
    there = {block: panel.there * ~held[block] for block, panel in panels.items()}
    asked: dict[Block, list[tuple[Figure, int, int]]] = defaultdict(list)
    for figure in figures:
        panel = panels.get(figure.setting.block)
        row = panel.row(figure.setting) if panel else None
        column = panel.columns.get(figure.network) if panel else None
        if row is not None and column is not None and held[figure.setting.block][row, column]:
            asked[figure.setting.block].append((figure, row, column))
    fitted = fit(panels, there, [block for block in asked if there[block].any()])
    for block, model in fitted.items():
        yield from _predicted(model, there[block], asked[block], name)


def _predicted(model: Fitted, there: Array, asked: Sequence[tuple[Figure, int, int]], name: str) -> Iterator[Trial]:
    panel = model.panel
    surface = survey(model, there, panel.networks)
    macs = by_macs(panel, there, panel.networks)
    count = (there > 0).sum(1)
    for figure, row, column in asked:
        yield Trial(
            figure,
            float(surface.log_ms[row, column]) + panel.lift(row, figure.statistic, there),
            float(surface.spread[row, column]),
            tier_of(int(count[row])),
            bool(surface.kin[column]),
            names_of(surface.unseen[row, column]),
            float(macs[row, column]),
            name,
        )
