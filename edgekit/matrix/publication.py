"""Results into the output folder: each artifact with its report, by one rename, unless it lies there already."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from edgekit.document import encode_json, write_bytes
from edgekit.errors import OutputError
from edgekit.output import publish
from edgekit.report import FILE_NAME as REPORT
from edgekit.report import Report


def name_lock(output: Path) -> str:
    """What runs that write to one folder all lock."""
    return f"output-{hashlib.sha256(bytes(output.resolve())).hexdigest()}"


def publish_cells(
    sources: Mapping[str, Sequence[Path]], reports: Mapping[str, Report], output: Path, staging: Path
) -> tuple[str, ...]:
    """Put cells into the output folder.

    Args:
        sources: folders whose files make up a cell's, by its name. Their report.json does not count.
        reports: of all cells, by name.
        output: where to.
        staging: a folder on the same file system.

    Returns:
        What could not be put there, with the reason.
    """
    unsaved = []
    for name, folders in sources.items():
        try:
            _publish(name, folders, reports[name], output, staging)
        except (OSError, OutputError) as error:
            unsaved.append(f"{name}: {error}")
    return tuple(unsaved)


def _publish(name: str, folders: Sequence[Path], report: Report, output: Path, staging: Path) -> None:
    content = encode_json(report)
    if _is_there(output / name, folders, report, content):
        return
    fresh = staging / name
    for folder in folders:
        shutil.copytree(folder, fresh, ignore=shutil.ignore_patterns(REPORT), dirs_exist_ok=True)
    write_bytes(fresh / REPORT, content)
    publish(fresh, output / name, force=True)


def _is_there(place: Path, folders: Sequence[Path], report: Report, content: bytes) -> bool:
    """Whether a place has this report, all that lies beside it, and the artifact's files, by their sizes."""
    try:
        if (place / REPORT).read_bytes() != content:
            return False
        beside = {name for folder in folders for name in os.listdir(folder)}
        return beside <= set(os.listdir(place)) and all(
            os.stat(place / file.path).st_size == file.size_bytes for file in report.files
        )
    except OSError:
        return False
