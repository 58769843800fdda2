"""Accuracy of artifacts on labelled pictures, the float model's before it. One worker each, on pixels that are decoded once."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from edgekit import errors
from edgekit.accuracy import Accuracy, agreeing, count_right, share
from edgekit.dataset import DIGITS, Pixels, decode, find_labelled, spread
from edgekit.desk import INT8_PROGRAM
from edgekit.document import sha256_of
from edgekit.errors import EdgekitError, InputError, OutputError, UsageError
from edgekit.evaluation import FILE_NAME, Disagreement, Evaluated, Evaluation, EvaluationPlan, Outcome, save
from edgekit.launcher import Launcher
from edgekit.machine import describe_machine
from edgekit.manifest import Manifest, ModelCard, read_manifest
from edgekit.precision import INT8
from edgekit.report import Problem, Report
from edgekit.request import EvaluateRequest
from edgekit.scores import FLOAT_BATCH, PIXELS, SCORES
from edgekit.target import RuntimeInfo

MIN_AGREEMENT = 0.99  # below it a reader is told, and which pictures
NO_DEVICE_SPEED = "images per second are those of a reference runtime, and no device's speed"


@dataclass(frozen=True, slots=True)
class Scores:
    """Answers of one model to all pictures, in their order.

    Attributes:
        values: logits or probabilities (pictures, classes), float32.
        seconds: of inference alone.
        runtime: what ran.
    """

    values: NDArray[np.float32]
    seconds: float
    runtime: RuntimeInfo


@dataclass(frozen=True, slots=True)
class Evaluator:
    """Judges artifacts of one model on one set of pictures, which are decoded once and which the float model answers once.

    Attributes:
        card: the model behind all of them.
        images: the set's name.
        pixels: its pictures.
        float_scores: the float model's answers.
        launcher: of the workers.
        shared: folder with the pixels, inside the run's own.
        num_threads: of the runtimes.
        max_drop_points: of top-1, of 100, that an artifact may be below the float model; None for no such limit.
        programs: answers of the int8 programs behind the artifacts judged so far, by the sha256 of their files.
        lock: several threads may judge: who asks a program first makes the others wait for its answers.
    """

    card: ModelCard
    images: str
    pixels: Pixels
    float_scores: Scores
    launcher: Launcher
    shared: Path
    num_threads: int
    max_drop_points: float | None = None
    programs: dict[str, Scores] = field(default_factory=dict)
    lock: Lock = field(default_factory=Lock)

    @property
    def float_model(self) -> Evaluation:
        """The float model's own evaluation."""
        accuracy = count_right(self.float_scores.values, self.pixels.classes)
        notes = (f"images per second in batches of {FLOAT_BATCH}; artifacts take one image at a time",)
        found = self._described("pytorch", "float32", self.float_scores)
        return replace(found, accuracy=accuracy, batch=FLOAT_BATCH, notes=notes)

    @property
    def int8_programs(self) -> tuple[Evaluation, ...]:
        """What int8 artifacts are to compute, evaluated: what quantisation costs whatever the target."""
        return tuple(
            replace(
                self._described("pytorch", INT8, scores),
                accuracy=count_right(scores.values, self.pixels.classes, self.float_scores.values),
                notes=("the int8 program in exact arithmetic, slowly: what its artifacts are to compute",),
            )
            for scores in self.programs.values()
        )

    def judge(self, folder: Path, label: str = "") -> Evaluation:
        """Run an artifact on all pictures, in a worker of its own: one that crashes fails alone.

        Args:
            folder: the artifact's.
            label: what progress calls it; by default the folder's name.
        """
        manifest = read_manifest(folder)
        request = EvaluateRequest(self.pixels.shape, self.num_threads)
        report, scores = ask(self.launcher, label or folder.name, request, folder, self.shared)
        if scores is None:
            return replace(self._described(manifest.target, manifest.precision, None), problem=report.problem)
        accuracy = count_right(scores.values, self.pixels.classes, self.float_scores.values)
        program = self._program_of(folder, manifest)
        found = self._described(manifest.target, manifest.precision, scores)
        return replace(
            found,
            accuracy=accuracy,
            program_agreement=share(int(agreeing(scores.values, program.values).sum()), accuracy.count) if program else None,
            disagreements=self._disagreements(scores),
            notes=(*found.notes, *_notes(accuracy, scores)),
            problem=self._problem(accuracy),
        )

    def _program_of(self, folder: Path, manifest: Manifest) -> Scores | None:
        """Answers of the int8 program that lies beside an artifact."""
        path = folder / INT8_PROGRAM
        if manifest.precision != INT8 or not path.is_file():
            return None
        sha256 = sha256_of(path)
        with self.lock:
            if sha256 not in self.programs:
                request = EvaluateRequest(self.pixels.shape, self.num_threads, int8_program=True)
                report, scores = ask(self.launcher, "int8 program", request, folder, self.shared)
                if scores is None:
                    assert report.problem
                    raise InputError(f"{path} does not answer: {report.problem.message}")
                self.programs[sha256] = scores
            return self.programs[sha256]

    def _described(self, target: str, precision: str, scores: Scores | None) -> Evaluation:
        found = Evaluation(
            self.card.name, target, precision, self.images, describe_machine(), self.num_threads, skipped=self.pixels.skipped
        )
        if scores is None:
            return found
        notes = (NO_DEVICE_SPEED,) if scores.runtime.kind == "reference" else ()
        return replace(found, runtime=scores.runtime, images_per_second=len(scores.values) / scores.seconds, notes=notes)

    def _disagreements(self, scores: Scores) -> tuple[Disagreement, ...]:
        mine, theirs = scores.values.argmax(axis=1), self.float_scores.values.argmax(axis=1)
        pictures = self.pixels.pictures
        return tuple(
            Disagreement(pictures[i].name, int(mine[i]), int(theirs[i]), pictures[i].class_index)
            for i in np.flatnonzero(~agreeing(scores.values, self.float_scores.values))
        )

    def _problem(self, accuracy: Accuracy) -> Problem | None:
        if self.max_drop_points is None or accuracy.drop_points <= self.max_drop_points:
            return None
        below = f"top-1 is {accuracy.drop_points:.2f} points below the float model's, and {self.max_drop_points:g} are allowed"
        return Problem("evaluate", "NegativeResult", below)


def evaluate(
    folders: Sequence[Path],
    plan: EvaluationPlan,
    on_stage: Callable[[str, str], None] = lambda cell, stage: None,
    on_progress: Callable[[str, int, int], None] = lambda cell, done, total: None,
) -> Outcome:
    """Judge artifacts of one model.

    Args:
        folders: theirs.
        plan: on what.
        on_stage: is told what happens.
        on_progress: is told (cell, done, total) while pictures are decoded or answered.

    Raises:
        EdgekitError: as `prepare`. What befalls one artifact is in its evaluation instead.
    """
    with tempfile.TemporaryDirectory(prefix="edgekit-") as work, Launcher(on_stage, on_progress=on_progress) as launcher:
        evaluator = prepare(folders, plan, launcher, Path(work))
        artifacts = judge(evaluator, folders)
        return Outcome(evaluator.float_model, evaluator.int8_programs, artifacts)


def prepare(folders: Sequence[Path], plan: EvaluationPlan, launcher: Launcher, work: Path) -> Evaluator:
    """Decode the pictures and ask the float model.

    Args:
        folders: artifacts, with their manifests.
        plan: on what.
        launcher: of the workers.
        work: a folder of the run's own: pixels, and what workers leave.

    Raises:
        UsageError: artifacts of several models, no classifiers, or a float model that is not theirs.
        InputError: no pictures, or labels of another model.
        OutputError: no room for the pixels.
    """
    card = common_card([read_manifest(folder) for folder in folders])
    source = find_source(card, plan.model)
    shared = work / "evaluation"
    shared.mkdir()
    pictures = find_labelled(plan.images, card.labels, card.spec.classes, shared)
    size, channels = card.spec.resolution, card.spec.input_channels
    pixels = decode(
        spread(pictures, plan.limit) if plan.limit else pictures,
        card.preprocessing,
        shape_hwc=(size, size, channels),
        path=shared / PIXELS,
        on_progress=lambda done, total: launcher.on_progress("images", done, total),
    )
    request = EvaluateRequest(pixels.shape, plan.num_threads, source)
    report, scores = ask(launcher, "float model", request, folders[0], shared)
    if scores is None:
        assert report.problem
        raise _float_error(report.problem, source, named_by_user=plan.model is not None)
    return Evaluator(card, plan.images.resolve().name, pixels, scores, launcher, shared, plan.num_threads, plan.max_drop_points)


def judge(evaluator: Evaluator, folders: Sequence[Path]) -> tuple[Evaluated, ...]:
    """Judge artifacts, one at a time, and leave each its evaluation."""
    found = []
    for folder in folders:
        evaluation, unsaved = evaluator.judge(folder), ""
        if evaluation.accuracy:  # a worker that died does not wipe what was known
            try:
                save(folder, evaluation)
            except OutputError as error:
                unsaved = str(error)
        found.append(Evaluated(folder, evaluation, unsaved))
    return tuple(found)


def ask(launcher: Launcher, cell: str, request: EvaluateRequest, artifact: Path, shared: Path) -> tuple[Report, Scores | None]:
    """Have a worker answer all pictures. Without scores the report has the problem."""
    desk = Path(tempfile.mkdtemp(prefix="scores-", dir=shared.parent))

    def blank(problem: Problem) -> Report:
        manifest = read_manifest(artifact)
        return Report(manifest.model.name, manifest.target, manifest.precision, "failed", describe_machine(), problem=problem)

    report = launcher.run(
        "evaluate", cell, request, artifact=artifact, work=desk, shared=shared, num_threads=request.num_threads, blank=blank
    )
    if report.problem or report.runtime is None:
        return report, None
    with np.load(desk / SCORES, allow_pickle=False) as file:
        return report, Scores(file["values"], float(file["seconds"]), report.runtime)


def common_card(manifests: Sequence[Manifest]) -> ModelCard:
    """The model that all artifacts were made of.

    Raises:
        UsageError: they were made of several, or of one at several resolutions, or it is no classifier.
    """
    first = manifests[0].model
    for other in (manifest.model for manifest in manifests):
        if other.task != "classification":
            raise UsageError(f"{other.name} is for {other.task}: accuracy is counted for classifiers alone")
        if other.sha256 != first.sha256:
            raise UsageError(f"{first.name} and {other.name} are not the same model: evaluate the artifacts of each apart")
        if (other.spec, other.preprocessing, other.labels) != (first.spec, first.preprocessing, first.labels):
            raise UsageError(
                f"artifacts of {first.name} differ in resolution, padding, preprocessing or labels: evaluate each kind apart"
            )
    return first


def find_source(card: ModelCard, model: str | None) -> str:
    """Name the float model: what the user says, or what the manifest says where that may be found from here.

    Raises:
        UsageError: a manifest names a file without its folder, and it is not in this one.
    """
    source = card.source if model is None else model
    if source == str(DIGITS) or "/" in source or Path(source).expanduser().exists():
        return source
    if model is not None:
        raise InputError(f"no such model: {model}")
    raise UsageError(f"the manifest names {source!r} as the model of {card.name}, and that is not here: give it with --model")


def _float_error(problem: Problem, source: str, *, named_by_user: bool) -> EdgekitError:
    if not named_by_user and problem.kind in ("InputError", "NetworkError", "TargetMissing"):
        return UsageError(f"the manifest names {source!r} as the float model: {problem.message}. Give it with --model")
    log = f"\n{problem.log}" if problem.log else ""
    return errors.BY_NAME.get(problem.kind, EdgekitError)(f"the float model: {problem.message}{log}")


def _notes(accuracy: Accuracy, scores: Scores) -> tuple[str, ...]:
    assert accuracy.agreement
    found = []
    if broken := int(np.isnan(scores.values).any(axis=1).sum()):
        found.append(f"{broken} of {accuracy.count} answers are no numbers (NaN): counted as wrong")
    if accuracy.agreement.value < MIN_AGREEMENT:
        found.append(f"agrees with the float model on less than {MIN_AGREEMENT:.0%} of the images; {FILE_NAME} names the others")
    return tuple(found)
