"""The straight line of one target, in its own process: convert -> load from disk -> parity -> latency.

`verify`, `profile` and `predict` are the same line entered at `load`. Values flow forward only; whatever is raised, the worker
turns into the report.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

import edgekit
from edgekit import registry
from edgekit.calibration import Calibration
from edgekit.desk import INT8_PROGRAM, Desk, Line, program_name, reference_name
from edgekit.document import SCHEMA_VERSION, read_json, record_files, write_json
from edgekit.errors import InputError, TargetMissing, UsageError
from edgekit.examination import Examiner, Watcher
from edgekit.interface import adapt_reference, input_of, random_input
from edgekit.judge import judge, judge_compression
from edgekit.latency import Latency, LatencyPlan, measure
from edgekit.machine import describe_machine
from edgekit.manifest import FILE_NAME as MANIFEST
from edgekit.manifest import Manifest, ModelCard, read_manifest
from edgekit.mobilenet.layers import list_layers
from edgekit.operators import OperatorTimer, attribute
from edgekit.parity import Parity
from edgekit.precision import INT8
from edgekit.prediction import Prediction, rank
from edgekit.preprocessing import read_image
from edgekit.profile import StaticProfiler
from edgekit.reference import Outputs, Reference, load_reference
from edgekit.report import FILE_NAME as REPORT
from edgekit.report import Problem, Report, RuntimeKind
from edgekit.request import FILE_NAME as REQUEST
from edgekit.request import ConvertRequest, PredictRequest, ProfileRequest, VerifyRequest
from edgekit.spread import choose_arithmetics, measure_envelope
from edgekit.target import ConvertJob, LoadJob, Runner, Target

CARD, REFERENCE, CALIBRATION, PREDICTIONS = "model.json", "reference.npz", "calibration.json", "predictions.json"
TIMED_RUNS = 20  # inferences in which a runtime times its operators
MAX_EXAMINED = 4  # inputs on which the operators of a quantised artifact are judged alone
REFERENCE_RUNTIME_NOTE = (
    "checked with {runtime}, not with the vendor's: the verdict is about the saved artifact's numbers, and cannot know on which "
    "unit a device runs an operator, in which order it sums there, or how long it takes"
)
NO_LATENCY = "no latency measured"


def convert(desk: Desk, line: Line) -> Report:
    """Make an artifact, read it back from disk and check its numbers."""
    request: ConvertRequest = read_json(desk.work / REQUEST, ConvertRequest)
    line.enter("import")
    target = registry.load(request.target)
    available = target.probe()
    card_report = blank_report(desk)
    if not available.can_convert:
        return replace(card_report, status="skipped", problem=Problem("import", "TargetMissing", available.reason))
    _check_precision(target, request.precision)

    line.wait(program_name(request.precision))
    from edgekit.mobilenet.program import load_program

    line.enter("convert")
    card: ModelCard = read_json(desk.shared / CARD, ModelCard)
    program = load_program(desk.shared / f"{program_name(request.precision)}.pt2")
    folder = desk.work / "artifact"
    folder.mkdir()
    conversion = target.convert(ConvertJob(program, request.precision, request.options, folder, card))
    calibration = read_json(desk.shared / CALIBRATION, Calibration) if request.precision == INT8 else None
    manifest = Manifest(
        schema_version=SCHEMA_VERSION,
        edgekit_version=edgekit.__version__,
        model=card,
        target=target.name,
        format=conversion.format,
        precision=request.precision,
        entry=conversion.path.relative_to(folder).as_posix(),
        inputs=conversion.inputs or program.inputs,
        outputs=conversion.outputs or program.outputs,
        files=record_files(folder, folder),
        options=conversion.options,
        notes=(*conversion.notes, *(calibration.notes if calibration else ())),
        versions=_versions(target),
    )
    for path in folder.iterdir():
        path.rename(desk.work / path.name)
    folder.rmdir()
    write_json(desk.work / MANIFEST, manifest)
    report = replace(
        card_report,
        calibration=calibration,
        model=card.name,
        status="converted",
        size_bytes=manifest.size_bytes,
        versions=manifest.versions,
        notes=manifest.notes,
        files=manifest.files,
    )
    line.wait(reference_name(request.precision))
    shutil.copyfile(desk.shared / f"{reference_name(request.precision)}.npz", desk.work / REFERENCE)
    if request.precision == INT8:
        shutil.copyfile(desk.shared / INT8_PROGRAM, desk.work / INT8_PROGRAM)
    if available.runs == "no":
        return replace(report, problem=Problem("load", "TargetMissing", available.reason))
    return _verified(report, target, desk, line, request.num_threads)


def verify(desk: Desk, line: Line) -> Report:
    """Check an existing artifact's numbers again."""
    request: VerifyRequest = read_json(desk.work / REQUEST, VerifyRequest)
    manifest = read_manifest(desk.artifact)
    target = load_target(manifest, line)
    names = choose_arithmetics(target, request.arithmetics) if request.arithmetics else ()
    report = replace(_report_of(manifest, desk), status="converted", problem=None, machine=describe_machine())
    report = _verified(report, target, desk, line, request.num_threads)
    if not names or report.parity is None or not isinstance(target, Examiner):
        return report
    reference, _ = as_taken(load_reference(desk.reference), manifest)
    job = load_job(manifest, desk.artifact, request.num_threads)
    return replace(report, envelope=measure_envelope(target, job, reference, names, report.parity.tolerance))


def profile(desk: Desk, line: Line) -> Report:
    """Measure an existing artifact's latency, and tell what its operators cost where the target can.

    The caller sees to it that nothing else runs meanwhile.
    """
    request: ProfileRequest = read_json(desk.work / REQUEST, ProfileRequest)
    manifest = read_manifest(desk.artifact)
    target = load_target(manifest, line)
    report = _report_of(manifest, desk)
    if report.problem and report.problem.stage == "latency":
        report = replace(report, problem=None, status="passed" if report.parity and report.parity.passed else "converted")
    line.enter("latency")
    job = load_job(manifest, desk.artifact, request.num_threads)
    available = target.probe()
    if available.runs != "native":
        kept = f" here, and the figures are an earlier run's{_whose(report.latency)}" if report.latency else ""
        report = _with_notes(_without_latency_notes(report), f"{NO_LATENCY}{kept}: {available.reason}")
        return _with_static_profile(report, target, job)
    report = replace(_without_latency_notes(report), latency=_measure(target, job, request.latency), more_latencies=())
    if not request.operators:
        return report
    if isinstance(target, OperatorTimer):
        inputs = {job.inputs[0].name: random_input(job.inputs[0])}
        layers = [layer.name for layer in list_layers(manifest.model.spec)]
        report = replace(report, operators=attribute(target.operator_times(job, inputs, runs=TIMED_RUNS), layers))
    return _with_static_profile(report, target, job)


def was_timed(report: Report) -> bool:
    """Whether `profile` measured what its report has, and did not keep what was measured where the target's own runtime runs."""
    return report.latency is not None and not any(note.startswith(NO_LATENCY) for note in report.notes)


def predict(desk: Desk, line: Line) -> Report:
    """Run an existing artifact on pictures; the answers go to predictions.json."""
    request: PredictRequest = read_json(desk.work / REQUEST, PredictRequest)
    manifest = read_manifest(desk.artifact)
    target = load_target(manifest, line)
    line.enter("load")
    predictions: list[Prediction] = []
    with target.load(load_job(manifest, desk.artifact, request.num_threads)) as runner:
        line.enter("parity")
        for image in request.images:
            given = input_of(read_image(Path(image)), manifest.model.preprocessing, manifest.inputs[0])
            outputs = runner.infer({manifest.inputs[0].name: given})
            predictions.append(rank(image, outputs, manifest, top=request.top))
        report = replace(_report_of(manifest, desk), runtime=runner.runtime)
    write_json(desk.work / PREDICTIONS, predictions)
    return report


def blank_report(desk: Desk) -> Report:
    """A report that knows only what was asked."""
    machine = describe_machine()
    if (desk.artifact / MANIFEST).is_file() and desk.artifact != desk.work:
        manifest = read_json(desk.artifact / MANIFEST, Manifest)
        return Report(manifest.model.name, manifest.target, manifest.precision, "failed", machine)
    request: ConvertRequest = read_json(desk.work / REQUEST, ConvertRequest)
    return Report(request.model, request.target, request.precision, "failed", machine)


def answer_samples(runner: Runner, images_nchw: Sequence[NDArray[np.float32]], input_name: str) -> list[Outputs]:
    """Run every sample, each from an array of its own."""
    return [dict(runner.infer({input_name: np.ascontiguousarray(image)})) for image in images_nchw]


def _verified(report: Report, target: Target, desk: Desk, line: Line, num_threads: int) -> Report:
    line.enter("load")
    # The folder as it lies on the disk, and what it says of itself: what a user's app would get.
    manifest = read_manifest(desk.artifact)
    trained = load_reference(desk.reference)
    reference, left_out = as_taken(trained, manifest)
    job = load_job(manifest, desk.artifact, num_threads)
    report = _without_verdict(report, asked="reference" if target.probe().runs == "reference" else "native")
    try:
        with target.load(job) as runner:
            line.enter("parity")
            answers = answer_samples(runner, [sample.image_nchw for sample in reference.samples], manifest.inputs[0].name)
            runtime = runner.runtime
            findings = runner.findings if isinstance(runner, Watcher) else ()
    except InputError as error:  # the runtime says no to the artifact, which is a verdict
        return replace(report, status="failed", problem=Problem(line.stage, type(error).__name__, str(error)))
    stand_in = (REFERENCE_RUNTIME_NOTE.format(runtime=runtime.runtime),) if runtime.kind == "reference" else ()
    report = _with_notes(replace(report, runtime=runtime, findings=findings), *left_out, *stand_in)
    if runtime.kind == "reference" and isinstance(target, Examiner):
        samples = [{job.inputs[0].name: sample.image_nchw} for sample in reference.samples[:MAX_EXAMINED]]
        report = replace(report, operations=target.judge_operations(job, samples))
    return judge_answers(report, manifest, target, answers, trained=trained, reference=reference)


def judge_answers(
    report: Report, manifest: Manifest, target: Target, answers: Sequence[Outputs], *, trained: Reference, reference: Reference
) -> Report:
    """Put the verdict on what a runtime answered into its report.

    Args:
        report: of the artifact, with the runtime.
        manifest: the artifact's.
        target: says what must be reached.
        answers: one for each of the reference's samples.
        trained: PyTorch's answers, as saved.
        reference: the same as this artifact takes and gives them: see `as_taken`.
    """
    compression = judge_compression(trained, manifest.precision, answers)
    parity = judge(reference, answers, manifest.outputs, target.tolerances[manifest.precision], compression)
    if parity.passed:
        return replace(report, parity=parity, status="passed")
    return replace(report, parity=parity, status="failed", problem=_parity_problem(parity))


def as_taken(trained: Reference, manifest: Manifest) -> tuple[Reference, tuple[str, ...]]:
    """What an artifact is judged against, as its own interface has it, and what had to be left out."""
    reference = trained.of(manifest.precision)
    given, taken = reference.samples[0].image_nchw.shape, manifest.inputs[0].shape
    if given != taken:
        raise InputError(f"the reference's images are {list(given)}, and the artifact takes {list(taken)}: see --resolution")
    return adapt_reference(reference, manifest.model.preprocessing, manifest.inputs, manifest.outputs)


def _without_verdict(report: Report, *, asked: RuntimeKind) -> Report:
    """What is known before the runtime is asked. An earlier verdict's runtime, figures and notes are not this one's."""
    before = REFERENCE_RUNTIME_NOTE.format(runtime=report.runtime.runtime) if report.runtime else ""
    notes = tuple(note for note in report.notes if note != before)
    return replace(report, asked=asked, runtime=None, parity=None, notes=notes, findings=(), operations=(), envelope=None)


def _without_latency_notes(report: Report) -> Report:
    return replace(report, notes=tuple(note for note in report.notes if not note.startswith(NO_LATENCY)))


def _whose(latency: Latency) -> str:
    return f" on {latency.machine.processor}" if latency.machine else ""


def _with_notes(report: Report, *notes: str) -> Report:
    return replace(report, notes=tuple(dict.fromkeys((*report.notes, *notes))))


def _with_static_profile(report: Report, target: Target, job: LoadJob) -> Report:
    if not isinstance(target, StaticProfiler):
        return report
    try:
        return replace(report, static_profile=target.static_profile(job))
    except InputError as error:
        return _with_notes(replace(report, static_profile=None), f"no static profile: {error}")


def _parity_problem(parity: Parity) -> Problem:
    first, *others = parity.problems
    more = f" (and {len(others)} more, see report.json)" if others else ""
    return Problem("parity", "NegativeResult", f"{first}{more}")


def _measure(target: Target, job: LoadJob, plan: LatencyPlan) -> Latency:
    inputs = {job.inputs[0].name: random_input(job.inputs[0])}

    def load() -> Callable[[], object]:
        runner = target.load(job)
        return lambda: runner.infer(inputs)

    return measure(load, num_threads=job.num_threads, plan=plan)


def load_target(manifest: Manifest, line: Line) -> Target:
    """Import what runs an artifact.

    Raises:
        TargetMissing: nothing here does.
    """
    line.enter("import")
    target = registry.load(manifest.target)
    available = target.probe()
    if available.runs == "no":
        raise TargetMissing(f"this artifact cannot run here: {available.reason}")
    return target


def load_job(manifest: Manifest, folder: Path, num_threads: int) -> LoadJob:
    """What a target is to load from an artifact's folder."""
    return LoadJob(
        folder / manifest.entry,
        manifest.precision,
        manifest.options,
        manifest.inputs,
        manifest.outputs,
        num_threads,
        manifest.model.labels,
    )


def _report_of(manifest: Manifest, desk: Desk) -> Report:
    """The report beside the artifact, or the start of one where somebody took it away."""
    with suppress(InputError, msgspec.MsgspecError):
        report: Report = read_json(desk.artifact / REPORT, Report)
        return replace(report, seconds={}, files=manifest.files)
    return replace(
        Report(manifest.model.name, manifest.target, manifest.precision, "converted", describe_machine()),
        size_bytes=manifest.size_bytes,
        versions=manifest.versions,
        notes=manifest.notes,
        files=manifest.files,
    )


def _check_precision(target: Target, precision: str) -> None:
    if precision not in target.tolerances:
        raise UsageError(f"target {target.name} has no precision {precision!r}. It has: {', '.join(target.tolerances)}")


def _versions(target: Target) -> Mapping[str, str]:
    found = {"edgekit": edgekit.__version__}
    for package in ("torch", *target.packages):
        with suppress(PackageNotFoundError):
            found[package] = version(package)
    return found
