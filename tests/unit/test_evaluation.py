"""What becomes of a model's answers, with a launcher that has them at hand: no worker, no SDK."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from edgekit.accuracy import count_right
from edgekit.dataset import LabelledPicture, Pixels, Skipped
from edgekit.digits.recipe import LABELS, PREPROCESSING, SPEC
from edgekit.document import SCHEMA_VERSION, read_json, write_json
from edgekit.errors import InputError, OutputError, UsageError
from edgekit.evaluation import FILE_NAME, Disagreement, Evaluation, save
from edgekit.evaluator import NO_DEVICE_SPEED, Evaluator, Scores, common_card, find_source, judge
from edgekit.launcher import Launcher
from edgekit.machine import describe_machine
from edgekit.manifest import Manifest, ModelCard
from edgekit.report import Problem, Report
from edgekit.request import EvaluateRequest
from edgekit.scores import SCORES, open_network
from edgekit.target import RuntimeInfo, TensorSpec

CARD = ModelCard("digits", "digits", "0" * 64, "classification", SPEC, PREPROCESSING, LABELS)
RUNTIME = RuntimeInfo("fake", "1.0", "CPU", "float32")
COUNT = 200


class AtHand(Launcher):
    """Gives these answers instead of starting a worker; none for a worker that dies."""

    answers: NDArray[np.float32] | None = None
    runtime = RUNTIME

    def run(self, mode: str, cell: str, request: Any, *, work: Path, blank: Any, **others: Any) -> Report:
        assert mode == "evaluate"
        assert isinstance(request, EvaluateRequest)
        if self.answers is None:
            # a stand-in, untyped: mypy cannot know
            return blank(Problem("evaluate", "EdgekitError", "the worker was killed", "its last line"))  # type: ignore[no-any-return]
        np.savez(work / SCORES, values=self.answers, seconds=0.5)
        return Report("digits", "fake", "float32", "converted", describe_machine(), runtime=self.runtime)


@pytest.fixture
def float_scores() -> NDArray[np.float32]:
    return np.random.default_rng(0).standard_normal((COUNT, 10), dtype=np.float32)


@pytest.fixture
def artifact(tmp_path: Path) -> Path:
    folder = tmp_path / "artifact"
    folder.mkdir()
    (folder / "model").touch()
    write_json(folder / "manifest.json", manifest(CARD))
    return folder


def manifest(card: ModelCard) -> Manifest:
    tensors = (TensorSpec("image", (1, 1, 32, 32), "float32", "NCHW"),), (TensorSpec("logits", (1, 10), "float32", "NK"),)
    return Manifest(SCHEMA_VERSION, "1", card, "fake", "fake", "float32", "model", *tensors, (), {}, (), {})


@pytest.fixture
def evaluator(tmp_path: Path, float_scores: NDArray[np.float32]) -> Evaluator:
    """Of a float model that is right on every second picture."""
    first = float_scores.argmax(axis=1)
    pictures = tuple(LabelledPicture(Path(f"{i}.png"), int((first[i] + i % 2) % 10), f"{i}.png") for i in range(COUNT))
    pixels = Pixels(tmp_path / "pixels", (COUNT, 32, 32, 1), pictures, (Skipped("bad.png", "cut"),))
    shared = tmp_path / "work" / "shared"
    shared.mkdir(parents=True)
    return Evaluator(CARD, "set", pixels, Scores(float_scores, 2.0, RUNTIME), AtHand(), shared, 1)


def answering(evaluator: Evaluator, answers: NDArray[np.float32] | None) -> Evaluator:
    assert isinstance(evaluator.launcher, AtHand)
    evaluator.launcher.answers = answers
    return evaluator


def test_the_float_models_own_row(evaluator: Evaluator) -> None:
    found = evaluator.float_model
    assert found.accuracy is not None
    assert (found.target, found.precision, found.accuracy.top1.value, found.accuracy.agreement) == (
        "pytorch",
        "float32",
        0.5,
        None,
    )
    assert found.images_per_second == COUNT / 2
    assert found.skipped == (Skipped("bad.png", "cut"),)


def test_the_same_answers_agree(evaluator: Evaluator, artifact: Path, float_scores: NDArray[np.float32]) -> None:
    found = answering(evaluator, float_scores).judge(artifact)
    assert found.accuracy == count_right(float_scores, evaluator.pixels.classes, float_scores)
    assert (found.disagreements, found.notes, found.problem, found.exit_code) == ((), (), None, 0)
    assert found.images_per_second == COUNT / 0.5


def test_pictures_without_agreement_are_named(evaluator: Evaluator, artifact: Path, float_scores: NDArray[np.float32]) -> None:
    """Negative control: other answers on three pictures of 200 are less than 99 %; on two they are not."""
    others = float_scores.copy()
    others[[4, 7, 9]] *= -1
    found = answering(evaluator, others).judge(artifact)
    assert found.accuracy is not None
    assert (found.accuracy.lost, found.accuracy.drop_points) == (1, 0.5)
    assert [each.name for each in found.disagreements] == ["4.png", "7.png", "9.png"]
    right = evaluator.pixels.pictures[4].class_index
    assert found.disagreements[0] == Disagreement("4.png", int(others[4].argmax()), right, right)
    assert any("less than 99%" in note for note in found.notes)
    others[9] *= -1
    assert answering(evaluator, others).judge(artifact).notes == ()


def test_answers_that_are_no_numbers_are_told(evaluator: Evaluator, artifact: Path, float_scores: NDArray[np.float32]) -> None:
    others = float_scores.copy()
    others[0, 3] = np.nan
    found = answering(evaluator, others).judge(artifact)
    assert found.accuracy is not None
    assert found.accuracy.lost == 1
    assert any("1 of 200 answers are no numbers" in note for note in found.notes)


@pytest.mark.parametrize(("allowed", "code"), [(None, 0), (0.5, 0), (0.4, 1), (0, 1)])
def test_a_drop_that_is_not_allowed_is_a_negative_result(
    evaluator: Evaluator, artifact: Path, float_scores: NDArray[np.float32], allowed: float | None, code: int
) -> None:
    others = float_scores.copy()
    others[4] *= -1
    found = answering(replace(evaluator, max_drop_points=allowed), others).judge(artifact)
    assert found.exit_code == code
    if found.problem:
        assert found.problem.message == f"top-1 is 0.50 points below the float model's, and {allowed:g} are allowed"


def test_the_time_of_a_stand_in_is_no_devices(evaluator: Evaluator, artifact: Path, float_scores: NDArray[np.float32]) -> None:
    assert isinstance(evaluator.launcher, AtHand)
    evaluator.launcher.runtime = replace(RUNTIME, kind="reference")
    assert NO_DEVICE_SPEED in answering(evaluator, float_scores).judge(artifact).notes


def test_an_artifact_that_crashes_fails_alone_and_wipes_nothing(
    evaluator: Evaluator, artifact: Path, float_scores: NDArray[np.float32]
) -> None:
    (before,) = judge(answering(evaluator, float_scores), [artifact])
    (after,) = judge(answering(evaluator, None), [artifact])
    assert after.evaluation.problem is not None
    assert (after.evaluation.exit_code, after.evaluation.problem.log) == (70, "its last line")
    assert read_json(artifact / FILE_NAME, Evaluation) == before.evaluation


def test_an_evaluation_survives_the_disk_and_the_report_has_its_accuracy(
    evaluator: Evaluator, artifact: Path, float_scores: NDArray[np.float32]
) -> None:
    report = Report("digits", "fake", "float32", "passed", describe_machine(), notes=("kept",))
    write_json(artifact / "report.json", report)
    (found,) = judge(answering(evaluator, -float_scores), [artifact])
    assert read_json(artifact / FILE_NAME, Evaluation) == found.evaluation
    assert read_json(artifact / "report.json", Report) == replace(report, accuracy=found.evaluation.accuracy)


@pytest.mark.parametrize("content", [None, b"{", b'{"schema_version": 9}'])
def test_a_report_that_cannot_be_read_is_left_alone(evaluator: Evaluator, artifact: Path, content: bytes | None) -> None:
    path = artifact / "report.json"
    if content is not None:
        path.write_bytes(content)
    save(artifact, evaluator.float_model)
    assert (path.read_bytes() if path.exists() else None) == content


def test_a_folder_that_cannot_be_written_is_said(
    evaluator: Evaluator, artifact: Path, float_scores: NDArray[np.float32], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path, record: object) -> None:
        raise OutputError(f"cannot write {path}")

    monkeypatch.setattr("edgekit.evaluation.write_json", refuse)
    (found,) = judge(answering(evaluator, float_scores), [artifact])
    assert FILE_NAME in found.unsaved
    assert found.evaluation.accuracy is not None


def test_artifacts_must_be_of_one_model() -> None:
    other = replace(CARD, name="other", sha256="1" * 64)
    assert common_card([manifest(CARD), manifest(replace(CARD, name="renamed"))]) == CARD
    with pytest.raises(UsageError, match="digits and other are not the same model"):
        common_card([manifest(CARD), manifest(other)])
    with pytest.raises(UsageError, match="differ in resolution"):
        common_card([manifest(CARD), manifest(replace(CARD, spec=replace(SPEC, resolution=64)))])
    with pytest.raises(UsageError, match="is for segmentation"):
        common_card([manifest(replace(CARD, task="segmentation"))])


def test_where_the_float_model_is_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "model.pth").touch()
    for source in ("digits", "owner/name", "model.pth"):
        assert find_source(replace(CARD, source=source), None) == source
    with pytest.raises(UsageError, match=r"the manifest names 'mobilenet\.pth' .* give it with --model"):
        find_source(replace(CARD, source="mobilenet.pth"), None)
    assert find_source(CARD, "model.pth") == "model.pth"
    with pytest.raises(InputError, match=r"no such model: other\.pth"):
        find_source(CARD, "other.pth")


def test_a_checkpoint_of_other_weights_is_refused() -> None:
    with pytest.raises(UsageError, match=r"not the model that digits was made of: .* and the manifest's with 0{12}\. Give"):
        open_network(CARD, "digits")
