"""What the user sees: progress on stderr, results on stdout."""

from __future__ import annotations

import os
import sys
from collections.abc import Collection, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Self

import msgspec
import rich.progress
from rich.console import Console
from rich.table import Table
from rich.text import Text

from edgekit.examination import summarise
from edgekit.latency import Latency
from edgekit.parity import Parity
from edgekit.precision import INT8
from edgekit.report import Report, overall_exit_code

if TYPE_CHECKING:
    from edgekit.prediction import Prediction
    from edgekit.run import Result

ACCURACY = ("right %", "drop")  # top-1 on labelled pictures, and points of it below the float model
TIMES = ("load ms", "first ms", "p50 ms", "p95 ms")
VERDICTS = {"passed": "green", "converted": "yellow", "failed": "red", "skipped": "yellow"}


class Output(Console):
    """Standard output. `edgekit ... | head` closes it early, which is no error."""

    def on_broken_pipe(self) -> None:
        """Called by rich; what is still to come goes nowhere, and the command keeps its own exit code."""
        _close_stdout()


class Progress:
    """A live line per job on a terminal, plain lines elsewhere, nothing when quiet."""

    def __init__(self, *, quiet: bool) -> None:
        self._console = Console(stderr=True, quiet=quiet)
        self._live = rich.progress.Progress(
            rich.progress.SpinnerColumn(finished_text="-"),
            rich.progress.TextColumn("{task.description}"),
            rich.progress.TextColumn("[cyan]{task.fields[stage]}"),
            rich.progress.TimeElapsedColumn(),
            console=self._console,
            disable=quiet or not self._console.is_terminal,
        )
        self._tasks: dict[str, rich.progress.TaskID] = {}

    def enter(self, job: str, stage: str) -> None:
        """Show that a job has entered a stage."""
        if self._live.disable:
            self._console.print(f"{job}: {stage}", style=None, markup=False, highlight=False, soft_wrap=True)
            return
        if job not in self._tasks:
            self._tasks[job] = self._live.add_task(job, total=1, stage=stage)
        self._live.update(self._tasks[job], stage=stage, completed=int(stage == "done"))

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._live.stop()


def show_results(results: Sequence[Result], *, json: bool) -> int:
    """Print a table, or JSON, and return the exit code of the whole."""
    code, content = results_json(results)
    if json:
        print_json(content)
    else:
        _print_table(results)
    warn_unsaved(results)
    return code


def warn_unsaved(results: Sequence[Result]) -> None:
    """Say on stderr which reports the folders do not have."""
    for result in results:
        if result.unsaved:
            print(f"edgekit: the report is not saved, and the folder's own is as it was: {result.unsaved}", file=sys.stderr)


def results_json(results: Sequence[Result]) -> tuple[int, dict[str, object]]:
    """The exit code of the whole, and what JSON says of it."""
    code = overall_exit_code(result.report.exit_code for result in results)
    rows = [{"folder": str(result.folder), "report": result.report} for result in results]
    return code, {"schema_version": 1, "exit_code": code, "results": rows}


def show_predictions(report: Report, predictions: Sequence[Prediction], *, json: bool) -> int:
    """Print the classes of each picture, or JSON, and return the exit code."""
    problem = report.problem if not predictions else None
    if json:
        print_json({"schema_version": 1, "runtime": report.runtime, "predictions": predictions, "problem": problem})
    elif problem:
        print(f"edgekit: {problem.message}", file=sys.stderr)
    else:
        for prediction in predictions:
            seen = [f"  {candidate.probability:7.2%}  {candidate.label}" for candidate in prediction.candidates]
            print_lines(prediction.image, *seen)
    return problem.exit_code if problem else 0


def print_json(content: object) -> None:
    """Print indented JSON on stdout."""
    print_lines(msgspec.json.format(msgspec.json.encode(content), indent=2).decode())


def print_lines(*lines: str) -> None:
    """Print on stdout, which somebody may have closed."""
    try:
        print("\n".join(lines), flush=True)
    except BrokenPipeError:
        _close_stdout()


def _close_stdout() -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def new_table(*headings: str, figures: Collection[str] = ()) -> Table:
    """A plain table, the columns of figures aligned on the right."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in headings:
        table.add_column(heading, justify="right" if heading in figures else "left", no_wrap=True)
    return table


def print_table(table: Table) -> None:
    """Print a table at its natural width, however narrow the terminal: a figure cut to "1..." is no figure."""
    Output(width=1000).print(table)


def _print_table(results: Sequence[Result]) -> None:
    console = Output(soft_wrap=True)
    reports = [result.report for result in results]
    counted = ACCURACY if any(report.accuracy for report in reports) else ()
    times = (*(("threads",) if any(report.more_latencies for report in reports) else ()), *TIMES)
    figures = ("SQNR dB", "top-1", *counted, "MB", *times)
    table = new_table("model", "target", "precision", "verdict", *figures, "checked with", figures=figures)
    notes: list[str] = []
    for report in reports:
        identity = _identity(report, notes, counted=bool(counted))
        runtime = f"{report.runtime.runtime} {report.runtime.version}" if report.runtime else "-"
        table.add_row(*identity, *_times(report.latency, notes, count=len(times)), runtime)
        for latency in report.more_latencies:
            table.add_row(*[""] * len(identity), *_times(latency, notes, count=len(times)), "")
    print_table(table)
    for number, note in enumerate(notes, 1):
        console.print(f"[{number}] {note}", markup=False, highlight=False)
    for result in results:
        if result.report.problem:
            _print_problem(console, result.report)
    places = {str(result.folder.parent) for result in results}
    console.print(f"Artifacts, manifests and reports: {', '.join(sorted(places))}", markup=False, highlight=False)


def _identity(report: Report, notes: list[str], *, counted: bool) -> list[str | Text]:
    sqnr, top1 = parity_figures(report.parity)
    size = "-" if report.size_bytes is None else f"{report.size_bytes / 1e6:.2f}"
    verdict = "not verified" if report.status == "converted" else report.status
    marks = "".join(_mark(note, notes) for note in (*report.notes, *_compression_notes(report), *_inside_notes(report)))
    return [
        report.model,
        report.target,
        report.precision,
        Text(f"{verdict}{marks}", style=VERDICTS[report.status]),
        sqnr,
        top1,
        *(_accuracy(report) if counted else ()),
        size,
    ]


def _times(latency: Latency | None, notes: list[str], *, count: int) -> list[str]:
    """The last `count` of: threads, load, first, p50 and p95."""
    if latency is None:
        return ["-"] * count
    doubt = "?" if latency.doubts else ""
    times = [f"{value:.2f}{doubt}" for value in (latency.load_ms, latency.first_ms, latency.p50_ms, latency.p95_ms)]
    if latency.doubts:
        times[2] += _mark(f"too noisy to trust: {'; '.join(latency.doubts)}", notes)
    return [str(latency.num_threads), *times][-count:]


def _accuracy(report: Report) -> tuple[str, str]:
    accuracy = report.accuracy
    return (f"{100 * accuracy.top1.value:.2f}", f"{accuracy.drop_points:.2f}") if accuracy else ("-", "-")


def _inside_notes(report: Report) -> list[str]:
    """What was seen inside of the artifact: report.json has the records."""
    judged = [summarise(report.operations)] if report.operations else []
    return [*map(str, report.findings), *judged]


def _compression_notes(report: Report) -> list[str]:
    """What this precision costs whatever the target, which the figures of the row leave out."""
    compression = report.parity.compression if report.parity else None
    if compression is None:
        return []
    classes = "" if compression.top1 is None else f" and {compression.top1:.0%} of its first classes"
    twin = "the int8 program" if report.precision == INT8 else "the network that has these weights"
    return [
        f"{report.precision} leaves {compression.sqnr_db:.1f} dB SQNR of the trained {report.model}{classes}; SQNR and top-1 "
        f"above compare the artifact with {twin}"
    ]


def parity_figures(parity: Parity | None) -> tuple[str, str]:
    """SQNR in dB and agreement on the first class: the worst of all outputs on real images. The report has every one."""
    sqnr, top1 = (parity.worst_sqnr_db, parity.worst_top1) if parity else (None, None)
    return "-" if sqnr is None else f"{sqnr:.1f}", "-" if top1 is None else f"{top1:.0%}"


def _mark(note: str, notes: list[str]) -> str:
    if note not in notes:
        notes.append(note)
    return f"[{notes.index(note) + 1}]"


def _print_problem(console: Console, report: Report) -> None:
    assert report.problem
    heading = f"{report.target} {report.precision}: {report.status} during {report.problem.stage}: "
    console.print(Text(heading + report.problem.message))
    if report.problem.log:
        console.print(Text(report.problem.log, style="dim"))
