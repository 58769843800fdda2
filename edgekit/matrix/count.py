"""Accuracy of a matrix's artifacts, on pictures that are decoded once for a model, by workers side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from edgekit.accuracy import Accuracy
from edgekit.document import read_json
from edgekit.errors import EdgekitError
from edgekit.launcher import Launcher, launched
from edgekit.matrix.fingerprint import key_of_accuracy
from edgekit.report import Problem, Report

if TYPE_CHECKING:
    from edgekit.evaluation import Evaluation
    from edgekit.matrix.cache import Cache
    from edgekit.matrix.cell import Cell, Subject
    from edgekit.matrix.site import Site

FILE_NAME = "evaluation.json"


@dataclass(frozen=True, slots=True)
class Known:
    """An artifact, where its files are, and its key."""

    cell: Cell
    folder: Path
    key: str


@dataclass(frozen=True, slots=True)
class _Counted:
    """What a report takes of an evaluation.json."""

    accuracy: Accuracy


def count_accuracies(
    reports: Mapping[str, Report],
    known: Sequence[Known],
    cache: Cache,
    launcher: Launcher,
    staging: Path,
    site: Site,
) -> tuple[dict[str, Report], dict[str, Path]]:
    """Count on labelled pictures how often each artifact that runs here is right.

    Args:
        reports: of all cells, by name.
        known: all artifacts.
        cache: of results.
        launcher: of the workers.
        staging: for what goes with the run.
        site: says how many workers go side by side.

    Returns:
        The reports of those that were counted, and the folder with each one's evaluation.json.
    """
    waiting: dict[Subject, list[tuple[Known, str]]] = {}
    counted: dict[str, Report] = {}
    evaluations: dict[str, Path] = {}
    for each in known:
        cell = each.cell
        if not cell.subject.evaluation or reports[cell.name].runtime is None:
            continue
        key = key_of_accuracy(each.key, cell.subject)
        if found := cache.recall(key):
            counted[cell.name] = _with(reports[cell.name], read_json(found / FILE_NAME, _Counted).accuracy)
            evaluations[cell.name] = found
        else:
            waiting.setdefault(cell.subject, []).append((each, key))
    for subject, missing in waiting.items():
        came = _count(subject, [each for each, _ in missing], launcher, staging, site.slots)
        for (each, key), judged in zip(missing, came, strict=True):
            report = reports[each.cell.name]
            if isinstance(judged, Problem):
                counted[each.cell.name] = _with(report, None, judged)
                continue
            counted[each.cell.name] = _with(report, judged.accuracy, judged.problem)
            if judged.accuracy:
                evaluations[each.cell.name] = cache.keep(key, "accuracy", each.cell.name, FILE_NAME, judged)
    return counted, evaluations


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


def _with(report: Report, accuracy: Accuracy | None, problem: Problem | None = None) -> Report:
    problem = report.problem or problem
    status = "failed" if problem and report.status == "passed" else report.status
    return replace(report, accuracy=accuracy, problem=problem, status=status)
