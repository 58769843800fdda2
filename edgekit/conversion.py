"""`edgekit convert`: capture once, workers side by side, latency alone, accuracy, rename into place."""

from __future__ import annotations

import shutil
import tempfile
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from edgekit import registry
from edgekit.alone import WAITS, alone
from edgekit.calibration import choose, refuse_overlap
from edgekit.dataset import DIGITS, LabelledPicture, find_labelled, find_pictures
from edgekit.desk import program_name, reference_name
from edgekit.errors import UsageError
from edgekit.evaluation import EvaluationPlan
from edgekit.evaluator import judge, prepare
from edgekit.latency import LatencyPlan
from edgekit.launcher import LOG, Launcher, launched
from edgekit.machine import available_cores, describe_machine
from edgekit.manifest import FILE_NAME as MANIFEST
from edgekit.manifest import ModelCard, write_json
from edgekit.output import check_places, publish, staging_in
from edgekit.payoff import note_slower
from edgekit.precision import INT8
from edgekit.report import FILE_NAME as REPORT
from edgekit.report import Problem, Report
from edgekit.request import ConvertRequest, ProfileRequest
from edgekit.run import MAX_IMAGES, OnStage, Result, open_model, silent
from edgekit.samples import find_images
from edgekit.shared import Pictures, SharedFolder

if TYPE_CHECKING:
    from edgekit.mobilenet.checkpoint import Checkpoint
    from edgekit.mobilenet.overrides import Overrides


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
    name = _short_name(plan.model)
    cells = {
        f"{name}-{target}-{precision}": _request(plan, target, precision)
        for target in plan.targets
        for precision in plan.precisions
    }
    check_places(plan.output, cells, force=plan.force)
    resources = {name: threading.Event() for each in plan.precisions for name in (program_name(each), reference_name(each))}
    launcher = Launcher(on_stage, {program_name(""): threading.Event(), reference_name(""): threading.Event(), **resources})
    with staging_in(plan.output) as staging, launched(launcher, plan.jobs or available_cores()) as pool:
        shared = staging / "shared"
        shared.mkdir()
        in_turn = sorted(cells, key=lambda cell: cells[cell].precision == INT8)  # these wait for the calibration first
        futures = {cell: pool.submit(_convert_cell, launcher, cell, cells[cell], staging) for cell in in_turn}
        _fill_shared(plan, shared, launcher)
        on_stage("model", "done")
        reports = {cell: futures[cell].result() for cell in cells}
        if plan.latency:
            for cell, report in reports.items():  # one after the other: latency is measured alone
                if (staging / cell / MANIFEST).is_file():
                    reports[cell] = _profile_cell(launcher, cell, report, staging / cell, plan)
            reports = note_slower(reports)
        if plan.evaluation:
            reports = _evaluate(plan, reports, launcher, staging)
        for cell, report in reports.items():
            write_json(staging / cell / REPORT, report)
        return tuple(
            Result(publish(staging / cell, plan.output / cell, force=plan.force), report) for cell, report in reports.items()
        )


def _convert_cell(launcher: Launcher, cell: str, request: ConvertRequest, staging: Path) -> Report:
    work = staging / cell
    work.mkdir()

    def blank(problem: Problem) -> Report:
        return Report(request.model, request.target, request.precision, "failed", describe_machine(), problem=problem)

    report = launcher.run("convert", cell, request, artifact=work, work=work, shared=staging / "shared", blank=blank)
    if not report.size_bytes:  # no whole artifact: leave the report and the log, and nothing that looks like one
        for path in work.iterdir():
            if path.name not in (REPORT, LOG):
                shutil.rmtree(path) if path.is_dir() else path.unlink()
    write_json(work / REPORT, report)
    return report


def _profile_cell(launcher: Launcher, cell: str, report: Report, folder: Path, plan: ConvertPlan) -> Report:
    assert plan.latency
    if report.runtime is None or report.runtime.kind == "reference":  # it did not load, or its time would mean nothing
        return report
    request = ProfileRequest(plan.num_threads, plan.latency)
    with tempfile.TemporaryDirectory(dir=folder.parent) as work, alone(partial(launcher.on_stage, cell, WAITS)):
        profiled = launcher.run(
            "profile",
            cell,
            request,
            artifact=folder,
            work=Path(work),
            blank=lambda problem: replace(report, status="failed", problem=problem),
            num_threads=plan.num_threads,
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


def _source(model: str, checkpoint: Checkpoint) -> str:
    """What the manifest calls a model. Apps ship it: no paths of a machine."""
    path = Path(model.removeprefix("hf://")).expanduser()
    if model == str(DIGITS) or not path.exists():
        return checkpoint.source
    name = path.resolve().name
    return f"./{name}" if name == str(DIGITS) else name


def _fill_shared(plan: ConvertPlan, folder: Path, launcher: Launcher) -> None:
    """Make what the workers wait for."""
    parity = find_images(plan.images, limit=MAX_IMAGES) if plan.images else ()
    calibration = find_pictures(plan.calibration, folder) if plan.calibration and INT8 in plan.precisions else ()
    checkpoint = open_model(plan.model, plan.overrides)
    labelled: tuple[LabelledPicture, ...] = ()
    if plan.evaluation:
        labelled = find_labelled(plan.evaluation, checkpoint.labels, checkpoint.spec.classes, folder)
        if not plan.allow_overlap:
            refuse_overlap(calibration, labelled)
    card = ModelCard(
        _short_name(plan.model),
        _source(plan.model, checkpoint),
        checkpoint.sha256,
        "classification",
        checkpoint.spec,
        checkpoint.preprocessing,
        checkpoint.labels,
    )
    SharedFolder(
        checkpoint,
        card,
        Pictures(parity, choose(calibration), labelled, plan.max_drop_points, plan.weight_bits),
        folder,
        lambda stage: launcher.on_stage("model", stage),
        lambda resource: launcher.ready[resource].set(),
    ).fill(plan.precisions)


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


def _short_name(model: str) -> str:
    """`path/to/mobilenet_v2_1.0_224` and `google/mobilenet_v2_1.0_224` -> `mobilenet_v2_1.0_224`."""
    path = Path(model.removeprefix("hf://"))
    name = path.expanduser().resolve().name if path.exists() else path.name
    for suffix in (".safetensors", ".pth", ".pt", ".bin"):
        name = name.removesuffix(suffix)
    return name or "model"
