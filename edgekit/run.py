"""The parent's side of a run: capture once, hand the program to every target's worker, then measure them one at a time."""

from __future__ import annotations

import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from edgekit import registry
from edgekit.calibration import choose, refuse_overlap
from edgekit.dataset import LabelledPicture, find_labelled, find_pictures
from edgekit.desk import program_name, reference_name
from edgekit.errors import InputError, OutputError, UsageError
from edgekit.evaluation import EvaluationPlan
from edgekit.evaluator import judge, prepare
from edgekit.latency import LatencyPlan
from edgekit.launcher import LOG, Launcher
from edgekit.machine import available_cores, describe_machine
from edgekit.manifest import FILE_NAME as MANIFEST
from edgekit.manifest import ModelCard, read_manifest, write_json
from edgekit.output import check_places, publish, staging_in
from edgekit.pipeline import PREDICTIONS, REFERENCE
from edgekit.precision import INT8
from edgekit.prediction import Prediction
from edgekit.preprocessing import Preprocessing
from edgekit.reference import save_reference
from edgekit.report import FILE_NAME as REPORT
from edgekit.report import Problem, Report
from edgekit.request import ConvertRequest, PredictRequest, ProfileRequest, VerifyRequest
from edgekit.samples import find_images, shipped_pictures
from edgekit.shared import Pictures, Share, answers_of

if TYPE_CHECKING:
    from edgekit.mobilenet.checkpoint import Checkpoint
    from edgekit.mobilenet.overrides import Overrides

MAX_IMAGES = 64  # for parity: each costs three passes of PyTorch and its size in every reference file
OnStage = Callable[[str, str], None]


def silent(cell: str, stage: str) -> None:
    """Progress for nobody."""


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
    allow_overlap: bool = False
    force: bool = False
    jobs: int = 0


@dataclass(frozen=True, slots=True)
class Result:
    """What came of one artifact.

    Attributes:
        folder: where it lies, and its report.
        report: the same report.
        unsaved: why the folder's report.json is not this one; empty where it is.
    """

    folder: Path
    report: Report
    unsaved: str = ""


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
    with staging_in(plan.output) as staging, _pool(launcher, plan.jobs or available_cores()) as pool:
        shared = staging / "shared"
        shared.mkdir()
        futures = {cell: pool.submit(_convert_cell, launcher, cell, cells[cell], staging) for cell in cells}
        _share(plan, shared, launcher)
        on_stage("model", "done")
        reports = {cell: future.result() for cell, future in futures.items()}
        if plan.latency:
            for cell, report in reports.items():  # one after the other: latency is measured alone
                if (staging / cell / MANIFEST).is_file():
                    reports[cell] = _profile_cell(launcher, cell, report, staging / cell, plan)
        if plan.evaluation:
            reports = _evaluate(plan, reports, launcher, staging)
        return tuple(
            Result(publish(staging / cell, plan.output / cell, force=plan.force), report) for cell, report in reports.items()
        )


def verify(
    artifacts: Sequence[Path],
    *,
    model: str | None = None,
    overrides: Overrides | None = None,
    images: Path | None = None,
    num_threads: int = 1,
    arithmetics: Sequence[str] = (),
    on_stage: OnStage = silent,
) -> tuple[Result, ...]:
    """Check artifacts again, on the inputs saved beside them, or against `model` on other `images`; also in other arithmetics."""
    folders = [artifact_folder(path) for path in artifacts]
    if images and not model:
        raise UsageError("--images needs --model: the checkpoint answers for pictures that were not saved with the artifact")
    results = []
    with _work() as work, Launcher(on_stage) as launcher:
        reference = None
        if model:
            reference = work / REFERENCE
            on_stage("model", "reference")
            checkpoint = _open(model, overrides)
            pictures = find_images(images, limit=MAX_IMAGES) if images else ()
            save_reference(answers_of(checkpoint, pictures, {read_manifest(each).precision for each in folders}), reference)
        for folder in folders:
            request = VerifyRequest(num_threads, tuple(arithmetics))
            results.append(_judge_again("verify", launcher, folder, request, work, num_threads, reference))
    return tuple(results)


def profile(
    artifacts: Sequence[Path], *, num_threads: int, latency: LatencyPlan, on_stage: OnStage = silent
) -> tuple[Result, ...]:
    """Measure the latency of artifacts, one at a time."""
    folders = [artifact_folder(path) for path in artifacts]
    with _work() as work, Launcher(on_stage) as launcher:
        request = ProfileRequest(num_threads, latency)
        return tuple(_judge_again("profile", launcher, folder, request, work, num_threads) for folder in folders)


def predict(
    artifact: Path, images: Sequence[Path], *, top: int, on_stage: OnStage = silent
) -> tuple[Report, tuple[Prediction, ...]]:
    """Run one artifact on pictures, by default on those that edgekit ships."""
    folder = artifact_folder(artifact)
    with _work() as work, Launcher(on_stage) as launcher:
        desk = work / "predict"
        desk.mkdir()
        pictures = images or _shipped_pictures(read_manifest(folder).model.preprocessing, work)
        request = PredictRequest(tuple(str(image) for image in pictures), top)
        report = launcher.run("predict", folder.name, request, artifact=folder, work=desk, blank=_blank_of(folder), num_threads=1)
        if not (desk / PREDICTIONS).is_file():
            return report, ()
        predictions = msgspec.json.decode((desk / PREDICTIONS).read_bytes(), type=tuple[Prediction, ...])
    if not images:  # the pictures were ours and are gone: their names say what they were
        predictions = tuple(replace(prediction, image=Path(prediction.image).stem) for prediction in predictions)
    return report, predictions


def artifact_folder(path: Path) -> Path:
    """The artifact's folder, given it or a file in it.

    Raises:
        InputError: nothing there, or no artifact of edgekit's.
    """
    if not path.exists():
        raise InputError(f"no such artifact: {path}")
    folder = path if (path / MANIFEST).is_file() else path.parent
    if not (folder / MANIFEST).is_file():
        raise InputError(f"{path} is no edgekit artifact: there is no {MANIFEST}. Make one with `edgekit convert`")
    read_manifest(folder)
    return folder


def _shipped_pictures(preprocessing: Preprocessing, work: Path) -> list[Path]:
    paths = []
    for name, picture in shipped_pictures(preprocessing):
        paths.append((work / name).with_suffix(".png"))
        picture.save(paths[-1])
    return paths


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
    with tempfile.TemporaryDirectory(dir=folder.parent) as work:
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
    kept = replace(
        report,
        latency=profiled.latency,
        notes=tuple(dict.fromkeys((*report.notes, *profiled.notes))),
        seconds={**report.seconds, **profiled.seconds},
        problem=problem,
        status="failed" if problem and report.status == "passed" else report.status,
    )
    write_json(folder / REPORT, kept)
    return kept


def _judge_again(
    mode: str,
    launcher: Launcher,
    folder: Path,
    request: VerifyRequest | ProfileRequest,
    work: Path,
    num_threads: int,
    reference: Path | None = None,
) -> Result:
    desk = Path(tempfile.mkdtemp(dir=work))
    report = launcher.run(
        mode,
        folder.name,
        request,
        artifact=folder,
        work=desk,
        reference=reference,
        num_threads=num_threads,
        blank=_blank_of(folder),
    )
    if report.size_bytes is None:  # a worker that died does not wipe what was known
        return Result(folder, report)
    try:
        write_json(folder / REPORT, report)
    except OutputError as error:
        return Result(folder, report, unsaved=str(error))
    return Result(folder, report)


def _blank_of(folder: Path) -> Callable[[Problem], Report]:
    def blank(problem: Problem) -> Report:
        manifest = read_manifest(folder)
        return Report(manifest.model.name, manifest.target, manifest.precision, "failed", describe_machine(), problem=problem)

    return blank


def _open(model: str, overrides: Overrides | None) -> Checkpoint:
    from edgekit.mobilenet.checkpoint import open_checkpoint

    return open_checkpoint(model, overrides)


def _share(plan: ConvertPlan, folder: Path, launcher: Launcher) -> None:
    """Make what the workers wait for."""
    parity = find_images(plan.images, limit=MAX_IMAGES) if plan.images else ()
    calibration = find_pictures(plan.calibration, folder) if plan.calibration and INT8 in plan.precisions else ()
    checkpoint = _open(plan.model, plan.overrides)
    labelled: tuple[LabelledPicture, ...] = ()
    if plan.evaluation:
        labelled = find_labelled(plan.evaluation, checkpoint.labels, checkpoint.spec.classes, folder)
        if not plan.allow_overlap:
            refuse_overlap(calibration, labelled)
    path = Path(plan.model.removeprefix("hf://"))
    card = ModelCard(
        _short_name(plan.model),
        path.expanduser().resolve().name if path.exists() else checkpoint.source,  # apps ship this: no paths of a machine
        checkpoint.sha256,
        "classification",
        checkpoint.spec,
        checkpoint.preprocessing,
        checkpoint.labels,
    )
    Share(
        checkpoint,
        card,
        Pictures(parity, choose(calibration), labelled, plan.max_drop_points),
        folder,
        lambda stage: launcher.on_stage("model", stage),
        lambda resource: launcher.ready[resource].set(),
    ).make(plan.precisions)


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
        write_json(each.folder / REPORT, found[each.folder.name])
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


@contextmanager
def _work() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="edgekit-") as work:
        yield Path(work)


@contextmanager
def _pool(launcher: Launcher, workers: int) -> Iterator[ThreadPoolExecutor]:
    """Threads that each wait for one worker. On any error, or Ctrl-C, the workers are killed first."""
    with ThreadPoolExecutor(max_workers=workers) as pool:
        try:
            yield pool
        except BaseException:  # Ctrl-C too; the launcher's own end would come after the pool has waited for its workers
            launcher.stop()
            pool.shutdown(cancel_futures=True)
            raise
