"""The table of `edgekit compare`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from rich.text import Text

from edgekit.cli.show import new_table, print_json, print_lines, print_table
from edgekit.matrix.change import CellChange
from edgekit.matrix.difference import Difference

FIGURES = ("SQNR dB", "top-1 %", "MB", "p50 ms")
STYLES = {"better": "green", "faster": "green", "worse": "red", "slower": "red", "unproven": "yellow"}


def show_changes(changes: Sequence[CellChange], old: Path, new: Path, code: int, *, json: bool) -> None:
    """Print a table, or JSON; what got worse goes to stderr as well where it decides the exit code."""
    if json:
        print_json({"schema_version": 1, "exit_code": code, "old": str(old), "new": str(new), "cells": changes})
    else:
        _print_changes(changes, old, new)
    for change in changes if code else ():
        if change.worse:
            print(f"edgekit: {change.name} is worse: {', '.join(change.worse)}", file=sys.stderr)


def _print_changes(changes: Sequence[CellChange], old: Path, new: Path) -> None:
    notes: list[str] = []
    table = new_table("cell", "artifact", "outcome", *FIGURES, "goals", figures=FIGURES)
    for change in changes:
        artifact = "same" if change.is_same_artifact else {"both": "changed", "new": "new", "gone": "gone"}[change.presence]
        table.add_row(
            Text(change.name),
            artifact,
            _shown(change.outcome, "{}", notes),
            _shown(change.parity, "{:.1f}", notes),
            _shown(change.accuracy, "{:.2f}", notes),
            _shown(change.size, "{:.2f}", notes, unit=1e6),
            _shown(change.latency, "{:.2f}", notes),
            _goals(change),
        )
    print_table(table)
    numbered = (f"[{number}] {note}" for number, note in enumerate(notes, 1))
    print_lines(*numbered, *_summary(changes, old, new))


def _shown(difference: Difference, form: str, notes: list[str], *, unit: float = 1) -> Text:
    """`old -> new verdict`, or one figure where both look alike."""
    texts = [_figure(value, form, unit) for value in (difference.old, difference.new)]
    text = texts[0] if texts[0] == texts[1] else " -> ".join(texts)
    verdict = "" if difference.verdict in ("same", "none") or difference.old is None else f" {difference.verdict}"
    mark = ""
    if difference.reason and difference.verdict != "same":
        if difference.reason not in notes:
            notes.append(difference.reason)
        mark = f"[{notes.index(difference.reason) + 1}]"
    return Text(f"{text}{verdict}{mark}", style=STYLES.get(difference.verdict, ""))


def _figure(value: float | str | None, form: str, unit: float) -> str:
    if value is None:
        return "-"
    return form.format(value if isinstance(value, str) else value / unit)


def _goals(change: CellChange) -> Text:
    """Goals that changed, and those missed before and now."""
    told = [
        (f"{name}: {goal.old or 'none'} -> {goal.new or 'none'}" if goal.old != goal.new else f"{name}: still {goal.new}")
        for name, goal in change.goals.items()
        if goal.old != goal.new or goal.new == "missed"
    ]
    is_worse = any(goal.verdict == "worse" for goal in change.goals.values())
    return Text(", ".join(told) or ("-" if not change.goals else "as before"), style="red" if is_worse else "")


def _summary(changes: Sequence[CellChange], old: Path, new: Path) -> list[str]:
    counts = {
        "worse": sum(bool(change.worse) for change in changes),
        "new": sum(change.presence == "new" for change in changes),
        "gone": sum(change.presence == "gone" for change in changes),
        "of the same artifact": sum(change.is_same_artifact for change in changes),
    }
    lines = [f"{len(changes)} cells: {', '.join(f'{count} {word}' for word, count in counts.items())}."]
    unproven = next((change.name for change in changes if change.latency.verdict == "unproven"), None)
    if unproven:
        first, second = ((path if path.is_dir() else path.parent) for path in (old, new))
        if (first / unproven).is_dir() and (second / unproven).is_dir():
            first, second = first / unproven, second / unproven
        lines.append(
            "Unproven latency: the two runs were not timed in turns. "
            f"`edgekit profile {first} {second} --compare` does that, on one machine, and proves a few percent."
        )
    return lines
