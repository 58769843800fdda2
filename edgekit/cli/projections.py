"""The three sources of a latency in one table, each row saying which it is: measured here, published, or predicted."""

from __future__ import annotations

from collections.abc import Sequence

from edgekit.cli.show import new_table, print_lines, print_table
from edgekit.latency import Latency
from edgekit.machine import Machine, describe_machine
from edgekit.projection.artifact import Projected
from edgekit.report import Report
from edgekit.run import Result

MEASURED, THIS_MACHINE = "measured", "this machine"
HEADINGS = ("artifact", "on", "runtime", "unit", "precision", "threads", "ms", "90% interval", "source")
FIGURES = ("threads", "ms", "90% interval")
MEANINGS = {
    "calibrated": "predicted, from figures of two networks or more in this setting",
    "anchored": "predicted, from one figure in this setting and similar chips",
    "specification": "predicted, from similar chips alone: no figure in this setting",
}


def show_projections(results: Sequence[Result], projected: Sequence[Projected]) -> None:
    """Print every latency of every artifact."""
    if not projected:
        return
    table = new_table(*HEADINGS, figures=FIGURES)
    notes: list[str] = []
    here = describe_machine()
    for folder in dict.fromkeys(result.folder for result in results):
        name = folder.name
        for report in (result.report for result in results if result.folder == folder):
            for latency in (report.latency, *report.more_latencies):
                table.add_row(name, *_measured(latency, report, here, notes))
        for each in (each for each in projected if each.folder == str(folder)):
            for row in each.projections:
                interval = "-" if row.tier == "published" else f"{_ms(row.low_ms)} to {_ms(row.high_ms)}"
                marks = "".join(f"[{_number(note, notes)}]" for note in row.notes)
                where = (row.device, row.runtime, row.compute_unit, row.precision.partition(" (")[0])
                table.add_row(name, *where, row.threads or "-", _ms(row.latency_ms), interval, f"{row.tier}{marks}")
            if each.reason:
                table.add_row(name, each.device, "-", "-", "-", "-", "-", "-", f"none[{_number(each.reason, notes)}]")
    print_lines("")
    print_table(table)
    tiers = sorted({row.tier for each in projected for row in each.projections} & MEANINGS.keys())
    print_lines(*(f"{tier}: {MEANINGS[tier]}" for tier in tiers))
    print_lines(*(f"[{number}] {note}" for number, note in enumerate(notes, 1)))
    sources = sorted(
        {f"{citation} ({licence})" for each in projected for row in each.projections for citation, licence in row.sources}
    )
    print_lines("Figures of others: " + "; ".join(sources) if sources else "No figures of others.")


def _measured(latency: Latency | None, report: Report, here: Machine, notes: list[str]) -> tuple[str, ...]:
    runtime = report.runtime.runtime if report.runtime else "-"
    if latency is None:
        return (report.board or THIS_MACHINE, runtime, "-", report.precision, "-", "-", "-", "not measured")
    elsewhere = latency.machine.processor if latency.machine else "a machine not told"
    place = report.board_of(latency) or (THIS_MACHINE if latency.machine == here else elsewhere)
    doubts = f"[{_number('too noisy to trust: ' + '; '.join(latency.doubts), notes)}]" if latency.doubts else ""
    figures = (str(latency.num_threads), f"{_ms(latency.p50_ms)}{'?' if doubts else ''}", "-")
    return (place, runtime, "cpu", report.precision, *figures, f"{MEASURED}{doubts}")


def _ms(value: float) -> str:
    return f"{value:.2f}" if value >= 1 else f"{value:.3f}"


def _number(note: str, notes: list[str]) -> int:
    if note not in notes:
        notes.append(note)
    return notes.index(note) + 1
