"""The table that `edgekit verify --arithmetic` prints."""

from __future__ import annotations

from collections.abc import Sequence

from edgekit.cli.show import new_table, print_lines, print_table
from edgekit.envelope import Envelope
from edgekit.report import Report


def show_envelopes(reports: Sequence[Report]) -> None:
    """Print how far the numbers of each artifact spread, what each arithmetic is, and what was found inside."""
    examined = [(report, report.envelope) for report in reports if report.envelope]
    if not examined:
        return
    names = list(dict.fromkeys(name for _, envelope in examined for name in envelope.arithmetics))
    columns = (*(f"{name} dB" for name in names), "spread dB", "same class")
    table = new_table("model", "target", "precision", "output", *columns, figures=columns)
    for report, envelope in examined:
        for output in envelope.outputs:
            figures = [_decibels(output.sqnr_db[name]) if name in output.sqnr_db else "-" for name in names]
            spread = "-" if output.lowest_db is None else f"{output.lowest_db:.1f} to {output.highest_db:.1f}"
            same = "-" if output.agreement is None else f"{output.agreement:.0%}"
            table.add_row(report.model, report.target, report.precision, output.output, *figures, spread, same)
    print_lines("", "The same files in other arithmetics, worst picture against float64; the verdict above is not changed by it:")
    print_table(table)
    print_lines(*dict.fromkeys(line for _, envelope in examined for line in _explained(envelope)))


def _decibels(value: float | None) -> str:
    return "not finite" if value is None else f"{value:.1f}"


def _explained(envelope: Envelope) -> list[str]:
    return [
        *(f"{name}: {what}" for name, what in envelope.arithmetics.items()),
        *(f"{name}: does not run: {why}" for name, why in envelope.refused.items()),
        *map(str, envelope.findings),
    ]
