"""`edgekit convert`, alias `export`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edgekit.cli import flags
from edgekit.precision import PRECISIONS


def register(app: typer.Typer) -> None:
    """Add the command and its alias."""
    app.command("convert", epilog=EXAMPLES)(convert)
    app.command("export", hidden=True, epilog=EXAMPLES)(convert)


EXAMPLES = (
    "Examples:  edgekit convert --target coreml  |  "
    "edgekit convert -m google/mobilenet_v2_1.0_224 -t all -p float32 -p float16  |  "
    "edgekit convert -m model.pth -t all -p int8 --calibration photographs  |  "
    "edgekit convert -m model.pth -t onnx --labels labels.txt --option onnx.opset=18"
)


def convert(
    target: Annotated[list[str], typer.Option("--target", "-t", help="Target, several times, or `all` that are installed.")],
    model: Annotated[
        str,
        typer.Option(
            "--model",
            "-m",
            help="Folder, file, Hugging Face id, or `digits`, which edgekit ships (a folder of that name is ./digits). "
            "See `edgekit models`.",
        ),
    ] = "digits",
    precision: Annotated[
        list[str], typer.Option("--precision", "-p", help=f"{', '.join(PRECISIONS)}; several times, as far as the target has it.")
    ] = ["float32"],  # noqa: B006 (typer copies it)
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder that gets one folder per artifact.")] = Path("out"),
    option: Annotated[list[str], typer.Option("--option", help="key=value for the targets, or target.key=value.")] = [],  # noqa: B006  (typer's form)
    images: flags.Images = None,
    calibration: Annotated[
        Path | None,
        typer.Option(
            "--calibration",
            help="Pictures for int8, 100 or more: a folder, a list of files, or `digits`, which edgekit ships (a folder of that "
            "name is ./digits). [default: digits for that model]",
            parser=flags.pictures,
            metavar="PATH",
        ),
    ] = None,
    weight_bits: Annotated[
        int,
        typer.Option(
            "--weight-bits",
            min=7,
            max=8,
            help="Of int8. 7 cost 3 dB, and are right and in integers on every CPU: 8 overflow in OpenVINO without VNNI.",
        ),
    ] = 8,
    evaluation: Annotated[
        Path | None,
        typer.Option(
            "--evaluation",
            help="Labelled pictures to count accuracy on; see `edgekit evaluate --help` for the forms.",
            parser=flags.pictures,
            metavar="PATH",
        ),
    ] = None,
    max_drop: Annotated[
        float | None,
        typer.Option(
            "--max-drop",
            min=0,
            help="Points of top-1, of 100, that an artifact may lose on these: int8 keeps layers in float32 until that holds.",
        ),
    ] = None,
    allow_overlap: Annotated[
        bool, typer.Option("--allow-overlap", help="Count on pictures that were calibrated on, too: the figure then flatters.")
    ] = False,
    width: flags.Width = None,
    resolution: flags.Resolution = None,
    padding: flags.PaddingFlag = None,
    norm_eps: flags.NormEps = None,
    labels: flags.Labels = None,
    threads: flags.Threads = 1,
    iterations: flags.Iterations = 100,
    max_seconds: flags.MaxSeconds = 2.0,
    warmup: flags.MaxWarmup = 2.0,
    latency: Annotated[bool, typer.Option(help="Measure the latency of each artifact.")] = True,
    force: Annotated[bool, typer.Option("--force", "-f", help="Replace artifacts that are there already.")] = False,
    jobs: Annotated[int, typer.Option("--jobs", "-j", min=0, help="Conversions side by side; 0: one per core.")] = 0,
    json: flags.Json = False,
    quiet: flags.Quiet = False,
) -> int:
    """Convert a model, check every artifact's numbers against PyTorch, and measure its latency."""
    from edgekit import conversion, registry
    from edgekit.cli.show import Progress, show_results
    from edgekit.dataset import DIGITS
    from edgekit.errors import TargetMissing, UsageError
    from edgekit.latency import LatencyPlan

    targets = tuple(dict.fromkeys(target))
    if "all" in targets:
        targets = tuple(registry.installed())
        if not targets:
            raise TargetMissing('no target is installed: pip install "edgekit[all]"')
    for name in precision:
        if name not in PRECISIONS:
            raise UsageError(f"there is no precision {name!r}. There are: {', '.join(PRECISIONS)}")
    if max_drop is not None and not evaluation:
        raise UsageError("--max-drop needs --evaluation: labelled pictures to count on")
    plan = conversion.ConvertPlan(
        model=model,
        targets=targets,
        precisions=tuple(dict.fromkeys(precision)),
        output=output,
        overrides=flags.overrides(width, resolution, padding, norm_eps, labels),
        options=flags.parse_options(option),
        images=images,
        num_threads=threads,
        latency=LatencyPlan(iterations, max_seconds, warmup) if latency else None,
        calibration=calibration or (DIGITS if model == str(DIGITS) else None),
        evaluation=evaluation,
        max_drop_points=max_drop,
        weight_bits=weight_bits,
        allow_overlap=allow_overlap,
        force=force,
        jobs=jobs,
    )
    with Progress(quiet=quiet) as progress:
        results = conversion.convert(plan, progress.enter)
    return show_results(results, json=json)
