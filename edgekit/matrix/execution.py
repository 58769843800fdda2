"""The straight line of `edgekit matrix`: cells, keys, convert what is not known yet, count, measure alone, judge, publish."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import edgekit
from edgekit import registry
from edgekit.document import read_json, write_json
from edgekit.errors import EdgekitError, TargetMissing, UsageError
from edgekit.job import offers, prepare_model
from edgekit.latency import LatencyPlan
from edgekit.launcher import Launcher, OnStage, launched, silent
from edgekit.machine import describe_machine
from edgekit.matrix.cache import Cache, link_tree
from edgekit.matrix.cell import Cell, Subject, expand, select
from edgekit.matrix.config import Config
from edgekit.matrix.count import Known, count_accuracies
from edgekit.matrix.expectation import expect_costs
from edgekit.matrix.fingerprint import key_of_artifact, key_of_latency, key_of_preparation, versions_of
from edgekit.matrix.publication import name_lock, publish_cells
from edgekit.matrix.record import CellResult, MatrixReport
from edgekit.matrix.site import Local, Preparation, Site
from edgekit.matrix.verdict import give_verdict
from edgekit.output import check_place, staging_in
from edgekit.payoff import note_slower
from edgekit.precision import INT8
from edgekit.report import FILE_NAME as REPORT
from edgekit.report import Problem, Report
from edgekit.request import ProfileRequest

FINAL = ("NegativeResult", "TargetMissing", "UsageError")
"""Problems that come back with the same key: kept, like successes. A crash, a full disk or a time limit may not come back."""


@dataclass(frozen=True, slots=True)
class MatrixPlan:
    """A whole `edgekit matrix`.

    Attributes:
        config: the file.
        folder: its folder.
        cache: of results.
        output: folder of the artifacts and reports.
        only: patterns of the cells to run; empty for all.
        skip: patterns of the cells not to run.
        jobs: conversions side by side; 0 for as many as fit.
        timeout_seconds: of one worker; None for any.
        fail_fast: start nothing more after a failure.
        measures: measure latencies.
        scheduler: address of a Dask scheduler; None for this machine.
    """

    config: Config
    folder: Path
    cache: Cache
    output: Path
    only: tuple[str, ...] = ()
    skip: tuple[str, ...] = ()
    jobs: int = 0
    timeout_seconds: float | None = None
    fail_fast: bool = False
    measures: bool = True
    scheduler: str | None = None

    @property
    def latency(self) -> LatencyPlan | None:
        """How to measure; None not to."""
        timing = self.config.latency
        if isinstance(timing, bool) or not self.measures:
            return LatencyPlan() if timing is True and self.measures else None
        return LatencyPlan(timing.iterations, timing.max_seconds, timing.warmup)


@dataclass(frozen=True, slots=True)
class Made:
    """An artifact, or what came instead.

    Attributes:
        report: of it.
        folder: of the files; None where there are none.
        key: of all it depends on; empty where that could not be told.
        is_reused: an earlier run made it.
    """

    report: Report
    folder: Path | None = None
    key: str = ""
    is_reused: bool = False


OnMade = Callable[[str, Report], None]


@dataclass(frozen=True, slots=True)
class _Run:
    """What all steps need."""

    plan: MatrixPlan
    launcher: Launcher
    site: Site
    staging: Path
    on_made: OnMade
    failed: threading.Event = field(default_factory=threading.Event)


def list_cells(plan: MatrixPlan) -> tuple[tuple[Cell, ...], dict[str, str]]:
    """All cells of the file, and why some of them are left out.

    Raises:
        UsageError: a target that nobody has, or a pattern that matches nothing.
    """
    cells = expand(plan.config, plan.folder, tuple(registry.installed()))
    return cells, select(cells, plan.only, plan.skip)


def execute(
    plan: MatrixPlan, on_stage: OnStage = silent, on_made: OnMade = lambda cell, report: None
) -> tuple[MatrixReport, tuple[str, ...]]:
    """Run the matrix.

    Args:
        plan: what.
        on_stage: told (cell, stage).
        on_made: told (cell, report) as each cell is converted, or found to be known.

    Returns:
        What came of it, and what could not be written into the output folder.

    Raises:
        EdgekitError: what makes the whole run impossible. What befalls one cell is in its result.
    """
    started = time.monotonic()
    cells, left_out = list_cells(plan)
    chosen = [cell for cell in cells if cell.name not in left_out]
    for cell in chosen:
        check_place(plan.output / cell.name, force=True)
    with (
        staging_in(plan.output) as staging,
        Launcher(on_stage, timeout_seconds=plan.timeout_seconds) as launcher,
        _site(plan, launcher) as site,
    ):
        run = _Run(plan, launcher, site, staging, on_made)
        made = _convert(run, chosen)
        reports = {name: each.report for name, each in made.items()}
        evaluations: Mapping[str, Path] = {}
        if not (plan.fail_fast and run.failed.is_set()):
            known = [Known(cell, each.folder, each.key) for cell in chosen if (each := made[cell.name]).folder and each.key]
            counted, evaluations = count_accuracies(reports, known, plan.cache, launcher, staging, site)
            reports |= counted
            if plan.measures:
                reports |= expect_costs(reports, known, plan.cache, launcher, staging, site)
            reports |= _measure(run, reports, known)
        reports = note_slower(reports)
        sources = {
            name: [folder for folder in (each.folder, evaluations.get(name)) if folder]
            for name, each in made.items()
            if each.folder
        }
        with plan.cache.lock(name_lock(plan.output)):  # two runs may write to one folder
            unsaved = publish_cells(sources, reports, plan.output, staging)
    results = []
    for cell in cells:
        if cell.name in left_out:
            results.append(_result(cell, reason=left_out[cell.name]))
        else:
            each = made[cell.name]
            verdict = give_verdict(reports[cell.name], cell.limits)
            results.append(replace(verdict.on(_result(cell)), key=each.key, is_reused=each.is_reused, report=reports[cell.name]))
    versions: dict[str, str] = {}
    for target in sorted({cell.target for cell in chosen} & set(registry.installed())):
        versions |= versions_of(target)
    wall_seconds = round(time.monotonic() - started, 3)
    return MatrixReport(edgekit.__version__, describe_machine(), tuple(results), wall_seconds, versions), unsaved


@contextmanager
def _site(plan: MatrixPlan, launcher: Launcher) -> Iterator[Site]:
    if plan.scheduler is None:
        yield Local(launcher, plan.jobs)
        return
    from edgekit.matrix.cluster import cluster_at

    with cluster_at(plan.scheduler, launcher, plan.jobs) as cluster:
        yield cluster


def _result(cell: Cell, reason: str = "") -> CellResult:
    """A cell that was left out, until there is more to say."""
    subject = cell.subject
    return CellResult(
        cell.name, subject.name, subject.resolution, cell.target, cell.precision, "", "skipped", reason, 0, is_reused=False
    )


def _convert(run: _Run, cells: Sequence[Cell]) -> dict[str, Made]:
    """Find what is known, and make the rest side by side."""
    made: dict[str, Made] = {}
    missing: dict[Subject, list[tuple[Cell, str]]] = {}
    for cell in cells:
        try:
            registry.find(cell.target)
            key = key_of_artifact(cell)
        except EdgekitError as error:
            if isinstance(error, UsageError):
                raise
            made[cell.name] = Made(_blank(cell, error))
            continue
        if known := _find(run, cell, key):
            made[cell.name] = known
        else:
            missing.setdefault(cell.subject, []).append((cell, key))
    for name, each in made.items():
        run.on_made(name, each.report)
    if not missing:
        return made
    with launched(run.launcher, run.site.slots) as pool, launched(run.launcher, 1) as desk:
        prepared = {subject: _prepare(run, desk, subject, [cell for cell, _ in missing[subject]]) for subject in missing}
        try:
            futures = {
                cell.name: pool.submit(_convert_cell, run, cell, key, prepared[subject])
                for subject, waiting in missing.items()
                for cell, key in sorted(waiting, key=lambda each: each[0].precision == INT8)
            }
            made |= {name: future.result() for name, future in futures.items()}
        except BaseException:  # Ctrl-C too: nobody may go on waiting for what will not come
            run.launcher.stop()
            for preparation in prepared.values():
                for offer in preparation.offers.values():
                    offer.withdraw()
            raise
    return made


def _find(run: _Run, cell: Cell, key: str) -> Made | None:
    folder = run.plan.cache.recall(key)
    if folder is None:
        return None
    return Made(read_json(folder / REPORT, Report), folder, key, is_reused=True)


def _prepare(run: _Run, desk: ThreadPoolExecutor, subject: Subject, cells: Sequence[Cell]) -> Preparation:
    """Begin to make what a model's cells share, unless that is known."""
    precisions = {cell.precision for cell in cells}
    folder = run.staging / f"{subject.name}.prepared"
    offered = offers(precisions)
    launcher = run.launcher.offering(offered)
    label = f"{subject.name} (model)"

    def prepare() -> None:
        key = key_of_preparation(subject, precisions)
        if known := run.plan.cache.recall(key):
            link_tree(known, folder)
            for offer in offered.values():
                offer.set()
            launcher.on_stage(label, "done")
            return
        folder.mkdir()
        try:
            prepare_model(launcher, subject.preparation(precisions), folder, label)
        finally:
            for offer in offered.values():
                offer.withdraw()
        with run.plan.cache.filling(key, "preparation", subject.name) as content:
            link_tree(folder, content)

    return Preparation(folder, offered, desk.submit(prepare))


def _convert_cell(run: _Run, cell: Cell, key: str, prepared: Preparation) -> Made:
    if run.plan.fail_fast and run.failed.is_set():
        told = Problem("start", "NegativeResult", "--fail-fast: not begun, for another cell had failed")
        return Made(replace(_blank(cell), status="skipped", problem=told))
    cache = run.plan.cache
    try:
        with cache.lock(key):  # another run may be making it right now
            if known := _find(run, cell, key):
                run.on_made(cell.name, known.report)
                return known
            with cache.filling(key, "artifact", cell.name) as content:
                report = run.site.convert(cell, content, prepared)
                made = _keep(run, cell, key, prepared, report, content)
            folder = cache.find(key) if made.key else made.folder
            made = replace(made, folder=folder)
    except EdgekitError as error:
        made = Made(_blank(cell, error))
    if made.report.status == "failed":
        run.failed.set()
    run.on_made(cell.name, made.report)
    return made


def _keep(run: _Run, cell: Cell, key: str, prepared: Preparation, report: Report, content: Path) -> Made:
    """Leave for the cache what would come out so again, and take the rest aside."""
    report = replace(report, model=cell.subject.name)
    failure = _failure(prepared) if report.problem and report.problem.kind == "EdgekitError" else None
    if failure:
        report = _blank(cell, failure)
    write_json(content / REPORT, report)
    if report.problem is None or (report.problem.kind in FINAL and not failure):
        return Made(report, None, key)
    aside = run.staging / f"{cell.name}.aside"
    content.rename(aside) if content.stat().st_dev == run.staging.stat().st_dev else shutil.move(content, aside)
    return Made(report, aside)


def _failure(prepared: Preparation) -> EdgekitError | None:
    """What ended the preparation; None where nothing did."""
    error = prepared.done.exception()
    return error if isinstance(error, EdgekitError) else None


def _blank(cell: Cell, error: EdgekitError | None = None) -> Report:
    """A report of a cell that came to nothing."""
    problem = Problem("capture", type(error).__name__, str(error)) if error else None
    status = "skipped" if isinstance(error, TargetMissing) else "failed"
    # one of two words: mypy cannot know
    return Report(cell.subject.name, cell.target, cell.precision, status, describe_machine(), problem=problem)  # type: ignore[arg-type]


def _measure(run: _Run, reports: Mapping[str, Report], known: Sequence[Known]) -> dict[str, Report]:
    """Measure every artifact that runs natively, one after the other, unless its latency is known."""
    plan = run.plan.latency
    if plan is None:
        return {}
    measured = {}
    where = run.site.where
    for each in known:
        cell, report = each.cell, reports[each.cell.name]
        if report.runtime is None or report.runtime.kind == "reference":
            continue
        key = key_of_latency(each.key, plan, cell.num_threads, where)
        if found := run.plan.cache.recall(key):
            profiled: Report = read_json(found / REPORT, Report)
        else:
            profiled = run.site.profile(cell, ProfileRequest(cell.num_threads, plan), report, each.folder, run.staging)
            if profiled.latency:
                run.plan.cache.keep(key, "latency", cell.name, REPORT, profiled)
        measured[cell.name] = replace(
            report,
            latency=profiled.latency,
            operators=profiled.operators,
            notes=tuple(dict.fromkeys((*report.notes, *profiled.notes))),
            seconds={**profiled.seconds, **report.seconds},
            problem=report.problem or profiled.problem,
            status=profiled.status if report.status == "passed" else report.status,
        )
    return measured
