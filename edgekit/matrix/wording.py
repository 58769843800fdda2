"""What came of a matrix, in words: the same in report.html, junit.xml and matrix.md."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass

from edgekit.latency import Latency
from edgekit.matrix.record import CellResult, GoalResult, MatrixReport
from edgekit.report import Status

WORDS: dict[Status, str] = {"passed": "passed", "converted": "not verified", "failed": "failed", "skipped": "skipped"}
SEVERE_FIRST: tuple[Status, ...] = ("failed", "converted", "skipped", "passed")

GOALS = {  # name in edgekit.toml -> what is measured, the limit's side, and the form of both figures
    "min_sqnr_db": ("SQNR", "at least", "{:g} dB"),
    "max_top1_drop": ("drop of top-1", "at most", "{:g} points"),
    "max_p95_ms": ("p95", "at most", "{:g} ms"),
    "max_size_mb": ("size", "at most", "{:g} MB"),
    "min_delegated": ("delegated", "at least", "{:.1%}"),
}
# what a log has for a terminal, and what neither XML 1.0 nor UTF-8 can hold
_COLOURS = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")
_UNUSABLE = re.compile("[^\t\n\u0020-\u007e\u00a0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True, slots=True)
class Column:
    """Of the grid: a target in one precision."""

    target: str
    precision: str


def clean(text: str) -> str:
    """Take colours off, and put U+FFFD in the place of control characters, which break XML."""
    return _UNUSABLE.sub("\ufffd", _COLOURS.sub("", text).replace("\r\n", "\n").replace("\r", "\n"))


def columns_of(matrix: MatrixReport) -> tuple[Column, ...]:
    """Targets and precisions in the order of the file, those of one target side by side."""
    columns = dict.fromkeys(Column(cell.target, cell.precision) for cell in matrix.cells)
    targets = list(dict.fromkeys(column.target for column in columns))
    return tuple(sorted(columns, key=lambda column: targets.index(column.target)))  # a stable sort


def rows_of(matrix: MatrixReport) -> dict[str, dict[Column, list[CellResult]]]:
    """Cells by model and column, models in the order of the file; a matrix put together by hand may have two in one place."""
    rows: dict[str, dict[Column, list[CellResult]]] = {}
    for cell in matrix.cells:
        rows.setdefault(cell.model, {}).setdefault(Column(cell.target, cell.precision), []).append(cell)
    return rows


def count(matrix: MatrixReport) -> dict[Status, int]:
    """How many cells ended how; outcomes that none has are left out."""
    found = Counter(cell.outcome for cell in matrix.cells)
    return {outcome: found[outcome] for outcome in SEVERE_FIRST if found[outcome]}


def sentence(matrix: MatrixReport) -> str:
    """The verdict of the whole. "All passed" is said only where every cell did."""
    counts, total = count(matrix), len(matrix.cells)
    if not total:
        return "There was nothing to do: no cell was chosen."
    if counts == {"passed": total}:
        return "The one cell passed." if total == 1 else f"All {total} cells passed."
    parts: list[str] = []
    for outcome, number in counts.items():
        verb = {"converted": "is " if number == 1 else "are ", "skipped": "was " if number == 1 else "were "}.get(outcome, "")
        of_all = f" of {total} {'cell' if total == 1 else 'cells'}" if not parts else ""
        parts.append(f"{number}{of_all} {verb}{WORDS[outcome]}")
    return f"{', '.join(parts)}."


def worst_of(matrix: MatrixReport) -> Status:
    """What the whole is marked with. A cell that was left out on purpose (exit code 0) does not mark it."""
    marks = {cell.outcome for cell in matrix.cells if cell.outcome != "skipped" or cell.exit_code}
    order: tuple[Status, ...] = ("failed", "converted", "skipped", "passed")
    return next((outcome for outcome in order if outcome in marks), "skipped")


def reason_of(cell: CellResult) -> str:
    """Why a cell did not pass: its own reason, or what its report says; never nothing."""
    if cell.outcome == "passed":
        return ""
    problem = cell.report.problem if cell.report else None
    return cell.reason or (problem.message if problem else "") or "no reason was recorded"


def log_of(cell: CellResult) -> str:
    """The last lines of the worker's output, where they were kept."""
    problem = cell.report.problem if cell.report else None
    return clean(problem.log).strip("\n") if problem else ""


def seconds_of(cell: CellResult) -> float:
    """Wall time of this cell's stages, in s; 0 where an earlier run did the work."""
    return 0.0 if cell.is_reused or cell.report is None else sum(cell.report.seconds.values())


def figures_of(cell: CellResult) -> tuple[str, str, str]:
    """SQNR, median latency and size with their units; "-" where there is none, "?" behind a latency that is doubtful."""
    report = cell.report
    if report is None:
        return "-", "-", "-"
    sqnr = report.parity.worst_sqnr_db if report.parity else None
    size = "-" if report.size_bytes is None else f"{report.size_bytes / 1e6:.2f} MB"
    return figure(sqnr, "{:.1f} dB"), p50_of(report.latency), size


def p50_of(latency: Latency | None) -> str:
    """Median with its unit, and "?" where it is doubtful."""
    return "-" if latency is None else figure(latency.p50_ms, "{:.2f}" + ("? ms" if latency.doubts else " ms"))


def goal_parts(goal: GoalResult) -> tuple[str, str, str]:
    """What is measured, what is asked for, and what was found, with units; "-" where nothing was."""
    what, side, form = GOALS.get(goal.name, (goal.name, "limit", "{:g}"))
    value = goal.value if goal.value is None or "%" in form else float(f"{goal.value:.4g}")
    return what, f"{side} {form.format(goal.limit)}", figure(value, form)


def goal_line(goal: GoalResult) -> str:
    """A goal and its verdict as one line."""
    what, limit, value = goal_parts(goal)
    return f"goal {goal.name}: {what} {value}, {limit}: {goal.verdict}{f' ({goal.reason})' if goal.reason else ''}"


def figure(value: float | None, form: str) -> str:
    """A figure in this form; "-" for none, and for one that is not a number."""
    return "-" if value is None or value != value else form.format(value)  # noqa: PLR0124  (NaN alone differs from itself)
