"""`verify`, `profile` and `predict`: from the folder alone."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edgekit import digits
from tests.e2e.conftest import Cli, Outcome

TARGETS = ("coreml", "executorch", "onnx", "openvino")


@pytest.fixture
def onnx(all_targets: tuple[Path, Outcome], tmp_path: Path) -> Path:
    """A copy that a test may damage."""
    return Path(shutil.copytree(all_targets[0] / "digits-onnx-float32", tmp_path / "moved elsewhere"))


@pytest.mark.parametrize("target", TARGETS)
def test_predict_reads_held_out_digits(all_targets: tuple[Path, Outcome], cli: Cli, tmp_path: Path, target: str) -> None:
    pictures, labels = digits.held_out()
    paths = [tmp_path / f"{i}.png" for i in range(5)]
    for path, picture in zip(paths, pictures[:5], strict=True):
        Image.fromarray(picture).save(path)
    outcome = cli("predict", all_targets[0] / f"digits-{target}-float16", *paths, "--json")
    assert outcome.code == 0, outcome.stderr
    seen = [prediction["candidates"][0]["label"] for prediction in outcome.json["predictions"]]
    assert seen == [str(label) for label in labels[:5]]


def test_predict_without_pictures_takes_those_edgekit_ships(all_targets: tuple[Path, Outcome], cli: Cli) -> None:
    outcome = cli("predict", all_targets[0] / "digits-onnx-float32" / "model.onnx", "--top", "1")
    assert outcome.code == 0
    assert outcome.stdout.startswith("held-out digit 0")


def test_a_moved_folder_verifies(onnx: Path, cli: Cli) -> None:
    outcome = cli("verify", onnx, "--json")
    assert outcome.code == 0
    assert outcome.reports[onnx.name]["status"] == "passed"


def test_verify_against_the_checkpoint(onnx: Path, cli: Cli) -> None:
    assert cli("verify", onnx, "--model", "digits").code == 0


def test_verify_notices_another_models_answers(onnx: Path, cli: Cli) -> None:
    """Negative control: the saved answers are swapped among the inputs."""
    with np.load(onnx / "reference.npz") as file:
        arrays = dict(file)
    arrays["float64/logits"] = arrays["float64/logits"][::-1]
    np.savez_compressed(onnx / "reference.npz", **arrays)
    outcome = cli("verify", onnx, "--json")
    assert outcome.code == 1
    assert outcome.reports[onnx.name]["problem"]["kind"] == "NegativeResult"


def test_a_flipped_byte_is_caught(onnx: Path, cli: Cli) -> None:
    model = onnx / "model.onnx"
    content = bytearray(model.read_bytes())
    content[len(content) // 2] ^= 1
    model.write_bytes(content)
    outcome = cli("verify", onnx)
    assert outcome.code == 5
    assert "sha256" in outcome.stderr


def test_profile_benchmark_is_an_alias_and_keeps_the_verdict(onnx: Path, cli: Cli) -> None:
    outcome = cli("benchmark", onnx, "--iterations", "30", "--json")
    assert outcome.code == 0
    report = outcome.reports[onnx.name]
    assert report["status"] == "passed"
    assert len(report["latency"]["samples_ns"]) == 30
    assert json.loads((onnx / "report.json").read_text())["latency"]["p50_ms"] == report["latency"]["p50_ms"]


def test_profile_of_core_ml_measures_nothing_here_and_says_so(
    all_targets: tuple[Path, Outcome], cli: Cli, tmp_path: Path
) -> None:
    folder = shutil.copytree(all_targets[0] / "digits-coreml-float32", tmp_path / "coreml")
    report = cli("profile", folder, "--json").reports["coreml"]
    assert report["latency"] is None
    assert any(note.startswith("no latency measured") for note in report["notes"])


@pytest.mark.parametrize("command", ["verify", "profile", "predict"])
def test_a_folder_that_is_no_artifact(cli: Cli, tmp_path: Path, command: str) -> None:
    outcome = cli(command, tmp_path)
    assert outcome.code == 5
    assert "manifest.json" in outcome.stderr
    assert "Traceback" not in outcome.stderr
