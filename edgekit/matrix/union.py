"""Outputs of several machines as one matrix: what each of them said of the same artifacts."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from edgekit.document import read_json, write_json
from edgekit.errors import InputError, OutputError
from edgekit.manifest import FILE_NAME as MANIFEST
from edgekit.manifest import read_manifest
from edgekit.matrix.config import Limits
from edgekit.matrix.record import FILE_NAME as MATRIX
from edgekit.matrix.record import CellResult, MatrixReport
from edgekit.matrix.reports import write_reports
from edgekit.matrix.source import read_matrix
from edgekit.matrix.verdict import give_verdict
from edgekit.merge import unite
from edgekit.output import check_places, publish, staging_in
from edgekit.report import FILE_NAME as REPORT
from edgekit.report import Report


@dataclass(frozen=True, slots=True)
class Part:
    """What one machine said of a cell: its result, and the folder where its artifact would be."""

    cell: CellResult
    folder: Path

    @property
    def is_made(self) -> bool:
        """There is an artifact, whatever was said of it."""
        return self.cell.report is not None and bool(self.cell.report.files)


def merge_matrices(paths: Sequence[Path], output: Path) -> MatrixReport:
    """Put outputs together, and write what comes of them as `edgekit matrix` would: artifacts, report.json, matrix.json, reports.

    The report.json beside an artifact counts, not what matrix.json said of it before: `edgekit verify` and `edgekit profile`
    change the first alone.

    Args:
        paths: output folders, or matrix.json files; one or more.
        output: folder that gets the whole; new, or without a matrix.

    Raises:
        InputError: one cannot be read, or two have different files or goals under one name.
        OutputError: the output cannot be written, or has a matrix already.
    """
    matrices = [read_matrix(path) for path in paths]
    parts: dict[str, list[Part]] = {}
    for path, matrix in zip(paths, matrices, strict=True):
        root = path if path.is_dir() else path.parent
        for cell in matrix.cells:
            parts.setdefault(cell.name, []).append(_read_part(cell, root / cell.name))
    merged = replace(
        matrices[0],
        cells=tuple(_merge_cell(each) for each in parts.values()),
        wall_seconds=sum(matrix.wall_seconds for matrix in matrices),
        versions={name: version for matrix in reversed(matrices) for name, version in matrix.versions.items()},
    )
    _write(merged, parts, output)
    return merged


def _read_part(cell: CellResult, folder: Path) -> Part:
    """Take the report beside the artifact instead of the matrix's, if it is about the same files."""
    known = cell.report
    if known is None or not known.files or not (folder / REPORT).is_file():
        return Part(cell, folder)
    beside: Report = read_json(folder / REPORT, Report)
    unite((known, beside), (f"{folder.parent / MATRIX}'s {cell.name}", str(folder / REPORT)))  # raises if they are not
    return Part(replace(cell, report=beside), folder)


def _merge_cell(parts: Sequence[Part]) -> CellResult:
    """Put one cell together: a failure to make it stands, what was not tried yields to what was made."""
    for part in parts:
        if not part.is_made and part.cell.outcome == "failed":
            return part.cell
    made = [part for part in parts if part.is_made]
    if not made:
        return max((part.cell for part in parts), key=lambda cell: cell.exit_code != 0)  # rather than one that was left out
    report = unite([part.cell.report for part in made if part.cell.report], [str(part.folder) for part in made])
    return give_verdict(report, _limits(made)).on(replace(made[0].cell, report=report))


def _limits(parts: Sequence[Part]) -> Limits:
    """What the goals that were judged ask for.

    Raises:
        InputError: one is unknown, or two outputs ask for different things.
    """
    limits: dict[str, float] = {}
    for part in parts:
        for goal in part.cell.goals:
            if goal.name not in Limits.__struct_fields__:
                raise InputError(f"{part.folder}: there is no goal {goal.name!r}")
            if limits.setdefault(goal.name, goal.limit) != goal.limit:
                raise InputError(
                    f"{parts[0].folder} and {part.folder} were judged by different goals: {goal.name} is "
                    f"{limits[goal.name]:g} in one and {goal.limit:g} in the other. Run both with one edgekit.toml"
                )
    return Limits(**limits)


def _write(matrix: MatrixReport, parts: Mapping[str, Sequence[Part]], output: Path) -> None:
    if (output / MATRIX).exists():
        raise OutputError(f"{output / MATRIX} is there already. Choose another --output")
    check_places(output, parts, force=False)
    with staging_in(output) as staging:
        fresh = [_stage(cell, parts[cell.name], staging) for cell in matrix.cells]
        for folder in fresh:
            if folder:
                publish(folder, output / folder.name, force=False)
        write_reports(matrix, output)


def _stage(cell: CellResult, parts: Sequence[Part], staging: Path) -> Path | None:
    """Copy a cell's folder, and put the merged report in it; None where there is neither."""
    is_made = cell.report is not None and bool(cell.report.files)
    found = [part.folder for part in parts if part.is_made == is_made and part.folder.is_dir()]
    source = next((folder for folder in found if (folder / MANIFEST).is_file()), found[0] if found else None)
    if source is None and not is_made:
        return None
    fresh = staging / cell.name
    try:
        if source:
            shutil.copytree(source, fresh, symlinks=True)
        else:  # a matrix.json came alone, without the artifacts
            fresh.mkdir()
    except OSError as error:
        raise OutputError(f"cannot copy {source} to {staging.parent}: {error.strerror or error}") from error
    if (fresh / MANIFEST).is_file() and cell.report and read_manifest(fresh).files != cell.report.files:
        raise InputError(f"{source} has other files than its report is about. Was it converted again?")
    if cell.report:
        write_json(fresh / REPORT, cell.report)
    return fresh
