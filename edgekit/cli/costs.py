"""Tables of static profiles: what an artifact's operators cost, and where they are expected to run."""

from __future__ import annotations

from collections.abc import Sequence

from edgekit.cli.show import new_table, print_lines, print_table
from edgekit.profile import OpProfile, StaticProfile
from edgekit.run import Result


def show_static_profiles(results: Sequence[Result]) -> None:
    """Print a table for each artifact that has a static profile."""
    for result in results:
        if result.report.static_profile:
            print_lines("", f"{result.folder.name}, operators by type:")
            _show(result.report.static_profile)


def _show(profile: StaticProfile) -> None:
    figures = ("number", "MACs", "kB read", "kB written", *(("share",) if profile.is_native else ()))
    table = new_table("operator", *figures, "may run on", "expected on", figures=figures)
    rules = list(profile.rules)
    groups: dict[tuple[str, tuple[str, ...], str, str], list[OpProfile]] = {}
    for row in profile.operations:
        groups.setdefault((row.type, row.units, row.expected, row.rule), []).append(row)
    for (kind, units, expected, rule), rows in groups.items():
        mark = f" [{rules.index(rule) + 1}]" if rule in rules else ""
        where = (", ".join(units) or "unknown", f"{expected}{mark}")
        table.add_row(kind, *_figures(rows, is_native=profile.is_native), *where)
    table.add_row("total", *_figures(profile.operations, is_native=profile.is_native), "", "", style="bold")
    print_table(table)
    parts = [f"{unit} {part.ops:.0%} of operators and {part.macs:.0%} of MACs" for unit, part in profile.expected.items()]
    missing = f" {profile.uncounted_ops} operators could not be counted." if profile.uncounted_ops else ""
    print_lines(f"Expected: {'; '.join(parts)}.{missing}", f"{profile.basis}.")
    print_lines(*(f"[{number}] {text}" for number, text in enumerate(profile.rules.values(), 1)))


def _figures(rows: Sequence[OpProfile], *, is_native: bool) -> list[str]:
    figures = [
        str(len(rows)),
        _sum([row.macs for row in rows], 1),
        _sum([row.read_bytes for row in rows], 1000),
        _sum([row.written_bytes for row in rows], 1000),
    ]
    return [*figures, f"{sum(row.share or 0 for row in rows):.1%}"] if is_native else figures


def _sum(values: Sequence[int | None], unit: int) -> str:
    """A total; with "?" where a part of it is not known."""
    known = [value for value in values if value is not None]
    return f"{sum(known) / unit:,.0f}{'?' if len(known) < len(values) else ''}"
