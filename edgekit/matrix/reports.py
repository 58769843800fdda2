"""All that a run leaves besides its artifacts: matrix.json, report.html, junit.xml, matrix.md."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from edgekit.document import read_json, write_json
from edgekit.errors import InputError, OutputError
from edgekit.matrix.record import FILE_NAME, MatrixReport

DRAWN = ("report.html", "junit.xml", "matrix.md")


def write_reports(matrix: MatrixReport, folder: Path) -> None:
    """Write them all into a folder, each aside first and then renamed into place.

    What is drawn of a matrix is drawn again only if a result differs from what lies there: not because it is known by now.

    Raises:
        OutputError: the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)  # a run of which nothing came has left no folder
    except OSError as error:
        raise OutputError(f"cannot write to {folder}: {error.strerror}. Choose another --output") from error
    is_drawn = all((folder / name).is_file() for name in DRAWN) and _results(_read(folder)) == _results(matrix)
    write_json(folder / FILE_NAME, matrix)
    if is_drawn and not os.environ.get("GITHUB_STEP_SUMMARY"):
        return
    from edgekit.matrix.junit import write_junit
    from edgekit.matrix.page import write_page
    from edgekit.matrix.summary import write_summary

    write_page(matrix, folder)
    write_junit(matrix, folder)
    write_summary(matrix, folder)


def _read(folder: Path) -> MatrixReport | None:
    try:
        return read_json(folder / FILE_NAME, MatrixReport)
    except InputError:
        return None


def _results(matrix: MatrixReport | None) -> MatrixReport | None:
    """All but how this run came to them."""
    if matrix is None:
        return None
    return replace(matrix, wall_seconds=0.0, cells=tuple(replace(cell, is_reused=False) for cell in matrix.cells))
