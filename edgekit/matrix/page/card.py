"""What the page shows of one cell, besides its records: where it is found, its plots and its bars."""

from __future__ import annotations

from dataclasses import dataclass

from edgekit.breakdown import UNKNOWN_LAYER
from edgekit.matrix.page.plot import Plot, draw
from edgekit.matrix.record import CellResult
from edgekit.matrix.wording import figures_of, log_of, reason_of
from edgekit.operators import OperatorTimes
from edgekit.parity import OutputParity, SampleParity
from edgekit.report import Report


@dataclass(frozen=True, slots=True)
class Bar:
    """A part of an inference.

    Attributes:
        name: of a block or layer of the definition, as `edgekit inspect` names it, or a kind of operator.
        ms: of all its operators.
        share: of the time of all operators, 0 to 1.
        length: of the bar: 1 for the longest.
    """

    name: str
    ms: float
    share: float
    length: float


@dataclass(frozen=True, slots=True)
class Card:
    """One cell.

    Attributes:
        cell: its record.
        anchor: its id in the page: `report.html#cell-NAME` opens it.
        sqnr: with its unit, or "-".
        p50: likewise, "?" where it is doubtful.
        size: likewise.
        reason: why it did not pass; empty where it did.
        log: the last lines of the worker's output; empty where there are none.
        is_stand_in: it was checked, and not with the vendor's runtime.
        plots: of the latencies, the one of the grid first.
        blocks: of the definition, in the order of execution.
        layers: likewise.
        kinds: of operators, the longest first.
    """

    cell: CellResult
    anchor: str
    sqnr: str
    p50: str
    size: str
    reason: str
    log: str
    is_stand_in: bool
    plots: tuple[Plot, ...]
    blocks: tuple[Bar, ...]
    layers: tuple[Bar, ...]
    kinds: tuple[Bar, ...]


def make_card(cell: CellResult, number: int) -> Card:
    """Prepare a cell.

    Args:
        cell: its record.
        number: its place in the matrix, for an id where the name has what an id or a link may not have.
    """
    report = cell.report
    times = report.operators if report else None
    plain = cell.name.isascii() and cell.name.isprintable() and not set(cell.name) & set(" \"'<>&%#")
    return Card(
        cell,
        f"cell-{cell.name}" if plain else f"cell:{number}",
        *figures_of(cell),
        reason=reason_of(cell),
        log=log_of(cell),
        is_stand_in=bool(report and report.runtime and report.runtime.kind == "reference"),
        plots=_plots(report) if report else (),
        blocks=_bars(times, whole_blocks=True),
        layers=_bars(times, whole_blocks=False),
        kinds=_sized(times.kind_ms) if times else (),
    )


def worst_sample(output: OutputParity) -> SampleParity | None:
    """The picture that an output is furthest off on, or the input where none is a picture; no figure at all is the worst."""
    rows = [row for row in output.samples if row.kind == "image"] or list(output.samples)
    return min(rows, key=lambda row: float("-inf") if row.sqnr_db is None else row.sqnr_db, default=None)


def _plots(report: Report) -> tuple[Plot, ...]:
    return tuple(draw(latency) for latency in (report.latency, *report.more_latencies) if latency)


def _bars(times: OperatorTimes | None, *, whole_blocks: bool) -> tuple[Bar, ...]:
    """In the order of execution; what belongs to no known layer comes last."""
    sums: dict[str, float] = {}
    for operator in times.operators if times else ():
        block = operator.layer.rpartition(".")[0] if whole_blocks else ""
        name = block or operator.layer or UNKNOWN_LAYER
        sums[name] = sums.get(name, 0.0) + operator.ms
    if UNKNOWN_LAYER in sums:
        sums[UNKNOWN_LAYER] = sums.pop(UNKNOWN_LAYER)
    return _sized(sums)


def _sized(sums: dict[str, float]) -> tuple[Bar, ...]:
    total, longest = sum(sums.values()) or 1.0, max(sums.values(), default=0.0) or 1.0
    return tuple(Bar(name, ms, ms / total, ms / longest) for name, ms in sums.items())
