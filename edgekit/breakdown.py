"""The layers of a definition with what several artifacts spend on each, side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from edgekit.mobilenet.layers import Layer
from edgekit.operators import OperatorTimes, find_layer
from edgekit.profile import StaticProfile
from edgekit.report import Report

FUSED = "fused"
UNKNOWN_LAYER = "of no known layer"
TOTAL = "total"


@dataclass(frozen=True, slots=True)
class Measured:
    """What a runtime spent on a row.

    Attributes:
        ms: per inference.
        share: of the time of all operators, 0 to 1.
    """

    ms: float
    share: float


Cell = Measured | str
"""A time, or words: `FUSED` for a layer without an operator of its own, where it is expected to run, or nothing."""


@dataclass(frozen=True, slots=True)
class Row:
    """A layer, a block, what belongs to none, or the total.

    Attributes:
        name: of the layer or block, as `edgekit inspect` names it.
        kind: of the layer; "block" for several.
        macs: multiply-accumulates of the definition.
        cells: one for each report.
    """

    name: str
    kind: str
    macs: int
    cells: tuple[Cell, ...]


def break_down(layers: Sequence[Layer], reports: Sequence[Report], *, every_layer: bool = False) -> tuple[Row, ...]:
    """Put reports about one definition side by side.

    Args:
        layers: of the definition, in the order of execution.
        reports: columns; those that tell nothing of operators have empty cells.
        every_layer: a row each, rather than one for a whole block.
    """
    groups: dict[str, list[Layer]] = {}
    for layer in layers:
        groups.setdefault(layer.name if every_layer else layer.name.rpartition(".")[0] or layer.name, []).append(layer)
    columns = [_columns(report, [layer.name for layer in layers]) for report in reports]
    rows = []
    for name, group in groups.items():
        cells = tuple(_cell(column, [layer.name for layer in group]) for column in columns)
        rows.append(Row(name, group[0].kind if len(group) == 1 else "block", sum(layer.macs for layer in group), cells))
    if any("" in column for column in columns):
        rows.append(Row(UNKNOWN_LAYER, "", 0, tuple(_cell(column, [""]) if "" in column else "" for column in columns)))
    totals = tuple(_total(report.operators) for report in reports)
    return (*rows, Row(TOTAL, "", sum(layer.macs for layer in layers), totals))


def _columns(report: Report, layers: Sequence[str]) -> Mapping[str, Cell]:
    """What a report tells of each layer; of none where it tells nothing."""
    if report.operators and report.operators.operators:
        return _measured(report.operators, layers)
    return _expected(report.static_profile, layers) if report.static_profile else {}


def _measured(times: OperatorTimes, layers: Sequence[str]) -> dict[str, Cell]:
    total_ms = times.total_ms or 1.0
    found: dict[str, Cell] = {name: Measured(ms, ms / total_ms) for name, ms in times.layer_ms.items()}
    return dict.fromkeys(layers, FUSED) | found


def _expected(profile: StaticProfile, layers: Sequence[str]) -> dict[str, Cell]:
    units: dict[str, dict[str, None]] = {}
    products = [operation for operation in profile.operations if operation.macs]
    for operation in products:
        layer = find_layer(operation.name, layers)
        if not layer and operation is products[-1]:  # what gives the artifact's output is called after the output
            layer = layers[-1]
        units.setdefault(layer, {})[operation.expected] = None
    return {name: ", ".join(expected) for name, expected in units.items() if name}


def _cell(column: Mapping[str, Cell], layers: Sequence[str]) -> Cell:
    cells = [column[name] for name in layers if name in column]
    measured = [cell for cell in cells if isinstance(cell, Measured)]
    if measured:
        return Measured(sum(cell.ms for cell in measured), sum(cell.share for cell in measured))
    return ", ".join(dict.fromkeys(str(cell) for cell in cells))


def _total(times: OperatorTimes | None) -> Cell:
    return Measured(times.total_ms, 1.0) if times and times.operators else ""
