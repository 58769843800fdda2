"""`edgekit convert`: capture once, workers side by side, latency alone, accuracy, rename into place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from edgekit import registry
from edgekit.document import write_json
from edgekit.errors import UsageError
from edgekit.evaluation import EvaluationPlan
from edgekit.evaluator import judge, prepare
from edgekit.job import convert_cell, offers, prepare_model, profile_cell
from edgekit.latency import LatencyPlan
from edgekit.launcher import Launcher, OnStage, launched, silent
from edgekit.machine import available_cores
from edgekit.manifest import FILE_NAME as MANIFEST
from edgekit.mobilenet.overrides import Overrides
from edgekit.naming import name_artifact, name_model
from edgekit.output import check_places, publish, staging_in
from edgekit.payoff import note_slower
from edgekit.precision import INT8
from edgekit.report import FILE_NAME as REPORT
from edgekit.report import Report
from edgekit.request import ConvertRequest, PrepareRequest, ProfileRequest
from edgekit.run import Result


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
    workers = 1 + (plan.jobs or available_cores())
    with (
        staging_in(plan.output) as staging,
        Launcher(on_stage, offers(plan.precisions)) as launcher,
        launched(launcher, workers) as pool,
    ):
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
