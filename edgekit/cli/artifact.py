"""`verify`, `predict` and `merge`: what can be done with artifacts and their reports."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edgekit.cli import flags

DEFAULT_TOP = 5
MERGE_EXAMPLES = "Examples:  edgekit merge linux/report.json mac/report.json -o report.json  |  edgekit merge linux mac -o out"


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("verify", epilog="Example:  edgekit verify out/digits-onnx-float32")(verify)
    app.command("merge", epilog=MERGE_EXAMPLES)(merge)
    app.command("predict", epilog="Example:  edgekit predict out/mobilenet_v2_1.0_224-onnx-float32 cat.png")(predict)


def merge(
    reports: Annotated[
        list[Path],
        typer.Argument(
            help="report.json, or the folder of an artifact; or outputs of `edgekit matrix`.",
            metavar="REPORT...",
            show_default=False,
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Write the merged report to this file; of matrices, all of it to this folder."),
    ] = None,
    json: flags.Json = False,
) -> int:
    """Put reports about the same files together: a native runtime's verdict stands, the others' beside it.

    Of outputs of `edgekit matrix`, cell by cell: the goals are judged again, and the reports written anew.
    """
    from edgekit import merge
    from edgekit.cli.cells import show_matrix
    from edgekit.cli.judgements import show_judgements
    from edgekit.document import write_json
    from edgekit.errors import UsageError
    from edgekit.matrix.source import is_matrix

    if any(is_matrix(path) for path in reports):
        from edgekit.matrix.union import merge_matrices

        if not all(is_matrix(path) for path in reports):
            raise UsageError("merge takes matrices or single reports, not both at once")
        if output is None:
            raise UsageError("merging matrices needs --output FOLDER for what comes of them")
        return show_matrix(merge_matrices(reports, output), output, (), json=json)
    report = merge.merge(reports)
    if output:
        write_json(output, report)
    return show_judgements(report, json=json)


def verify(
    artifacts: flags.Artifacts,
    model: Annotated[
        str | None,
        typer.Option("--model", "-m", help="Ask this checkpoint again, instead of the answers saved with the artifact."),
    ] = None,
    images: flags.Images = None,
    width: flags.Width = None,
    resolution: flags.Resolution = None,
    padding: flags.PaddingFlag = None,
    norm_eps: flags.NormEps = None,
    arithmetic: Annotated[
        list[str] | None,
        typer.Option(
            "--arithmetic",
            help="Compute it in this arithmetic too, several times or `all`, and tell how far the numbers spread. Those of "
            "coreml: exact, float16, and models of the Neural Engine (neural-engine) and of Core ML's CPU path (cpu).",
        ),
    ] = None,
    device: Annotated[
        str | None,
        typer.Option("--device", "-d", help="A board to check them on: ssh://[user@]host[:port], adb://SERIAL, android."),
    ] = None,
    threads: flags.Threads = 1,
    json: flags.Json = False,
    quiet: flags.Quiet = False,
) -> int:
    """Check the numbers of artifacts against PyTorch again."""
    from edgekit import run
    from edgekit.board.run import measure
    from edgekit.cli.envelopes import show_envelopes
    from edgekit.cli.show import Progress, show_results
    from edgekit.errors import UsageError

    if device:
        if model or images or arithmetic:
            raise UsageError(
                "--device answers what is saved with the artifact: it goes with no --model, --images or --arithmetic"
            )
        with Progress(quiet=quiet) as progress:
            return show_results(measure(artifacts, device, threads=(threads,), on_stage=progress.enter), json=json)
    with Progress(quiet=quiet) as progress:
        results = run.verify(
            artifacts,
            model=model,
            overrides=flags.overrides(width, resolution, padding, norm_eps, None),
            images=images,
            num_threads=threads,
            arithmetics=arithmetic or (),
            on_stage=progress.enter,
        )
    code = show_results(results, json=json)
    if not json:
        show_envelopes([result.report for result in results])
    return code


def predict(
    artifact: Annotated[
        Path, typer.Argument(help="Folder of an artifact, or a file in it; or anybody's .mlpackage.", show_default=False)
    ],
    images: Annotated[
        list[Path] | None,
        typer.Argument(
            help="Pictures. [default: those edgekit ships] For anybody's .mlpackage also .npy files, or NAME=FILE for each "
            "input.",
            metavar="[IMAGE]...",
        ),
    ] = None,
    top: Annotated[int, typer.Option("--top", min=1, help="Classes to show for each picture.")] = DEFAULT_TOP,
    json: flags.Json = False,
    quiet: flags.Quiet = False,
) -> int:
    """Run an artifact on pictures and name what it sees; or a model that edgekit did not make on what it takes."""
    from edgekit import foreign, run
    from edgekit.cli.answers import show_answers
    from edgekit.cli.show import Progress, show_predictions

    if foreign.target_of(artifact):
        with Progress(quiet=quiet) as progress:
            report, answers = foreign.predict(artifact, [str(image) for image in images or ()], progress.enter)
        return show_answers(report, answers, top=top, json=json)
    with Progress(quiet=quiet) as progress:
        report, predictions = run.predict(artifact, images or (), top=top, on_stage=progress.enter)
    return show_predictions(report, predictions, json=json)
