"""The fit behind projections, made when one is asked for: of the figures that ship, in a second."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from edgekit.projection.database import Database, Known
from edgekit.projection.figure import Figure, Network
from edgekit.projection.fit import Fitted, fit, parent_of
from edgekit.projection.panel import Block, Panel, panels_of
from edgekit.projection.predict import names_of, survey
from edgekit.projection.setting import Setting
from edgekit.projection.workload import Kind, Workload


@dataclass(frozen=True, slots=True)
class Prediction:
    """Of one network in one setting.

    Attributes:
        log_ms: natural logarithm of the latency in ms.
        half_width: of the 90 % interval, in log ms.
        unseen: kinds of operators that the network has and no figure of the setting had.
    """

    log_ms: float
    half_width: float
    unseen: tuple[Kind, ...]


class Predictor:
    """Predicts from a database; every block is fitted once."""

    def __init__(self, database: Database) -> None:
        """Sort the settings that may be fitted on into blocks."""
        self._widths = database.widths
        self._known: dict[Block, list[Known]] = defaultdict(list)
        for known in database.settings:
            if known.tier != "none":
                self._known[known.setting.block].append(known)
        self._panels: dict[Block, Panel] = {}
        self._fitted: dict[Block, Fitted] = {}

    def predict(self, setting: Setting, tier: str, network: Network, work: Workload) -> Prediction:
        """Predict a network whose work need not be that of the catalogue.

        Args:
            setting: of the database, and of a tier that is not "none".
            tier: its own.
            network: name, width and resolution.
            work: with the network's own head and input.
        """
        block = setting.block
        if block not in self._fitted:
            self._sort_in(block)
            self._fitted |= fit(self._panels, only=[block])
        panel = self._panels[block]
        surface, row = survey(self._fitted[block], panel.there, [network], [work]), panel.rows[setting]
        half = self._widths.half_width(block, tier, bool(surface.kin[0]), float(surface.spread[row, 0]))
        unseen = names_of(surface.unseen[row, 0]) if panel.there[row].any() else ()
        return Prediction(float(surface.log_ms[row, 0]), half, unseen)

    def _sort_in(self, block: Block | None) -> None:
        """Make the panel of a block, and of those that its fit starts from."""
        while block:
            if block not in self._panels:
                figures = [figure for known in self._known[block] for figure in _figures_of(known)]
                self._panels |= panels_of(figures, [known.setting for known in self._known[block] if not known.figures])
            block = parent_of(block)


def _figures_of(known: Known) -> list[Figure]:
    return [
        Figure(
            split="",
            source_id=published.source.name,
            network=Network(published.network, published.width, published.resolution),
            setting=known.setting,
            latency_ms=published.latency_ms,
            statistic=published.statistic,
            model=published.network,
            source=published.citation,
            licence=published.source.licence,
            line=0,
        )
        for published in known.fitted
    ]
