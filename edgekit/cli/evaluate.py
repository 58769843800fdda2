"""`evaluate`: accuracy of artifacts on labelled pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edgekit.cli import flags


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(
        "evaluate",
        epilog="Examples:  edgekit evaluate out/digits-* --images digits  |  "
        "edgekit evaluate out/mobilenet_v2_1.0_224-* --images pictures -m mobilenet_v2_1.0_224 --max-drop 1",
    )(evaluate)


def evaluate(
    artifacts: flags.Artifacts,
    images: Annotated[
        Path,
        typer.Option(
            "--images",
            help="Labelled pictures: a folder with labels.csv (columns file, and label or index), such a .csv file itself, a "
            "folder with one folder per class, or `digits`, which edgekit ships (a folder of that name is ./digits).",
            parser=flags.pictures,
            metavar="PATH",
            show_default=False,
        ),
    ],
    model: Annotated[
        str | None,
        typer.Option("--model", "-m", help="The float model to compare with. [default: the one that the manifest names]"),
    ] = None,
    max_drop: Annotated[
        float | None,
        typer.Option("--max-drop", min=0, help="Exit code 1 if top-1 is more points (of 100) below the float model's than this."),
    ] = None,
    limit: Annotated[int | None, typer.Option("--limit", min=1, help="So many of the pictures, evenly spread.")] = None,
    threads: flags.Threads = 1,
    json: flags.Json = False,
    quiet: flags.Quiet = False,
) -> int:
    """Count how often artifacts are right on labelled pictures, against the float model in PyTorch."""
    from edgekit import evaluation, evaluator, run
    from edgekit.cli.accuracies import Bars, show_evaluations

    plan = evaluation.EvaluationPlan(images, model, threads, limit, max_drop)
    folders = [run.artifact_folder(path) for path in artifacts]
    with Bars(quiet=quiet) as bars:
        outcome = evaluator.evaluate(folders, plan, bars.enter, bars.advance)
    return show_evaluations(outcome, json=json)
