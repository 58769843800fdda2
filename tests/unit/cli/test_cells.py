"""Progress of a matrix: a table on a terminal, lines elsewhere, nothing when quiet."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from edgekit.cli.cells import CellProgress, show_cells, show_matrix
from edgekit.matrix.cell import Cell, Subject
from edgekit.mobilenet.overrides import Overrides
from tests import gallery

NAMES = ("small-onnx-float32", "small-coreml-float32")


def follow(progress: CellProgress) -> None:
    """Two stages of one cell, and what came of it."""
    with progress:
        progress.enter("small (model)", "capture")
        progress.enter(NAMES[0], "convert")
        progress.finish(NAMES[0], replace(gallery.report(), status="converted"))


def test_a_line_for_each_stage_where_there_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    follow(CellProgress(NAMES, quiet=False))
    captured = capsys.readouterr()
    assert captured.err.splitlines() == [
        "small (model): capture",
        "small-onnx-float32: convert",
        "small-onnx-float32: not verified",
    ]
    assert captured.out == ""


def test_nothing_when_quiet(capsys: pytest.CaptureFixture[str]) -> None:
    follow(CellProgress(NAMES, quiet=True))
    assert capsys.readouterr() == ("", "")


def test_a_table_on_a_terminal(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(Console, "is_terminal", property(lambda self: True))
    progress = CellProgress(NAMES, quiet=False)
    follow(progress)
    drawn = capsys.readouterr().err
    assert "small (model)" in drawn
    assert "not verified" in drawn
    assert "1 of 2 cells converted" in drawn


def test_a_matrix_is_a_row_for_each_cell_and_a_line_for_each_reason(capsys: pytest.CaptureFixture[str]) -> None:
    matrix = gallery.everything()
    code = show_matrix(matrix, Path("out"), ("a: disk full",), json=False)
    captured = capsys.readouterr()
    assert code == 5  # an artifact that is not in the output folder
    assert "a: disk full" in captured.err
    assert captured.out.rstrip().endswith("report.html: out")
    for cell in matrix.cells:
        if cell.reason:
            assert f"{cell.name}: " in captured.out


def test_cells_are_listed_by_name(capsys: pytest.CaptureFixture[str]) -> None:
    subject = Subject("small", "small.pth", Overrides(), None, None, None, None, 8, allow_overlap=False, resolution=None)
    assert show_cells([Cell(subject, "onnx", "float32")], json=False) == 0
    assert capsys.readouterr().out == "small-onnx-float32\n"
