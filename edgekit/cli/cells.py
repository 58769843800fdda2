"""What the user sees of a matrix: a live table while it runs, and the outcome of every cell."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from rich.console import Console, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from edgekit.cli.show import VERDICTS, Output, new_table, parity_figures, print_json, print_lines, print_table
from edgekit.errors import OutputError
from edgekit.matrix.cell import Cell
from edgekit.matrix.record import CellResult, MatrixReport
from edgekit.matrix.wording import WORDS
from edgekit.report import Report, Status

ROWS = 24  # of the live table: those that run or have just ended


@dataclass
class _Row:
    stage: str = "waiting"
    began: float = 0.0
    seconds: float = 0.0
    result: Status | None = None


class CellProgress:
    """A live table on a terminal (cell, stage, time, result), plain lines elsewhere, nothing when quiet."""

    def __init__(self, cells: Sequence[str], *, quiet: bool) -> None:
        """Show all cells as waiting."""
        self._console = Console(stderr=True, quiet=quiet)
        self._rows = {cell: _Row() for cell in cells}
        self._count = len(cells)  # rows of what cells share come to them
        self._lock = threading.Lock()
        self._is_live = self._console.is_terminal and not quiet
        self._live = Live(console=self._console, get_renderable=self._draw, refresh_per_second=4, transient=True)

    def enter(self, cell: str, stage: str) -> None:
        """Show that a cell, or what cells share, has entered a stage."""
        if not self._is_live:
            self._console.print(f"{cell}: {stage}", style=None, markup=False, highlight=False, soft_wrap=True)
            return
        with self._lock:
            row = self._rows.setdefault(cell, _Row())
            now = time.monotonic()
            row.began = row.began or now
            row.stage = stage
            row.seconds = now - row.began

    def finish(self, cell: str, report: Report) -> None:
        """Show what came of a cell."""
        word = WORDS[report.status]
        if not self._is_live:
            self._console.print(f"{cell}: {word}", style=None, markup=False, highlight=False, soft_wrap=True)
            return
        with self._lock:
            row = self._rows[cell]
            row.stage, row.result = "done", report.status
            row.seconds = time.monotonic() - row.began if row.began else 0.0

    def _draw(self) -> RenderableType:
        table = new_table("cell", "stage", "s", "result", figures=("s",))
        now = time.monotonic()
        with self._lock:
            done = sum(bool(row.result) for row in self._rows.values())
            running = [(name, row) for name, row in self._rows.items() if row.stage not in ("waiting", "done")]
            ended = [(name, row) for name, row in self._rows.items() if row.stage == "done"]
            for name, row in [*ended[-(ROWS - len(running)) :], *running][-ROWS:]:
                seconds = row.seconds if row.stage == "done" else now - row.began
                result = Text(WORDS[row.result], style=VERDICTS[row.result]) if row.result else ""
                table.add_row(name, row.stage, f"{seconds:.0f}", result)
        table.caption = f"{done} of {self._count} cells converted"
        table.caption_justify = "left"
        return table

    def __enter__(self) -> Self:
        if self._is_live:
            self._live.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._is_live:
            self._live.stop()


def show_cells(cells: Sequence[Cell], *, json: bool) -> int:
    """Print the cells that would run."""
    if json:
        rows = [
            {
                "name": cell.name,
                "model": cell.subject.name,
                "resolution": cell.subject.resolution,
                "target": cell.target,
                "precision": cell.precision,
            }
            for cell in cells
        ]
        print_json({"schema_version": 1, "cells": rows})
    else:
        print_lines(*(cell.name for cell in cells))
    return 0


def show_matrix(matrix: MatrixReport, folder: Path, unsaved: Sequence[str], *, json: bool) -> int:
    """Print a line for each cell, or JSON, and return the exit code of the whole."""
    for text in unsaved:
        print(f"edgekit: not in the output folder: {text}", file=sys.stderr)
    code = OutputError.exit_code if unsaved else matrix.exit_code
    if json:
        print_json({"exit_code": code, "folder": str(folder), "matrix": matrix})
        return code
    table = _table(matrix.cells)
    print_table(table)
    console = Output(soft_wrap=True)
    for cell in matrix.cells:
        if cell.reason:
            console.print(f"{cell.name}: {WORDS[cell.outcome]}: {cell.reason}", markup=False, highlight=False)
    reused = sum(cell.is_reused for cell in matrix.cells)
    console.print(
        f"{len(matrix.cells)} cells, {reused} of them known before, in {matrix.wall_seconds:.1f} s. "
        f"Artifacts and report.html: {folder}",
        markup=False,
        highlight=False,
    )
    return code


def _table(cells: Sequence[CellResult]) -> Table:
    figures = ("SQNR dB", "drop", "MB", "p50 ms", "p95 ms")
    table = new_table("model", "target", "precision", "outcome", *figures, "", figures=figures)
    for cell in cells:
        outcome = Text(WORDS[cell.outcome], style=VERDICTS[cell.outcome])
        known = "known" if cell.is_reused else ""
        table.add_row(cell.model, cell.target, cell.precision, outcome, *_figures(cell.report), known)
    return table


def _figures(report: Report | None) -> tuple[str, ...]:
    if report is None:
        return ("-",) * 5
    latency = report.latency
    doubt = "?" if latency and latency.doubts else ""
    return (
        parity_figures(report.parity)[0],
        f"{report.accuracy.drop_points:.2f}" if report.accuracy else "-",
        "-" if report.size_bytes is None else f"{report.size_bytes / 1e6:.2f}",
        *(f"{value:.2f}{doubt}" for value in ((latency.p50_ms, latency.p95_ms) if latency else ())),
        *(() if latency else ("-", "-")),
    )
