"""`evaluate`: labelled pictures, good and bad, against artifacts, good and bad."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
import torch
from PIL import Image

from edgekit import digits
from edgekit.mobilenet.checkpoint import open_checkpoint, save_checkpoint
from tests.e2e.conftest import PLUGINS, Cli, Outcome

CRASH = """
import os, signal
from edgekit_fake.target import FakeTarget

class CrashTarget(FakeTarget):
    name = "crash"

    def load(self, job):
        os.kill(os.getpid(), signal.SIGSEGV)
"""


@pytest.fixture
def artifacts(all_targets: tuple[Path, Outcome], tmp_path: Path) -> dict[str, Path]:
    """Copies, for an evaluation is written beside the artifact."""
    return {
        target: Path(shutil.copytree(all_targets[0] / f"digits-{target}-float32", tmp_path / "artifacts" / target))
        for target in ("onnx", "executorch")
    }


@pytest.fixture(scope="module")
def other_weights(cli: Cli, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The digits' network with noise on its weights, and its artifact in `out`."""
    folder = tmp_path_factory.mktemp("other")
    checkpoint = open_checkpoint("digits")
    network = checkpoint.network()
    random = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for weight in network.parameters():
            weight.add_(0.4 * weight.std(correction=0) * torch.randn(weight.shape, generator=random))
    path = folder / "noisy.safetensors"
    save_checkpoint(path, network, preprocessing=checkpoint.preprocessing, labels=checkpoint.labels)
    outcome = cli("convert", "-m", path, "-t", "onnx", "-o", folder / "out", "--no-latency", "-q")
    assert outcome.code == 0, outcome.stderr
    return folder


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Twenty digits with their labels."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    images, classes = digits.held_out()
    rows = ["file,label"]
    for i in range(20):
        Image.fromarray(images[i]).save(folder / f"{i}.png")
        rows.append(f"{i}.png,{classes[i]}")
    (folder / "labels.csv").write_text("\n".join(rows))
    return folder


def test_two_targets_and_the_float_model_before_them(artifacts: dict[str, Path], cli: Cli) -> None:
    outcome = cli("evaluate", *artifacts.values(), "--images", "digits", "--max-drop", "1", "--json")
    assert outcome.code == 0, outcome.stderr
    float_model = outcome.json["float_model"]
    assert (float_model["target"], float_model["accuracy"]["count"], float_model["images"]) == ("pytorch", 180, "digits")
    assert float_model["accuracy"]["top1"]["value"] > 0.99
    assert [Path(row["folder"]) for row in outcome.json["results"]] == list(artifacts.values())
    for row in outcome.json["results"]:
        evaluation = row["evaluation"]
        assert evaluation["accuracy"]["agreement"]["value"] == 1
        assert evaluation["images_per_second"] > 0
        assert evaluation["machine"]["instruction_sets"] is not None
        assert json.loads((Path(row["folder"]) / "evaluation.json").read_text()) == evaluation
        report = json.loads((Path(row["folder"]) / "report.json").read_text())
        assert (report["status"], report["accuracy"]) == ("passed", evaluation["accuracy"])
    assert "onnx: 180 of 180" in outcome.stderr
    # a later command reads what was written
    assert cli("verify", artifacts["onnx"], "-q").code == 0
    assert json.loads((artifacts["onnx"] / "report.json").read_text())["accuracy"] is not None


def test_bad_files_among_good_ones_are_skipped_and_named(artifacts: dict[str, Path], cli: Cli, pictures: Path) -> None:
    (pictures / "3.png").write_bytes(b"damaged")
    (pictures / "5.png").unlink()
    outcome = cli("evaluate", artifacts["onnx"], "--images", pictures, "--json")
    assert outcome.code == 0, outcome.stderr
    evaluation = outcome.json["results"][0]["evaluation"]
    assert [each["name"] for each in evaluation["skipped"]] == ["3.png", "5.png"]
    assert (evaluation["accuracy"]["count"], evaluation["images"]) == (18, "pictures")
    table = cli("evaluate", artifacts["onnx"], "--images", pictures / "labels.csv", "-q").stdout
    assert "skipped 2 files" in table
    assert "3.png is not an image" in table


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (None, "neither a labels.csv nor a folder of images per class"),
        ("file,label\n0.png,heron\n", "line 2: the model has no class 'heron': these labels are of another model"),
        ("file,label\nx.png,1\ny.png,2\n", "none of 2 images can be used: no such image"),
    ],
)
def test_sets_that_cannot_be_used(artifacts: dict[str, Path], cli: Cli, pictures: Path, labels: str | None, message: str) -> None:
    if labels is None:
        shutil.rmtree(pictures)
        pictures.mkdir()
    else:
        (pictures / "labels.csv").write_text(labels)
    outcome = cli("evaluate", artifacts["onnx"], "--images", pictures, "-q")
    assert outcome.code == 5
    assert message in outcome.stderr
    assert "Traceback" not in outcome.stderr
    assert not (artifacts["onnx"] / "evaluation.json").exists()


def test_other_weights_lose(artifacts: dict[str, Path], cli: Cli, other_weights: Path, tmp_path: Path) -> None:
    """Negative control: an artifact of other weights that its manifest passes off as the digits'."""
    folder = Path(shutil.copytree(other_weights / "out" / "noisy-onnx-float32", tmp_path / "noisy"))
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["model"] = json.loads((artifacts["onnx"] / "manifest.json").read_text())["model"]
    (folder / "manifest.json").write_text(json.dumps(manifest))
    outcome = cli("evaluate", artifacts["onnx"], folder, "--images", "digits", "--max-drop", "1", "--json")
    assert outcome.code == 1, outcome.stderr
    good, bad = (row["evaluation"] for row in outcome.json["results"])
    assert good["problem"] is None
    assert bad["problem"]["kind"] == "NegativeResult"
    assert bad["accuracy"]["drop"]["points"] > 1
    assert bad["accuracy"]["agreement"]["value"] < 0.99
    agreeing = bad["accuracy"]["agreement"]["value"] * bad["accuracy"]["count"]
    assert len(bad["disagreements"]) == pytest.approx(bad["accuracy"]["count"] - agreeing)
    outcome = cli("evaluate", folder, "--images", "digits", "-q")
    assert outcome.code == 0, "without a limit it is a figure, and no verdict"
    assert "agrees with the float model on less than 99%" in outcome.stdout


def test_a_float_model_that_is_not_theirs_is_refused(artifacts: dict[str, Path], cli: Cli, other_weights: Path) -> None:
    noisy = other_weights / "out" / "noisy-onnx-float32"
    for arguments, message in (
        ((artifacts["onnx"], noisy), "are not the same model"),
        ((artifacts["onnx"], "--model", other_weights / "noisy.safetensors"), "is not the model that digits was made of"),
        ((noisy,), "the manifest names 'noisy.safetensors' as the model of noisy, and that is not here: give it with --model"),
    ):
        outcome = cli("evaluate", *arguments, "--images", "digits", "-q")
        assert outcome.code == 2
        assert message in outcome.stderr
    outcome = cli("evaluate", noisy, "--images", "digits", "--model", other_weights / "noisy.safetensors", "-q", "--json")
    assert outcome.code == 0, outcome.stderr
    assert outcome.json["results"][0]["evaluation"]["accuracy"]["agreement"]["value"] > 0.95


def test_a_plugin_that_crashes_fails_alone(artifacts: dict[str, Path], cli: Cli, tmp_path: Path) -> None:
    site = tmp_path / "site"
    (site / "edgekit_crash-1.0.dist-info").mkdir(parents=True)
    (site / "edgekit_crash-1.0.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: edgekit-crash\nVersion: 1.0\n")
    (site / "edgekit_crash-1.0.dist-info" / "entry_points.txt").write_text(
        "[edgekit.targets]\ncrash = edgekit_crash:CrashTarget\n"
    )
    (site / "edgekit_crash.py").write_text(CRASH)
    path = artifacts["executorch"] / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "target": "crash"}))
    environment = {"PYTHONPATH": os.pathsep.join([str(site), str(PLUGINS)])}
    outcome = cli("evaluate", artifacts["executorch"], artifacts["onnx"], "--images", "digits", "--json", env=environment)
    assert outcome.code == 70
    crashed, fine = (row["evaluation"] for row in outcome.json["results"])
    assert "SIGSEGV" in crashed["problem"]["message"]
    assert crashed["accuracy"] is None
    assert fine["accuracy"]["agreement"]["value"] == 1
    assert not (artifacts["executorch"] / "evaluation.json").exists()
    table = cli("evaluate", artifacts["executorch"], "--images", "digits", "--limit", "5", "-q", env=environment).stdout
    assert "crash float32: failed during import: the worker was killed by SIGSEGV" in table
