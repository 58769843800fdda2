"""A Core ML package that takes pictures and gives probabilities, through every command."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from edgekit import digits
from tests.e2e.conftest import Cli, Outcome

CELL = "digits-coreml-float16"


@pytest.fixture(scope="module")
def classifier(cli: Cli, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Outcome]:
    folder = tmp_path_factory.mktemp("classifier")
    options = ("--option", "input=image", "--option", "output=classifier", "--option", "author=The digit writers")
    outcome = cli("convert", "-t", "coreml", "-p", "float16", "-p", "float32", *options, "-o", folder, "--no-latency", "--json")
    assert outcome.code == 0, outcome.stderr
    return folder, outcome


def parity(outcome: Outcome, cell: str) -> Any:
    (output,) = outcome.reports[cell]["parity"]["outputs"]
    return output


def test_probabilities_are_judged(classifier: tuple[Path, Outcome]) -> None:
    _, outcome = classifier
    for cell in (CELL, "digits-coreml-float32"):
        output = parity(outcome, cell)
        assert output["output"] == "classLabel_probs"
        assert output["top1"] == 1.0
    assert parity(outcome, "digits-coreml-float32")["image_sqnr_db"] >= 100


def test_what_is_no_picture_is_left_out_and_said(classifier: tuple[Path, Outcome]) -> None:
    """The mean of the digits is a whole grey, so zeros are a picture of it; a mean between two greys would be none."""
    folder, outcome = classifier
    manifest = json.loads((folder / CELL / "manifest.json").read_text())
    grey = manifest["model"]["preprocessing"]["mean"][0] * 255
    judged = [sample["sample"] for sample in parity(outcome, CELL)["samples"]]
    assert ("zeros" in judged) == (abs(grey - round(grey)) < 0.01)
    assert {"noise", "black", "white", "checkerboard"} <= set(judged)


def test_the_manifest_tells_apps_what_to_give(classifier: tuple[Path, Outcome]) -> None:
    folder, _ = classifier
    manifest = json.loads((folder / CELL / "manifest.json").read_text())
    (given,), (output,) = manifest["inputs"], manifest["outputs"]
    assert (given["dtype"], given["shape"]) == ("uint8", [1, 1, 32, 32])
    assert (output["name"], output["softmax_of"]) == ("classLabel_probs", "logits")
    assert manifest["options"]["author"] == "The digit writers"


def test_verify_and_profile_take_it(classifier: tuple[Path, Outcome], cli: Cli) -> None:
    folder, _ = classifier
    assert cli("verify", folder / CELL).code == 0
    outcome = cli("profile", folder / CELL, "--json")
    assert outcome.code == 0, outcome.stderr


def test_predict_gives_its_probabilities(classifier: tuple[Path, Outcome], cli: Cli, tmp_path: Path) -> None:
    folder, _ = classifier
    pictures, labels = digits.held_out()
    path = tmp_path / "digit.png"
    Image.fromarray(pictures[0]).save(path)
    outcome = cli("predict", folder / CELL, path, "--top", "10", "--json")
    candidates = outcome.json["predictions"][0]["candidates"]
    assert candidates[0]["label"] == str(labels[0])
    assert np.isclose(sum(candidate["probability"] for candidate in candidates), 1, atol=2e-3)  # as float16 rounds them


def test_wrong_weights_are_noticed(classifier: tuple[Path, Outcome], cli: Cli) -> None:
    """The negative control: the same package against another model's answers."""
    folder, _ = classifier
    outcome = cli("verify", folder / CELL, "--model", "digits", "--norm-eps", "0.5", "--json")
    assert outcome.code == 1, outcome.stderr


@pytest.mark.shared_data
def test_googles_checkpoint_takes_photographs(shared_data: Path, cli: Cli, tmp_path: Path) -> None:
    """Mean and deviation of 127.5, 1001 labels of which two are alike, and TensorFlow's padding.

    In float16 the package of tensors reaches 40.6 dB on the same photographs: normalising inside costs nothing. Probabilities,
    which are powers of the logits, are less exact.
    """
    model = shared_data / "models" / "mobilenet_v1_0.25_128"
    options = ("--option", "input=image", "--option", "color=BGR", "-p", "float32", "-p", "float16", "--no-latency", "--json")
    for output, floors_db in {"logits": (100, 40), "classifier": (100, 32)}.items():
        outcome = cli("convert", "-m", model, "-t", "coreml", *options, "--option", f"output={output}", "-o", tmp_path / output)
        assert outcome.code == 0, outcome.stderr
        for precision, floor_db in zip(("float32", "float16"), floors_db, strict=True):
            judged = parity(outcome, f"{model.name}-coreml-{precision}")
            assert judged["image_sqnr_db"] >= floor_db, (output, precision)
            assert judged["top1"] == 1.0
            samples = [sample["sample"] for sample in judged["samples"]]
            assert "noise" in samples
            assert "zeros" not in samples


def test_its_accuracy_is_counted(classifier: tuple[Path, Outcome], cli: Cli, tmp_path: Path) -> None:
    """It is given whole numbers and answers probabilities, and the float model neither."""
    folder = shutil.copytree(classifier[0] / "digits-coreml-float32", tmp_path / "copy")
    outcome = cli("evaluate", folder, "--images", "digits", "--limit", "40", "-q")
    assert outcome.code == 0, outcome.stderr
    row = next(line for line in outcome.stdout.splitlines() if line.startswith("coreml"))
    assert row.split()[2:4] == ["40", "100.00"]
    assert "no device's speed" in outcome.stdout
    assert not outcome.stderr
