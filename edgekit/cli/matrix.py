"""`edgekit matrix`: many models to many targets."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edgekit.cli import flags

EXAMPLES = (
    "Examples:  edgekit init && edgekit matrix  |  edgekit matrix --only target=onnx --skip '*-int8'  |  "
    "edgekit matrix --list --json  |  edgekit matrix --scheduler tcp://head:8786 --timeout 30m"
)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("matrix", epilog=EXAMPLES)(matrix)


def matrix(
    config: Annotated[Path, typer.Option("--config", "-c", help="The file: see `edgekit init`.")] = Path("edgekit.toml"),
    only: Annotated[
        list[str] | None,
        typer.Option(
            "--only", help="Cells to run: a pattern for names (*-onnx-*), or target=, precision=, model=. Several times."
        ),
    ] = None,
    skip: Annotated[list[str] | None, typer.Option("--skip", help="Cells not to run, likewise.")] = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Instead of the file's `output`.")] = None,
    jobs: Annotated[
        int, typer.Option("--jobs", "-j", min=0, help="Conversions side by side; 0: as many as cores and memory hold.")
    ] = 0,
    timeout: Annotated[str | None, typer.Option("--timeout", help="For one worker: 90s, 30m, 1h. [default: none]")] = None,
    rebuild: Annotated[bool, typer.Option("--rebuild", help="Make everything again, known or not.")] = False,
    fail_fast: Annotated[bool, typer.Option("--fail-fast", help="Begin nothing more after a failure.")] = False,
    latency: Annotated[bool, typer.Option(help="Measure latencies, as the file says.")] = True,
    scheduler: Annotated[
        str | None,
        typer.Option(
            "--scheduler", help="A Dask cluster's scheduler, tcp://HOST:PORT; its workers have edgekit and its targets."
        ),
    ] = None,
    list_only: Annotated[bool, typer.Option("--list", help="Show the cells, and run nothing.")] = False,
    json: flags.Json = False,
    quiet: flags.Quiet = False,
) -> int:
    """Convert every model to every target at every precision, as edgekit.toml says; what is known already is not made again."""
    from edgekit.cli.cells import CellProgress, show_cells, show_matrix
    from edgekit.matrix.cache import Cache, default_root
    from edgekit.matrix.execution import MatrixPlan, execute, list_cells
    from edgekit.matrix.file import read_config
    from edgekit.matrix.reports import write_reports

    found = read_config(config)
    folder = config.absolute().parent
    plan = MatrixPlan(
        found,
        folder,
        Cache(default_root(), makes_again=rebuild),
        output or folder / Path(found.output).expanduser(),
        tuple(only or ()),
        tuple(skip or ()),
        jobs,
        flags.seconds(timeout) if timeout else None,
        fail_fast,
        latency,
        scheduler,
    )
    cells, left_out = list_cells(plan)
    if list_only:
        return show_cells([cell for cell in cells if cell.name not in left_out], json=json)
    with CellProgress([cell.name for cell in cells if cell.name not in left_out], quiet=quiet) as progress:
        report, unsaved = execute(plan, progress.enter, progress.finish)
    write_reports(report, plan.output)
    return show_matrix(report, plan.output, unsaved, json=json)
