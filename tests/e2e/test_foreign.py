"""`edgekit predict` on an .mlpackage without a manifest: anybody's."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edgekit import digits
from edgekit.preprocessing import Preprocessing
from tests.e2e.conftest import Cli


@pytest.fixture(scope="module")
def packages(cli: Cli, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two packages, taken out of the folders that tell about them, a digit as picture and as array, and its label."""
    folder = tmp_path_factory.mktemp("packages")
    for name, options in (("tensor", ()), ("picture", ("--option", "input=image", "--option", "output=classifier"))):
        outcome = cli("convert", "-t", "coreml", "-p", "float32", *options, "-o", folder / name, "--no-latency")
        assert outcome.code == 0, outcome.stderr
        made = folder / name / "digits-coreml-float32"
        shutil.copytree(made / "model.mlpackage", folder / f"{name}.mlpackage")
    manifest = json.loads((made / "manifest.json").read_text())
    pictures, labels = digits.held_out()
    Image.fromarray(pictures[0]).resize((32, 32), Image.Resampling.BILINEAR).save(folder / "digit.png")
    about = manifest["model"]["preprocessing"]
    preprocessing = Preprocessing("L", tuple(about["mean"]), tuple(about["std"]), scale=about["scale"])
    np.save(folder / "digit.npy", preprocessing.tensor(folder / "digit.png"))
    (folder / "label.txt").write_text(str(labels[0]))
    return folder


def test_a_picture_is_classified(packages: Path, cli: Cli) -> None:
    outcome = cli("predict", packages / "picture.mlpackage", packages / "digit.png", "--json")
    assert outcome.code == 0, outcome.stderr
    (answer,) = outcome.json["answers"]
    label = (packages / "label.txt").read_text()
    assert answer["outputs"]["classLabel"] == label
    probabilities = answer["outputs"]["classLabel_probs"]
    assert next(iter(probabilities)) == label
    assert sum(probabilities.values()) == pytest.approx(1, abs=1e-5)
    assert outcome.json["runtime"]["kind"] == "reference"


def test_an_array_gives_the_same_answer(packages: Path, cli: Cli) -> None:
    outcome = cli("predict", packages / "tensor.mlpackage", f"image={packages / 'digit.npy'}", "--json")
    assert outcome.code == 0, outcome.stderr
    logits = outcome.json["answers"][0]["outputs"]["logits"]
    assert (logits["dtype"], logits["shape"]) == ("float32", [1, 10])
    powers = np.exp(logits["values"][0])
    picture = cli("predict", packages / "picture.mlpackage", packages / "digit.png", "--json").json
    probabilities = picture["answers"][0]["outputs"]["classLabel_probs"]
    np.testing.assert_allclose(powers / powers.sum(), [probabilities[str(i)] for i in range(10)], atol=1e-5)


def test_people_read_lines(packages: Path, cli: Cli) -> None:
    files = [packages / "digit.png"] * 2
    outcome = cli("predict", packages / "picture.mlpackage", *files, "--top", "3", "--quiet")
    assert outcome.stdout.count("classLabel: ") == 2
    assert outcome.stdout.count("%") == 6
    outcome = cli("predict", packages / "tensor.mlpackage", packages / "digit.npy", "--quiet")
    assert "logits: float32[1, 10], from " in outcome.stdout


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ((), 2, "has no manifest.json"),
        (("digit.png",), 2, "image=FILE.npy"),
        (("digit.npy", "image=digit.npy"), 2, "not as both"),
        (("pixels=digit.npy",), 2, "no input pixels"),
        (("missing.npy",), 5, "no such file"),
    ],
)
def test_a_mistake_is_said_without_a_traceback(
    packages: Path, cli: Cli, arguments: tuple[str, ...], code: int, message: str
) -> None:
    files = [str(packages / "digit.npy") if name == "digit.npy" else name.replace("=", f"={packages}/") for name in arguments]
    files = [str(packages / "digit.png") if name == "digit.png" else name for name in files]
    outcome = cli("predict", packages / "tensor.mlpackage", *files)
    assert outcome.code == code, outcome.stderr
    assert message in outcome.stderr
    assert "Traceback" not in outcome.stderr


def test_a_damaged_package_is_an_input_error(packages: Path, cli: Cli, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(packages / "tensor.mlpackage", tmp_path / "broken.mlpackage"))
    (copy / "Manifest.json").unlink()
    outcome = cli("predict", copy, packages / "digit.npy", "--json")
    assert outcome.code == 5
    assert outcome.json["problem"]["kind"] == "InputError"
    assert "Manifest.json" in outcome.json["problem"]["message"]
