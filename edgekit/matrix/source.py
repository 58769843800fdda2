"""What runs left on disk: a whole matrix, or one artifact as a matrix of one cell."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

from edgekit.document import read_json
from edgekit.errors import InputError
from edgekit.matrix.record import FILE_NAME as MATRIX
from edgekit.matrix.record import CellResult, MatrixReport
from edgekit.report import FILE_NAME as REPORT
from edgekit.report import Report


@dataclass(frozen=True, slots=True)
class Source:
    """What was read.

    Attributes:
        cells: in the order of the file.
        is_artifact: it is one artifact and no matrix, so its cell's name is its folder's.
    """

    cells: tuple[CellResult, ...]
    is_artifact: bool


def read_source(path: Path) -> Source:
    """Read a matrix or one artifact: its folder, or the JSON file in it.

    Raises:
        InputError: it cannot be read, or is neither.
    """
    if is_matrix(path):
        return Source(read_matrix(path).cells, is_artifact=False)
    file = path / REPORT if path.is_dir() else path
    if path.is_dir() and not file.exists():
        raise InputError(f"{path} has neither {MATRIX} nor {REPORT}: it is no output of `edgekit matrix`, and no artifact")
    report = read_json(file, Report)
    name = f"{report.model}-{report.target}-{report.precision}"
    reason = report.problem.message if report.problem else ""
    cell = CellResult(
        name, report.model, None, report.target, report.precision, "", report.status, reason, report.exit_code, False, (), report
    )
    return Source((cell,), is_artifact=True)


def is_matrix(path: Path) -> bool:
    """Tell whether a folder has a matrix.json, or a file is one. What cannot be read is none: reading it says why."""
    if path.is_dir():
        return (path / MATRIX).exists()
    try:
        return b'"cells"' in path.read_bytes()
    except OSError:
        return False


def read_matrix(path: Path) -> MatrixReport:
    """Read matrix.json, given it or its folder.

    Raises:
        InputError: it cannot be read, two cells have one name, or a name is none of a folder inside the output.
    """
    file = path / MATRIX if path.is_dir() else path
    matrix: MatrixReport = read_json(file, MatrixReport)
    for name, count in Counter(cell.name for cell in matrix.cells).items():
        if count > 1:
            raise InputError(f"{file} is broken: {count} cells are called {name!r}")
        if not name or name.startswith(".") or not name.isprintable() or set(name) & set("/\\"):  # it is where files are written
            raise InputError(f"{file} is broken: a cell is called {name!r}, which is no folder's name")
    return matrix


def rename(cells: tuple[CellResult, ...], name: str) -> tuple[CellResult, ...]:
    """Call the one cell of an artifact as another, so that artifacts of two names can be compared."""
    (cell,) = cells
    return (replace(cell, name=name),)
