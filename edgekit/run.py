"""Whole commands on artifacts that are there: verify, profile, compare, predict. Each artifact gets a worker of its own."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from edgekit.alone import WAITS, alone
from edgekit.document import write_json
from edgekit.errors import InputError, OutputError, UsageError
from edgekit.latency import LatencyPlan
from edgekit.latency.comparison import Comparison, ComparisonPlan, Launch, suffices
from edgekit.latency.comparison import compare as judge
from edgekit.launcher import Launcher, OnStage, silent
from edgekit.machine import describe_machine
from edgekit.manifest import FILE_NAME as MANIFEST
from edgekit.manifest import read_manifest
from edgekit.pipeline import PREDICTIONS, was_timed
from edgekit.prediction import Prediction
from edgekit.preprocessing import Preprocessing
from edgekit.reference import save_reference
from edgekit.report import FILE_NAME as REPORT
from edgekit.report import Problem, Report
from edgekit.request import PredictRequest, ProfileRequest, VerifyRequest
from edgekit.samples import MAX_IMAGES, find_images, shipped_pictures
from edgekit.shared import answers_of, with_int8
from edgekit.turns import interleave

if TYPE_CHECKING:
    from edgekit.mobilenet.checkpoint import Checkpoint
    from edgekit.mobilenet.overrides import Overrides


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
        asked = None
        if model:
            on_stage("model", "reference")
            checkpoint = open_model(model, overrides)
            pictures = find_images(images, limit=MAX_IMAGES) if images else ()
            asked = answers_of(checkpoint, pictures, {read_manifest(each).precision for each in folders})
        for number, folder in enumerate(folders):
            reference = work / f"reference-{number}.npz" if asked else None
            if asked and reference:
                save_reference(with_int8(asked, folder), reference)
            request = VerifyRequest(num_threads, tuple(arithmetics))
            results.append(save(folder, _run("verify", launcher, folder, request, work, reference)))
    return tuple(results)


def profile(
    artifacts: Sequence[Path], *, threads: Sequence[int], latency: LatencyPlan, on_stage: OnStage = silent
) -> tuple[Result, ...]:
    """Measure the latency of artifacts, one at a time, each with each number of threads in a process of its own.

    Where a target's own runtime does not run here, figures of a machine where it did stay in the report, and a note says whose
    they are.
    """
    folders = [artifact_folder(path) for path in artifacts]
    results = []
    with _work() as work, Launcher(on_stage) as launcher:
        for folder in folders:
            with alone(partial(on_stage, folder.name, WAITS)):
                report = _run("profile", launcher, folder, ProfileRequest(threads[0], latency), work)
                if was_timed(report):
                    more = [ProfileRequest(number, latency, operators=False) for number in threads[1:]]
                    others = [_run("profile", launcher, folder, request, work) for request in more]
                    latencies = tuple(each.latency for each in others if each.latency)
                    problem = report.problem or next((each.problem for each in others if each.problem), None)
                    report = replace(report, more_latencies=latencies, problem=problem)
            results.append(save(folder, report))
    return tuple(results)


def compare(
    artifacts: Sequence[Path], *, num_threads: int, plan: ComparisonPlan, on_stage: OnStage = silent
) -> tuple[Comparison, ...]:
    """Time the first artifact in turns with each of the others.

    Raises:
        UsageError: fewer than two artifacts.
        EdgekitError: one of them does not run here.
    """
    first, *others = [artifact_folder(path) for path in artifacts]
    if not others:
        raise UsageError("--compare needs two artifacts or more: the first is compared with each of the others")
    compared = []
    for other in others:
        cell = f"{other.name} against {first.name}"
        launches: list[Launch] = []
        with _work() as work, alone(partial(on_stage, cell, WAITS)):
            while not suffices(launches, plan):
                number = len(launches) + 1
                more = f"{plan.max_launches} at most, the interval is still wide"
                on_stage(cell, f"launch {number} of {plan.min_launches if number <= plan.min_launches else more}")
                desk = work / str(number)
                desk.mkdir()
                is_turned = number % 2 == 0
                places = (other, first) if is_turned else (first, other)
                launch = interleave(places, desk, num_threads=num_threads, plan=plan, blank=blank_of)
                launches.append(launch.turned() if is_turned else launch)
        on_stage(cell, "done")
        compared.append(judge(launches, first=first.name, second=other.name, num_threads=num_threads))
    return tuple(compared)


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
        report = launcher.run("predict", folder.name, request, artifact=folder, work=desk, blank=blank_of(folder), num_threads=1)
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


def _run(
    mode: str,
    launcher: Launcher,
    folder: Path,
    request: VerifyRequest | ProfileRequest,
    work: Path,
    reference: Path | None = None,
) -> Report:
    return launcher.run(
        mode,
        folder.name,
        request,
        artifact=folder,
        work=Path(tempfile.mkdtemp(dir=work)),
        reference=reference,
        num_threads=request.num_threads,
        blank=blank_of(folder),
    )


def save(folder: Path, report: Report, name: str = REPORT) -> Result:
    """Put a report beside the artifact, under this name."""
    if report.size_bytes is None:  # a worker that died does not wipe what was known
        return Result(folder, report)
    try:
        write_json(folder / name, report)
    except OutputError as error:
        return Result(folder, report, unsaved=str(error))
    return Result(folder, report)


def blank_of(folder: Path) -> Callable[[Problem], Report]:
    """What makes a report of a problem, for a worker that could make none."""

    def blank(problem: Problem) -> Report:
        manifest = read_manifest(folder)
        return Report(manifest.model.name, manifest.target, manifest.precision, "failed", describe_machine(), problem=problem)

    return blank


def open_model(model: str, overrides: Overrides | None) -> Checkpoint:
    """Read a checkpoint; torch is imported here."""
    from edgekit.mobilenet.checkpoint import open_checkpoint

    return open_checkpoint(model, overrides)


@contextmanager
def _work() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="edgekit-") as work:
        yield Path(work)
