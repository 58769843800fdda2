"""matrix.md: the matrix in a screenful of GitHub's Markdown, for a pull request and for the summary of a workflow's step."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from edgekit.document import write_bytes
from edgekit.errors import OutputError
from edgekit.matrix.record import CellResult, MatrixReport
from edgekit.matrix.wording import WORDS, clean, columns_of, reason_of, rows_of, sentence
from edgekit.report import Status

FILE_NAME = "matrix.md"
STEP_SUMMARY = "GITHUB_STEP_SUMMARY"
MAX_BYTES = 1024 * 1024
"""Of a step's summary: GitHub drops one that is larger. docs.github.com, "Workflow commands", step isolation and limits."""
SYMBOLS: dict[Status, str] = {"passed": "✅", "converted": "⚠️", "failed": "❌", "skipped": "⏭️"}
_SHOWN = 5  # reasons; more of them are folded away
_MAX_REASON = 500  # characters; report.html has the whole
_MAX_NAME = 200
_RESERVED_BYTES = 2048  # for the headline, and for the line that says what was left out


def write_summary(matrix: MatrixReport, folder: Path) -> Path:
    """Write matrix.md into a folder that exists, and append it to the file that $GITHUB_STEP_SUMMARY names.

    Raises:
        OutputError: one of both cannot be written.
    """
    path = folder / FILE_NAME
    write_bytes(path, render_summary(matrix).encode())
    if place := os.environ.get(STEP_SUMMARY):
        _append(matrix, Path(place))
    return path


def render_summary(matrix: MatrixReport, max_bytes: int = MAX_BYTES) -> str:
    """The text. What does not fit is left out, and the text says so.

    Args:
        matrix: the results.
        max_bytes: of UTF-8 that there is room for.
    """
    blocks = [["### edgekit matrix", "", f"**{escape(sentence(matrix))}**"], *_blocks(matrix)]
    text, left = "", max_bytes - _RESERVED_BYTES
    for block in blocks:
        piece = "\n".join(block) + "\n\n"
        if len(piece.encode()) > left:
            return f"{text}Not everything fits here: report.html and matrix.json have all {len(matrix.cells)} cells.\n"
        text, left = text + piece, left - len(piece.encode())
    return f"{text.rstrip()}\n"


def escape(text: str) -> str:
    """Text as Markdown that shows just this text, in a table too: on one line, with nothing that means anything."""
    flat = " ".join(clean(text).split())
    safe = flat.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    marked = re.sub(r"([\\`*_{}\[\]()#~|!])", r"\\\1", safe)
    # mathematics, mentions and addresses are found by GitHub in the text itself, whatever a backslash says
    return marked.replace("$", "<span>$</span>").replace("@", "<span>@</span>").replace("://", "<span>:</span>//")


def _blocks(matrix: MatrixReport) -> Iterator[list[str]]:
    """Pieces that stand or fall as a whole."""
    if not matrix.cells:
        return
    yield list(_table(matrix))
    reasons = [line for line in (_reason(cell) for cell in matrix.cells) if line]
    if not reasons:
        return
    if len(reasons) <= _SHOWN:
        yield reasons
        return
    yield ["<details>", f"<summary>Why {len(reasons)} cells did not pass</summary>", "", *reasons, "", "</details>"]


def _table(matrix: MatrixReport) -> Iterator[str]:
    columns = columns_of(matrix)
    yield f"| model | {' | '.join(f'{_name(each.target)}<br>{_name(each.precision)}' for each in columns)} |"
    yield f"| :-- |{' :-- |' * len(columns)}"
    for model, row in rows_of(matrix).items():
        cells = ("<br>".join(map(_outcome, row[column])) if column in row else "" for column in columns)
        yield f"| {_name(model)} | {' | '.join(cells)} |"


def _outcome(cell: CellResult) -> str:
    return f"{SYMBOLS[cell.outcome]} {WORDS[cell.outcome]}"


def _reason(cell: CellResult) -> str:
    if cell.outcome == "passed":
        return ""
    return f"- {_outcome(cell)}: **{_name(cell.name)}**: {escape(_cut(reason_of(cell), _MAX_REASON))}"


def _name(text: str) -> str:
    return escape(_cut(text, _MAX_NAME)) or "-"


def _cut(text: str, length: int) -> str:
    flat = " ".join(clean(text).split())
    return flat if len(flat) <= length else f"{flat[:length]}…"


def _append(matrix: MatrixReport, place: Path) -> None:
    """Behind what is there already, in the room that it leaves."""
    try:
        there = place.stat().st_size if place.exists() else 0
        with place.open("ab") as file:
            file.write((("\n" if there else "") + render_summary(matrix, MAX_BYTES - there)).encode())
    except OSError as error:
        raise OutputError(f"cannot append to {place}, which ${STEP_SUMMARY} names: {error.strerror}") from error
