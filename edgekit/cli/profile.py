"""`edgekit profile` (alias `benchmark`): how long artifacts take, and how far that can be trusted."""

from __future__ import annotations

from typing import Annotated

import typer

from edgekit.cli import flags

EXAMPLES = "Examples:  edgekit profile out/digits-* --threads 2   |   edgekit profile OLD NEW --compare   |   --sustain 60s"


def register(app: typer.Typer) -> None:
    """Add the command and its alias."""
    app.command("profile", epilog=EXAMPLES)(profile)
    app.command("benchmark", hidden=True)(profile)


def profile(
    artifacts: flags.Artifacts,
    threads: Annotated[
        list[int] | None,
        typer.Option(
            "--threads", min=1, max=1024, help="Threads of the runtime; several times for several. [default: 1, and all cores]"
        ),
    ] = None,
    iterations: flags.Iterations = 100,
    max_seconds: flags.MaxSeconds = 10.0,
    warmup: flags.MaxWarmup = 5.0,
    sustain: Annotated[
        str | None,
        typer.Option("--sustain", help="Afterwards go on without a pause for so long (60s, 5m), and tell the drift."),
    ] = None,
    compare: Annotated[
        bool,
        typer.Option("--compare", help="Time the first artifact in turns with each of the others: faster, slower, unproven."),
    ] = False,
    launches: Annotated[
        int | None,
        typer.Option(
            "--launches",
            min=3,
            max=100,
            help="Times that --compare starts both artifacts anew. [default: 8 to 24, until the interval is 10 % wide]",
        ),
    ] = None,
    device: Annotated[
        list[str] | None,
        typer.Option(
            "--device",
            "-d",
            help="A board to measure on instead (ssh://[user@]host[:port], adb://SERIAL, android), or the name of a device to "
            "project to from published figures (`edgekit devices` lists them); several times for several.",
        ),
    ] = None,
    layers: Annotated[bool, typer.Option("--layers", help="Show the time of every layer, not of whole blocks.")] = False,
    json: flags.Json = False,
    quiet: flags.Quiet = False,
) -> int:
    """Measure the latency of artifacts, one at a time, at batch 1; show what their operators cost where a target can tell."""
    from edgekit import run
    from edgekit.board.address import is_address, parse_address
    from edgekit.board.run import measure
    from edgekit.cli.costs import show_static_profiles
    from edgekit.cli.latencies import show_comparisons, show_sustained
    from edgekit.cli.operators import show_operators
    from edgekit.cli.projections import show_projections
    from edgekit.cli.show import Progress, print_json, results_json, show_results, warn_unsaved
    from edgekit.errors import UsageError
    from edgekit.latency import LatencyPlan
    from edgekit.latency.comparison import Comparison, ComparisonPlan
    from edgekit.machine import available_cores
    from edgekit.projection.artifact import check_devices, project_artifacts

    if compare and len(artifacts) < 2:
        raise UsageError("--compare needs two artifacts or more: the first is compared with each of the others")
    boards = [each for each in device or () if is_address(each)]
    names = [each for each in device or () if not is_address(each)]
    for board in boards:
        parse_address(board)  # a slip of the pen is told before anything is timed
    if compare and boards:
        raise UsageError(f"--compare times artifacts in turns on this machine, and {boards[0]} is another: leave one of them out")
    here, there = (tuple(dict.fromkeys(threads or (1, every))) for every in (available_cores(), 0))
    plan = LatencyPlan(iterations, max_seconds, warmup, flags.seconds(sustain) if sustain else 0.0)
    check_devices(names)
    comparisons: list[Comparison] = []
    with Progress(quiet=quiet) as progress:
        results = () if boards and not names else run.profile(artifacts, threads=here, latency=plan, on_stage=progress.enter)
        for board in boards:
            results += measure(artifacts, board, threads=there, latency=plan, on_stage=progress.enter)
    projected = project_artifacts(list(dict.fromkeys(result.folder for result in results)), names) if names else ()
    code, content = results_json(results)
    if json:
        warn_unsaved(results)
    else:
        show_results(results, json=False)
        show_projections(results, projected)
        show_sustained(results)
        show_static_profiles(results)
        show_operators(results, every_layer=layers)
    if compare:
        with Progress(quiet=quiet) as progress:
            for number in here:
                launching = ComparisonPlan(launches, launches) if launches else ComparisonPlan()
                comparisons += run.compare(artifacts, num_threads=number, plan=launching, on_stage=progress.enter)
    if json:
        print_json({**content, "comparisons": comparisons, "projected": projected})
    else:
        show_comparisons(comparisons)
    return code
