"""One table of what several artifacts spend on each layer of their definition."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.table import Table

from edgekit.breakdown import TOTAL, Cell, Measured, break_down
from edgekit.cli.show import print_lines, print_table
from edgekit.document import read_json
from edgekit.errors import InputError
from edgekit.manifest import FILE_NAME as MANIFEST
from edgekit.manifest import Manifest
from edgekit.mobilenet.layers import list_layers
from edgekit.mobilenet.spec import MobileNetSpec
from edgekit.report import Report
from edgekit.run import Result

SIDE_BY_SIDE = 4  # artifacts: as many as 100 columns hold


def show_operators(results: Sequence[Result], *, every_layer: bool = False) -> None:
    """Print a table for each definition of which an artifact tells its operators.

    Args:
        results: of `edgekit profile`.
        every_layer: a row for each layer, rather than for each block.
    """
    groups: dict[MobileNetSpec, list[Report]] = {}
    for result in results:
        if result.report.operators or result.report.static_profile:
            try:
                spec = read_json(result.folder / MANIFEST, Manifest).model.spec
            except InputError:  # it went away meanwhile; the report was shown
                continue
            groups.setdefault(spec, []).append(result.report)
    for spec, reports in groups.items():
        print_lines("", f"{spec.name}, time by {'layer' if every_layer else 'block'}:")
        for i in range(0, len(reports), SIDE_BY_SIDE):
            print_table(_draw(spec, reports[i : i + SIDE_BY_SIDE], every_layer=every_layer))
            print_lines(*(note for report in reports[i : i + SIDE_BY_SIDE] for note in _notes(report)))


def _draw(spec: MobileNetSpec, reports: Sequence[Report], *, every_layer: bool) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    layers = list_layers(spec)
    unit, letter = (1e6, "M") if sum(layer.macs for layer in layers) >= 10e6 else (1e3, "k")
    for heading, justify in (("layer", "left"), ("kind", "left"), (f"MACs ({letter})", "right")):
        table.add_column(f"\n\n{heading}", justify=justify, no_wrap=True)  # type: ignore[arg-type]  # one of rich's words
    for report in reports:
        told = "ms" if _is_timed(report) else "not timed" if report.operators else "expected on"
        table.add_column(f"{report.target}\n{report.precision}\n{told}", justify="right", no_wrap=True)
        if _is_timed(report):
            table.add_column("\n\n%", justify="right", no_wrap=True)
    for row in break_down(layers, reports, every_layer=every_layer):
        cells = (text for report, cell in zip(reports, row.cells, strict=True) for text in _texts(report, cell))
        macs = f"{row.macs / unit:,.2f}" if row.macs else "-"
        table.add_row(row.name, row.kind, macs, *cells, style="bold" if row.name == TOTAL else "")
    return table


def _is_timed(report: Report) -> bool:
    return bool(report.operators and report.operators.operators)


def _texts(report: Report, cell: Cell) -> tuple[str, ...]:
    if isinstance(cell, Measured):
        return f"{cell.ms:.3f}", f"{100 * cell.share:.1f}"
    return (cell or "-", "") if _is_timed(report) else (cell or "-",)


def _notes(report: Report) -> Iterator[str]:
    name = f"{report.target} {report.precision}"
    times = report.operators
    if times and times.operators:
        against = ""
        if report.latency:
            ratio, doubt = times.total_ms / report.latency.p50_ms, "?" if report.latency.doubts else ""
            against = f", {ratio:.2f}{doubt} times the p50 without timing ({report.latency.p50_ms:.2f}{doubt} ms)"
        yield f"{name}: of {times.runs} inferences with operators timed; together {times.total_ms:.2f} ms{against}."
    elif times:
        yield f"{name}: {times.untold}."
    elif report.static_profile:
        yield f"{name}: not measured; where its products are expected to run, by its static profile."
