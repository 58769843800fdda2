"""`edgekit convert` on the embedded model: every target, both precisions, and what lies in the folders afterwards."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from tests.e2e.conftest import Cli, Outcome

TARGETS = ("coreml", "executorch", "onnx", "openvino")
PRECISIONS = ("float32", "float16")
CELLS = [f"digits-{target}-{precision}" for target in TARGETS for precision in PRECISIONS]


def test_every_target_passes(all_targets: tuple[Path, Outcome]) -> None:
    _, outcome = all_targets
    assert outcome.code == 0, outcome.stderr
    assert {name: report["status"] for name, report in outcome.reports.items()} == dict.fromkeys(CELLS, "passed")


@pytest.mark.parametrize("target", TARGETS)
def test_float32_is_100_db_and_float16_42_db(all_targets: tuple[Path, Outcome], target: str) -> None:
    reports = all_targets[1].reports
    float32 = reports[f"digits-{target}-float32"]["parity"]["outputs"][0]
    float16 = reports[f"digits-{target}-float16"]["parity"]["outputs"][0]
    assert float32["sqnr_db"] >= 100
    assert float16["image_sqnr_db"] >= 42
    assert float32["top1"] == float16["top1"] == 1


def test_core_ml_is_labelled_as_checked_by_a_reference_runtime_and_has_no_latency(all_targets: tuple[Path, Outcome]) -> None:
    report = all_targets[1].reports["digits-coreml-float32"]
    assert report["runtime"]["kind"] == "reference"
    assert report["latency"] is None
    assert any("not with the vendor's" in note for note in report["notes"])


@pytest.mark.parametrize("target", ["executorch", "onnx", "openvino"])
def test_latency_has_its_three_figures_its_samples_and_its_machine(all_targets: tuple[Path, Outcome], target: str) -> None:
    report = all_targets[1].reports[f"digits-{target}-float32"]
    latency = report["latency"]
    assert latency["load_ms"] > 0
    assert latency["first_ms"] > 0
    assert len(latency["samples_ns"]) >= 20
    assert latency["min_ms"] <= latency["p50_ms"] <= latency["p90_ms"] <= latency["p95_ms"] <= latency["p99_ms"]
    assert latency["num_threads"] == 1
    assert 0 < latency["model_memory_bytes"] < latency["peak_memory_bytes"]
    assert report["machine"]["cores"] >= 1
    assert report["machine"]["processor"]


def test_executorch_delegates_everything_in_float32(all_targets: tuple[Path, Outcome]) -> None:
    runtime = all_targets[1].reports["digits-executorch-float32"]["runtime"]
    assert runtime["delegated_fraction"] == 1.0
    assert runtime["undelegated_ops"] == []


def test_openvino_says_the_arithmetic_that_is_in_force(all_targets: tuple[Path, Outcome]) -> None:
    reports = all_targets[1].reports
    assert reports["digits-openvino-float32"]["runtime"]["precision"] == "f32 arithmetic"
    assert reports["digits-openvino-float16"]["runtime"]["precision"] == "float16 weights, f32 arithmetic"


@pytest.mark.parametrize("cell", CELLS)
def test_the_manifest_describes_every_file(all_targets: tuple[Path, Outcome], cell: str) -> None:
    folder = all_targets[0] / cell
    manifest = json.loads((folder / "manifest.json").read_text())
    for record in manifest["files"]:
        content = (folder / record["path"]).read_bytes()
        assert hashlib.sha256(content).hexdigest() == record["sha256"]
        assert len(content) == record["size_bytes"]
    about = {"manifest.json", "report.json", "request.json", "reference.npz", "log.txt"}
    there = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert there - about == {record["path"] for record in manifest["files"]}
    (given,), (answer,) = manifest["inputs"], manifest["outputs"]
    assert given == {"name": "image", "shape": [1, 1, 32, 32], "dtype": "float32", "layout": "NCHW", "softmax_of": ""}
    assert answer == {"name": "logits", "shape": [1, 10], "dtype": "float32", "layout": "NK", "softmax_of": ""}
    assert manifest["model"]["labels"] == list("0123456789")
    assert manifest["model"]["preprocessing"]["resize"] == [32, 32]


def test_the_core_ml_package_holds_nothing_its_own_manifest_does_not_name(all_targets: tuple[Path, Outcome]) -> None:
    package = all_targets[0] / "digits-coreml-float32" / "model.mlpackage"
    assert {path.name for path in package.iterdir()} == {"Manifest.json", "Data"}


def test_nothing_but_the_artifacts_is_left(all_targets: tuple[Path, Outcome]) -> None:
    assert sorted(path.name for path in all_targets[0].iterdir()) == sorted(CELLS)


def test_an_artifact_is_not_overwritten_unasked(all_targets: tuple[Path, Outcome], cli: Cli) -> None:
    before = (all_targets[0] / "digits-onnx-float32" / "model.onnx").stat().st_mtime_ns
    outcome = cli("convert", "-t", "onnx", "-o", all_targets[0])
    assert outcome.code == 5
    assert "--force" in outcome.stderr
    assert (all_targets[0] / "digits-onnx-float32" / "model.onnx").stat().st_mtime_ns == before


def test_export_is_the_same_command(cli: Cli, tmp_path: Path) -> None:
    outcome = cli("export", "--target", "onnx", "--output", tmp_path, "--no-latency", "--option", "onnx.opset=18", "--json")
    assert outcome.code == 0
    manifest = json.loads((tmp_path / "digits-onnx-float32" / "manifest.json").read_text())
    assert manifest["options"] == {"opset": "18"}
    assert manifest["format"].startswith("ONNX opset 18")
    assert outcome.reports["digits-onnx-float32"]["latency"] is None


def test_openvino_in_bfloat16_fails(cli: Cli, tmp_path: Path) -> None:
    """The default of OpenVINO on a CPU that can: 60 dB worse, and refused."""
    outcome = cli("convert", "-t", "openvino", "-o", tmp_path, "--no-latency", "--option", "inference_precision=bf16", "--json")
    report = outcome.reports["digits-openvino-float32"]
    if "bf16" not in report["runtime"]["precision"] and "bfloat16" not in report["runtime"]["precision"]:
        pytest.skip(f"this CPU computes in {report['runtime']['precision']} when asked for bf16")
    assert outcome.code == 1
    assert report["status"] == "failed"
    assert report["problem"]["kind"] == "NegativeResult"
