"""`edgekit compare`: what changed between two runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edgekit.cli import flags

EXAMPLES = "Examples:  edgekit compare main/ out/   |   edgekit compare main/matrix.json out/matrix.json --fail-if-worse"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("compare", epilog=EXAMPLES)(compare)


def compare(
    old: Annotated[
        Path,
        typer.Argument(help="Output folder of `edgekit matrix`, or its matrix.json; or one artifact.", show_default=False),
    ],
    new: Annotated[Path, typer.Argument(help="The same of a later run.", show_default=False)],
    fail_if_worse: Annotated[
        bool,
        typer.Option(
            "--fail-if-worse",
            help="End with 1 if something is proven to be worse: an outcome, a goal newly missed, top-1, more than 1 % more "
            "bytes, or latency.",
        ),
    ] = False,
    json: flags.Json = False,
) -> int:
    """Tell what changed between two runs of a matrix: outcome, parity, accuracy, size, latency; and what is unproven.

    Latency is judged only between runs on the same machine, and only far beyond what the same artifact varies by from start to
    start. `edgekit profile OLD NEW --compare` times two artifacts in turns, and sees a few percent.
    """
    from edgekit.cli.changes import show_changes
    from edgekit.errors import UsageError
    from edgekit.matrix.change import compare_runs
    from edgekit.matrix.source import read_source, rename

    before, after = read_source(old), read_source(new)
    if before.is_artifact != after.is_artifact:
        raise UsageError("compare takes two matrices or two artifacts, not one of each")
    cells = rename(before.cells, after.cells[0].name) if before.is_artifact else before.cells
    changes = compare_runs(cells, after.cells)
    code = int(fail_if_worse and any(change.worse for change in changes))
    show_changes(changes, old, new, code, json=json)
    return code
