"""Leaving out: what the fit says of figures that it was not given."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from edgekit.projection.figure import Figure
from edgekit.projection.fit import Array, Block, Panel, fit
from edgekit.projection.predict import Estimate, by_macs, estimate

FOLDS = 6


@dataclass(frozen=True, slots=True)
class Trial:
    """A figure held back, and what was predicted for it.

    Attributes:
        figure: the one held back.
        guess: made without it.
        macs_log_ms: the yardstick's prediction, in log ms.
        held: what was held back with it: a family, a fold of networks, or a device.
    """

    figure: Figure
    guess: Estimate
    macs_log_ms: float
    held: str

    @property
    def error(self) -> float:
        """Predicted less measured, in log ms."""
        return self.guess.log_ms - self.figure.log_ms


def without_families(panels: dict[Block, Panel], figures: Sequence[Figure]) -> Iterator[Trial]:
    """Every family of networks in turn is held back on all devices."""
    for family in sorted({family for panel in panels.values() for family in panel.families}):
        held = {block: (panel.families == family)[None] & (panel.there > 0) for block, panel in panels.items()}
        yield from _run(panels, held, figures, f"family {family}")


def without_networks(panels: dict[Block, Panel], figures: Sequence[Figure]) -> Iterator[Trial]:
    """A sixth of the networks is held back, whose families may stay; six times."""
    order = {network: i for i, network in enumerate(sorted({n for p in panels.values() for n in p.networks}, key=str))}
    for fold in range(FOLDS):
        held = {
            block: np.array([order[network] % FOLDS == fold for network in panel.networks])[None] & (panel.there > 0)
            for block, panel in panels.items()
        }
        yield from _run(panels, held, figures, f"networks {fold}")


def without_devices(panels: dict[Block, Panel], figures: Sequence[Figure], *, anchored: bool) -> Iterator[Trial]:
    """A sixth of the devices keeps one network in every setting, the one most often published, or none; six times."""
    devices = {d: i for i, d in enumerate(sorted({s.device for p in panels.values() for s in p.settings}))}
    for fold in range(FOLDS):
        held = {}
        for block, panel in panels.items():
            rows = np.array([devices[setting.device] % FOLDS == fold for setting in panel.settings])
            kept = np.zeros_like(panel.there, bool)
            if anchored:
                often = np.where(panel.there > 0, panel.there.sum(0)[None], -1.0).argmax(1)
                kept[np.arange(len(rows)), often] = True
            held[block] = rows[:, None] & ~kept & (panel.there > 0)
        yield from _run(panels, held, figures, f"devices {fold}")


def _run(panels: dict[Block, Panel], held: dict[Block, Array], figures: Sequence[Figure], name: str) -> Iterator[Trial]:
    there = {block: panel.there * ~held[block] for block, panel in panels.items()}
    only = [block for block in panels if held[block].any() and there[block].any()]
    fitted = fit(panels, there, only)
    for figure in figures:
        block = figure.setting.block
        if block not in fitted:
            continue
        panel = panels[block]
        row = panel.row(figure.setting)
        if row is None or figure.network not in panel.networks or not held[block][row, panel.networks.index(figure.network)]:
            continue
        guess = estimate(fitted[block], there[block], figure.network, figure.setting, figure.statistic)
        macs = by_macs(panel, there[block], figure.network, figure.setting)
        if guess and macs is not None:
            yield Trial(figure, guess, macs, name)
