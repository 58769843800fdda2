"""The figures of one runtime, unit and precision as a table: settings down, networks across."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edgekit.projection.cost import charges
from edgekit.projection.figure import Figure, Network
from edgekit.projection.likeness import Array, Differences, differences
from edgekit.projection.networks.catalogue import family_of, workload_of
from edgekit.projection.setting import Setting
from edgekit.projection.workload import Workload

Block = tuple[str, str, str]
TINY = 1e-9


@dataclass
class Panel:
    """The figures of one block as a table: settings down, networks across.

    Attributes:
        block: which.
        settings: of the rows.
        networks: of the columns.
        families: of the columns.
        work: (networks, terms) charges in ms.
        logs: (settings, networks) log ms; 0 where there is no figure.
        there: 1.0 where there is a figure.
        apart: how unlike the settings are.
        lifts: (setting, statistic) -> by network, log of how much longer this statistic is than the mean of all there are of it.
        rows: of the settings.
        loose_rows: of the settings, by what runs have in common.
        columns: of the networks.
    """

    block: Block
    settings: list[Setting]
    networks: list[Network]
    families: npt.NDArray[np.str_]
    work: Array
    logs: Array
    there: Array
    apart: Differences
    lifts: dict[tuple[int, str], dict[int, float]]
    rows: dict[Setting, int]
    loose_rows: dict[tuple[str, ...], int]
    columns: dict[Network, int]

    def row(self, setting: Setting) -> int | None:
        """Of a setting, or else of another run of it, or None."""
        return self.rows.get(setting, self.loose_rows.get(setting.loosely))

    def lift(self, row: int, statistic: str, there: Array) -> float:
        """Log of how much longer a statistic is, by the figures of the setting that may be used; 0 where none tells."""
        told = [value for column, value in self.lifts.get((row, statistic), {}).items() if there[row, column] > 0]
        return float(np.median(told)) if told else 0.0


def known_work(network: Network) -> Workload | None:
    """The work of a published network, or None if its operators are not known here, or not in this size."""
    return workload_of(network.name, network.width, network.resolution)


def charges_of(network: Network, block: Block) -> Array | None:
    """Charges of a published network in ms, or None if its operators are not known here."""
    work = known_work(network)
    return None if work is None else np.array(charges(work, block[0], block[1])) + TINY


def panels_of(figures: Sequence[Figure], asked: Iterable[Setting] = ()) -> dict[Block, Panel]:
    """Sort figures into blocks; figures of networks whose operators are not known are left out.

    Args:
        figures: published ones.
        asked: settings that there may be no figure of, to have rows of their own.
    """
    sorted_in: dict[Block, list[Figure]] = defaultdict(list)
    for figure in figures:
        if known_work(figure.network) is not None:
            sorted_in[figure.setting.block].append(figure)
    measured = {figure.setting.loosely for kept in sorted_in.values() for figure in kept}
    empty: dict[Block, list[Setting]] = defaultdict(list)
    for setting in asked:
        if setting.loosely not in measured:
            empty[setting.block].append(setting)
    return {block: _panel(block, found, empty[block]) for block, found in sorted(sorted_in.items())}


def _panel(block: Block, figures: Sequence[Figure], empty: Sequence[Setting]) -> Panel:
    settings = list(dict.fromkeys([*(figure.setting for figure in figures), *empty]))
    networks = list(dict.fromkeys(figure.network for figure in figures))
    rows, columns = {s: i for i, s in enumerate(settings)}, {n: j for j, n in enumerate(networks)}
    total, count = np.zeros((len(settings), len(networks))), np.zeros((len(settings), len(networks)))
    for figure in figures:
        at = rows[figure.setting], columns[figure.network]
        total[at] += figure.log_ms
        count[at] += 1
    logs = total / np.maximum(count, 1)
    lifted: dict[tuple[int, str], dict[int, list[float]]] = defaultdict(lambda: defaultdict(list))
    for figure in figures:
        row, column = rows[figure.setting], columns[figure.network]
        lifted[row, figure.statistic][column].append(figure.log_ms - logs[row, column])
    lifts = {key: {column: float(np.mean(found)) for column, found in told.items()} for key, told in lifted.items()}
    work = np.array([charges_of(network, block) for network in networks])
    families = np.array([family_of(network.name) for network in networks])
    there = (count > 0).astype(float)
    apart = differences(settings, settings)
    loose = {setting.loosely: i for i, setting in reversed(list(enumerate(settings)))}
    return Panel(block, settings, networks, families, work, logs, there, apart, lifts, rows, loose, columns)


def kinship(asked: Sequence[Network], known: Sequence[Network], relative: float) -> Array:
    """How much a known network's residual says of another: 1 for itself, `relative` for its family, 0 for others."""
    families = np.array([family_of(network.name) for network in known])
    rows = [
        np.where(families == family_of(network.name), np.where([network == other for other in known], 1.0, relative), 0.0)
        for network in asked
    ]
    return np.array(rows, float).reshape(len(asked), len(known))
