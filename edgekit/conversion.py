"""`edgekit convert`: capture once, workers side by side, latency alone, accuracy, rename into place."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from edgekit import registry
from edgekit.alone import WAITS, alone
from edgekit.desk import program_name, reference_name
from edgekit.errors import BY_NAME, EdgekitError, UsageError
from edgekit.evaluation import EvaluationPlan
from edgekit.evaluator import judge, prepare
from edgekit.latency import LatencyPlan
from edgekit.launcher import LOG, Launcher, Offer, launched
from edgekit.machine import available_cores, describe_machine
from edgekit.manifest import FILE_NAME as MANIFEST
from edgekit.manifest import write_json
from edgekit.mobilenet.overrides import Overrides
from edgekit.naming import name_artifact, name_model
from edgekit.output import check_places, publish, staging_in
from edgekit.payoff import note_slower
from edgekit.precision import INT8
from edgekit.report import FILE_NAME as REPORT
from edgekit.report import Problem, Report
from edgekit.request import ConvertRequest, PrepareRequest, ProfileRequest
from edgekit.run import OnStage, Result, silent

MODEL = "model"  # what progress calls the preparation


@dataclass(frozen=True, slots=True)
class ConvertPlan:
    """A whole `edgekit convert`.

    Attributes:
        model: as the user names it.
        targets: plugin names.
        precisions: for each target.
        output: folder that gets one folder per artifact.
        overrides: what the checkpoint's files do not say.
        options: `--option` pairs: by target, or for all under "".
        images: a folder of real pictures for parity, or None for those edgekit ships.
        num_threads: of the runtimes.
        latency: how to time, or None not to.
        calibration: pictures for int8: a folder, a list, or "digits".
        evaluation: labelled pictures to count the accuracy of every artifact on; None not to.
        max_drop_points: of top-1, of 100, that an artifact may lose against the float model; int8 keeps units in float for it.
        weight_bits: of int8: 8 or 7.
        allow_overlap: count on pictures that were calibrated on.
        force: replace artifacts that are there already.
        jobs: workers side by side; 0 for one per core.
    """

    model: str
    targets: tuple[str, ...]
    precisions: tuple[str, ...]
    output: Path
    overrides: Overrides | None = None
    options: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    images: Path | None = None
    num_threads: int = 1
    latency: LatencyPlan | None = field(default_factory=LatencyPlan)
    calibration: Path | None = None
    evaluation: Path | None = None
    max_drop_points: float | None = None
    weight_bits: int = 8
    allow_overlap: bool = False
    force: bool = False
    jobs: int = 0


def convert(plan: ConvertPlan, on_stage: OnStage = silent) -> tuple[Result, ...]:
    """Convert one model to every target at every precision, check each and measure each.

    Raises:
        EdgekitError: what makes the whole run impossible. What befalls one target is in its report instead.
    """
    for target in plan.targets:
        registry.find(target)
    if INT8 in plan.precisions and not plan.calibration:
        raise UsageError(
            "int8 needs --calibration: a folder or a list of 100 pictures or more like those the app will see, or `digits`"
        )
    for target in plan.options:
        if target and target not in plan.targets:
            raise UsageError(
                f"--option names the target {target!r}, which is not converted to. Chosen: {', '.join(plan.targets)}"
            )
    name = name_model(plan.model)
    cells = {
        name_artifact(name, target, precision): _request(plan, target, precision)
        for target in plan.targets
        for precision in plan.precisions
    }
    check_places(plan.output, cells, force=plan.force)
    launcher = Launcher(on_stage, offers(plan.precisions))
    with staging_in(plan.output) as staging, launched(launcher, 1 + (plan.jobs or available_cores())) as pool:
        shared = staging / "shared"
        shared.mkdir()
        prepared = pool.submit(prepare_model, launcher, _preparation(plan, name), shared)
        in_turn = sorted(cells, key=lambda cell: cells[cell].precision == INT8)  # these wait for the calibration first
        futures = {cell: pool.submit(convert_cell, launcher, cell, cells[cell], staging / cell, shared) for cell in in_turn}
        prepared.result()
        reports = {cell: futures[cell].result() for cell in cells}
        if plan.latency:
            for cell, report in reports.items():  # one after the other: latency is measured alone
                if (staging / cell / MANIFEST).is_file():
                    request = ProfileRequest(plan.num_threads, plan.latency)
                    reports[cell] = profile_cell(launcher, cell, request, report, staging / cell, staging)
            reports = note_slower(reports)
        if plan.evaluation:
            reports = _evaluate(plan, reports, launcher, staging)
        for cell, report in reports.items():
            write_json(staging / cell / REPORT, report)
        return tuple(
            Result(publish(staging / cell, plan.output / cell, force=plan.force), report) for cell, report in reports.items()
        )


def offers(precisions: Collection[str]) -> dict[str, Offer]:
    """What a preparation makes one after the other, and the cells of these precisions wait for."""
    return {name: Offer() for each in ("", *precisions) for name in (program_name(each), reference_name(each))}


def prepare_model(launcher: Launcher, request: PrepareRequest, folder: Path, label: str = MODEL) -> None:
    """Make what all cells of a model share, in a worker of its own, which fulfils the launcher's offers one by one.

    Args:
        launcher: of the workers, with these offers.
        request: what to make.
        folder: where.
        label: what progress calls it.

    Raises:
        EdgekitError: of the class that the worker's problem names. The offers that are left are withdrawn.
    """

    def blank(problem: Problem) -> Report:
        return Report(request.name, "pytorch", "float32", "failed", describe_machine(), problem=problem)

    try:
        report = launcher.run("prepare", label, request, artifact=folder, work=folder, shared=folder, blank=blank)
    finally:
        for offer in launcher.ready.values():
            if isinstance(offer, Offer):
                offer.withdraw()
    if report.problem:
        log = f"\n{report.problem.log}" if report.problem.log else ""
        raise BY_NAME.get(report.problem.kind, EdgekitError)(f"{report.problem.message}{log}")


def convert_cell(launcher: Launcher, cell: str, request: ConvertRequest, folder: Path, shared: Path) -> Report:
    """Make one artifact, in a worker of its own, and check its numbers.

    Args:
        launcher: of the workers; offers what is being prepared.
        cell: what progress calls it.
        request: what to make.
        folder: gets the artifact, its report and its log; of a failure only these two.
        shared: of the preparation.
    """
    folder.mkdir()

    def blank(problem: Problem) -> Report:
        return Report(request.model, request.target, request.precision, "failed", describe_machine(), problem=problem)

    report = launcher.run("convert", cell, request, artifact=folder, work=folder, shared=shared, blank=blank)
    if not report.size_bytes:  # no whole artifact: leave the report and the log, and nothing that looks like one
        for path in folder.iterdir():
            if path.name not in (REPORT, LOG):
                shutil.rmtree(path) if path.is_dir() else path.unlink()
    write_json(folder / REPORT, report)
    return report


def profile_cell(launcher: Launcher, cell: str, request: ProfileRequest, report: Report, folder: Path, staging: Path) -> Report:
    """Measure an artifact's latency, alone on the machine, and put it into its report; without a runtime there is none."""
    if report.runtime is None or report.runtime.kind == "reference":  # it did not load, or its time would mean nothing
        return report
    with tempfile.TemporaryDirectory(dir=staging) as work, alone(partial(launcher.on_stage, cell, WAITS)):
        profiled = launcher.run(
            "profile",
            cell,
            request,
            artifact=folder,
            work=Path(work),
            blank=lambda problem: replace(report, status="failed", problem=problem),
            num_threads=request.num_threads,
        )
    problem = report.problem or profiled.problem
    return replace(
        report,
        latency=profiled.latency,
        notes=tuple(dict.fromkeys((*report.notes, *profiled.notes))),
        seconds={**report.seconds, **profiled.seconds},
        problem=problem,
        status="failed" if problem and report.status == "passed" else report.status,
        operators=profiled.operators,
    )


def _evaluate(plan: ConvertPlan, reports: Mapping[str, Report], launcher: Launcher, staging: Path) -> dict[str, Report]:
    """Count on the labelled pictures how often each artifact that runs here is right."""
    assert plan.evaluation
    folders = [staging / cell for cell, report in reports.items() if report.runtime]
    if not folders:
        return dict(reports)
    asked = EvaluationPlan(plan.evaluation, plan.model, plan.num_threads, max_drop_points=plan.max_drop_points)
    evaluator = prepare(folders, asked, launcher, staging)
    found = dict(reports)
    for each in judge(evaluator, folders):
        report = reports[each.folder.name]
        problem = report.problem or each.evaluation.problem
        status = "failed" if problem and report.status == "passed" else report.status
        found[each.folder.name] = replace(report, accuracy=each.evaluation.accuracy, problem=problem, status=status)
    return found


def _request(plan: ConvertPlan, target: str, precision: str) -> ConvertRequest:
    options = {**plan.options.get("", {}), **plan.options.get(target, {})}
    return ConvertRequest(plan.model, target, precision, options, plan.num_threads)


def _preparation(plan: ConvertPlan, name: str) -> PrepareRequest:
    return PrepareRequest(
        plan.model,
        name,
        plan.precisions,
        plan.overrides or Overrides(),
        str(plan.images) if plan.images else None,
        str(plan.calibration) if plan.calibration else None,
        str(plan.evaluation) if plan.evaluation else None,
        plan.max_drop_points,
        plan.weight_bits,
        plan.allow_overlap,
    )
