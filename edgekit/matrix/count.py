"""Accuracy of a matrix's artifacts, on pictures that are decoded once for a model, by workers side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from edgekit.errors import EdgekitError
from edgekit.launcher import Launcher, launched
from edgekit.manifest import read_json, write_json
from edgekit.matrix.fingerprint import key_of_accuracy
from edgekit.report import Problem, Report

if TYPE_CHECKING:
    from edgekit.evaluation import Evaluation
    from edgekit.matrix.cache import Cache
    from edgekit.matrix.cell import Cell, Subject

FILE_NAME = "evaluation.json"


@dataclass(frozen=True, slots=True)
class Known:
    """An artifact, where its files are, and its key."""

    cell: Cell
    folder: Path
    key: str


def count_accuracies(
    reports: Mapping[str, Report],
    known: Sequence[Known],
    cache: Cache,
    launcher: Launcher,
    staging: Path,
    workers: int,
) -> dict[str, Report]:
    """Count on labelled pictures how often each artifact that runs here is right.

    Args:
        reports: of all cells, by name.
        known: all artifacts.
        cache: of results.
        launcher: of the workers.
        staging: for what goes with the run.
        workers: side by side.

    Returns:
        The reports of those that were counted.
    """
    waiting: dict[Subject, list[tuple[Known, str]]] = {}
    counted = {}
    for each in known:
        cell = each.cell
        if not cell.subject.evaluation or reports[cell.name].runtime is None:
            continue
        key = key_of_accuracy(each.key, cell.subject)
        if found := cache.find(key):
            counted[cell.name] = _with(reports[cell.name], _read(found / FILE_NAME))
        else:
            waiting.setdefault(cell.subject, []).append((each, key))
    for subject, missing in waiting.items():
        came = _count(subject, [each for each, _ in missing], launcher, staging, workers)
        for (each, key), judged in zip(missing, came, strict=True):
            counted[each.cell.name] = _with(reports[each.cell.name], judged)
            if not isinstance(judged, Problem) and judged.accuracy:
                with cache.filling(key, "accuracy", each.cell.name) as content:
                    content.mkdir()
                    write_json(content / FILE_NAME, judged)
    return counted


def _count(
    subject: Subject, artifacts: Sequence[Known], launcher: Launcher, staging: Path, workers: int
) -> list[Evaluation | Problem]:
    from edgekit.evaluation import EvaluationPlan
    from edgekit.evaluator import prepare

    assert subject.evaluation
    work = staging / f"{subject.name}.evaluation"
    work.mkdir()
    plan = EvaluationPlan(Path(subject.evaluation), subject.model, artifacts[0].cell.num_threads)
    try:
        evaluator = prepare([each.folder for each in artifacts], plan, launcher, work)
    except EdgekitError as error:
        return [Problem("evaluate", type(error).__name__, str(error))] * len(artifacts)
    with launched(launcher, workers) as pool:
        return list(pool.map(lambda each: evaluator.judge(each.folder, each.cell.name), artifacts))


def _with(report: Report, found: Evaluation | Problem) -> Report:
    problem = report.problem or (found if isinstance(found, Problem) else found.problem)
    status = "failed" if problem and report.status == "passed" else report.status
    accuracy = None if isinstance(found, Problem) else found.accuracy
    return replace(report, accuracy=accuracy, problem=problem, status=status)


def _read(path: Path) -> Evaluation:
    from edgekit.evaluation import Evaluation

    found: Evaluation = read_json(path, Evaluation)
    return found
