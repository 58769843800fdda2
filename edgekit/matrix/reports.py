"""All that a run leaves besides its artifacts: matrix.json, report.html, junit.xml, matrix.md."""

from __future__ import annotations

from pathlib import Path

from edgekit.document import write_json
from edgekit.matrix.junit import write_junit
from edgekit.matrix.record import FILE_NAME, MatrixReport
from edgekit.matrix.summary import write_summary


def write_reports(matrix: MatrixReport, folder: Path) -> None:
    """Write them all into a folder, each aside first and then renamed into place.

    Raises:
        OutputError: the folder cannot be written.
    """
    write_json(folder / FILE_NAME, matrix)
    write_junit(matrix, folder)
    write_summary(matrix, folder)
