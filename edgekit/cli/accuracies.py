"""What `edgekit evaluate` shows: bars on stderr while pictures go by, then a table, or JSON."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from types import TracebackType
from typing import Self

import rich.progress
from rich.console import Console

from edgekit.accuracy import Drop, Share
from edgekit.cli.show import new_table, print_json, print_lines, print_table
from edgekit.evaluation import Evaluation, Outcome
from edgekit.report import overall_exit_code

_SHOWN = 3  # skipped files in a note; the JSON has all
FIGURES = ("images", "top-1 %", "95 %", "top-5 %", "agrees %", "int8 %", "drop", "95 %", "images/s")


class Bars:
    """A bar per job on a terminal; elsewhere a line for each stage and each quarter of it; nothing when quiet."""

    def __init__(self, *, quiet: bool) -> None:
        self._console = Console(stderr=True, quiet=quiet)
        self._live = rich.progress.Progress(
            rich.progress.TextColumn("{task.description}"),
            rich.progress.BarColumn(),
            rich.progress.MofNCompleteColumn(),
            rich.progress.TextColumn("[cyan]{task.fields[stage]}"),
            rich.progress.TimeElapsedColumn(),
            console=self._console,
            disable=quiet or not self._console.is_terminal,
        )
        self._tasks: dict[str, rich.progress.TaskID] = {}
        self._quarters: dict[str, int] = {}

    def enter(self, job: str, stage: str) -> None:
        """Show that a job has entered a stage."""
        if self._live.disable:
            self._print(f"{job}: {stage}")
        else:
            self._live.update(self._task(job), stage=stage)

    def advance(self, job: str, done: int, total: int) -> None:
        """Show how far a job is."""
        if not self._live.disable:
            self._live.update(self._task(job), completed=done, total=total)
        elif done * 4 // total > self._quarters.get(job, 0):
            self._quarters[job] = done * 4 // total
            self._print(f"{job}: {done} of {total}")

    def _task(self, job: str) -> rich.progress.TaskID:
        if job not in self._tasks:
            self._tasks[job] = self._live.add_task(job, total=None, stage="")
        return self._tasks[job]

    def _print(self, line: str) -> None:
        self._console.print(line, style=None, markup=False, highlight=False, soft_wrap=True)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._live.stop()


def show_evaluations(outcome: Outcome, *, json: bool) -> int:
    """Print a table whose first row is the float model, or JSON, and return the exit code of the whole."""
    code = overall_exit_code(each.evaluation.exit_code for each in outcome.artifacts)
    if json:
        references = {"float_model": outcome.float_model, "int8_programs": outcome.int8_programs}
        rows = [{"folder": str(each.folder), "evaluation": each.evaluation} for each in outcome.artifacts]
        print_json({"schema_version": 1, "exit_code": code, **references, "results": rows})
    else:
        _print_table([outcome.float_model, *outcome.int8_programs, *(each.evaluation for each in outcome.artifacts)])
    for each in outcome.artifacts:
        if each.unsaved:
            print(f"edgekit: the evaluation is not saved: {each.unsaved}", file=sys.stderr)
    return code


def _print_table(evaluations: Sequence[Evaluation]) -> None:
    first = evaluations[0]
    table = new_table("target", "precision", *FIGURES, "run by", figures=FIGURES)
    notes: list[str] = []
    for evaluation in evaluations:
        marks = [f"[{_number(note, notes)}]" for note in evaluation.notes]
        runtime = f"{evaluation.runtime.runtime} {evaluation.runtime.version}" if evaluation.runtime else "-"
        table.add_row(evaluation.target, evaluation.precision, *_figures(evaluation), f"{runtime} {''.join(marks)}".strip())
    meaning = "drop is points of top-1 below the float model"
    if any(evaluation.program_agreement for evaluation in evaluations):
        meaning += ", int8 % agreement with the int8 program"
    print_lines(f"{first.model} on {first.images}; {meaning}:")
    print_table(table)
    lines = [*(f"[{number}] {note}" for number, note in enumerate(notes, 1)), *_skipped(first)]
    for evaluation in evaluations:
        if problem := evaluation.problem:
            lines.append(f"{evaluation.target} {evaluation.precision}: failed during {problem.stage}: {problem.message}")
            lines += problem.log.splitlines()
    if lines:
        print_lines(*lines)


def _figures(evaluation: Evaluation) -> list[str]:
    accuracy = evaluation.accuracy
    if accuracy is None:
        return ["-"] * len(FIGURES)
    return [
        str(accuracy.count),
        f"{100 * accuracy.top1.value:.2f}",
        _interval(accuracy.top1),
        f"{100 * accuracy.top5.value:.2f}",
        f"{100 * accuracy.agreement.value:.2f}" if accuracy.agreement else "-",
        f"{100 * evaluation.program_agreement.value:.2f}" if evaluation.program_agreement else "-",
        f"{accuracy.drop.points:.2f}" if accuracy.drop else "-",
        _interval(accuracy.drop) if accuracy.drop else "-",
        f"{evaluation.images_per_second:.0f}" if evaluation.images_per_second else "-",
    ]


def _interval(figure: Share | Drop) -> str:
    percent = 100 if isinstance(figure, Share) else 1
    return f"{percent * figure.low:.1f} to {percent * figure.high:.1f}"


def _skipped(evaluation: Evaluation) -> list[str]:
    skipped = evaluation.skipped
    if not skipped:
        return []
    more = f" and {len(skipped) - _SHOWN} more, see --json" if len(skipped) > _SHOWN else ""
    return [f"skipped {len(skipped)} files: {'; '.join(each.reason for each in skipped[:_SHOWN])}{more}"]


def _number(note: str, notes: list[str]) -> int:
    if note not in notes:
        notes.append(note)
    return notes.index(note) + 1
