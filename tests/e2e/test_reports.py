"""Reports that travel: static profiles, figures of two machines, and several reports as one."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import Cli, Outcome

ELSEWHERE = "a processor of another machine"


@pytest.fixture
def coreml(all_targets: tuple[Path, Outcome], tmp_path: Path) -> Path:
    return Path(shutil.copytree(all_targets[0] / "digits-coreml-float16", tmp_path / "coreml"))


@pytest.fixture
def onnx(all_targets: tuple[Path, Outcome], tmp_path: Path) -> Path:
    return Path(shutil.copytree(all_targets[0] / "digits-onnx-float32", tmp_path / "onnx"))


def edit(folder: Path, **changes: Any) -> Path:
    """Change a report's fields, and return its path."""
    path = folder / "report.json"
    path.write_text(json.dumps(json.loads(path.read_bytes()) | changes))
    return path


def test_profile_shows_what_operators_cost_where_nothing_can_be_measured(coreml: Path, cli: Cli) -> None:
    outcome = cli("profile", coreml)
    assert outcome.code == 0, outcome.stderr
    assert "no latency measured" in outcome.stdout
    assert "EXPECTED, not measured" in outcome.stdout
    by_type, by_block = (line.split() for line in outcome.stdout.splitlines() if line.startswith("total"))
    report = cli("profile", coreml, "--json").reports["coreml"]
    profile = report["static_profile"]
    assert report["latency"] is None
    assert by_type[2] == f"{profile['macs']:,}"
    assert by_block[1] == f"{profile['macs'] / 1e3:.2f}"
    assert profile["macs"] == sum(row["macs"] for row in profile["operations"]) > 0
    assert sum(part["ops"] for part in profile["expected"].values()) == pytest.approx(1)
    assert {row["rule"] for row in profile["operations"]} == set(profile["rules"])
    assert json.loads((coreml / "report.json").read_bytes())["static_profile"] == profile


def test_a_target_without_a_static_profile_has_none(onnx: Path, cli: Cli) -> None:
    outcome = cli("profile", onnx, "--max-seconds", "0.2", "--warmup", "0.2", "--json")
    assert outcome.reports["onnx"]["static_profile"] is None


def test_each_judgement_keeps_its_machine(onnx: Path, cli: Cli) -> None:
    before = json.loads((onnx / "report.json").read_bytes())
    here = before["machine"]["processor"]
    moved = before["machine"] | {"processor": ELSEWHERE}
    edit(onnx, machine=moved, latency=before["latency"] | {"machine": moved})
    verified = cli("verify", onnx, "--json").reports["onnx"]
    assert verified["machine"]["processor"] == here
    assert verified["latency"]["machine"]["processor"] == ELSEWHERE
    edit(onnx, machine=moved)
    timed = cli("profile", onnx, "--max-seconds", "0.2", "--warmup", "0.2", "--json").reports["onnx"]
    assert timed["machine"]["processor"] == ELSEWHERE
    assert timed["latency"]["machine"]["processor"] == here


@pytest.mark.parametrize(
    ("command", "code"), [(("verify",), 0), (("profile", "--threads", "1", "--max-seconds", "0.2", "--warmup", "0.2"), 3)]
)
def test_a_report_that_cannot_be_saved_is_said(command: tuple[str, ...], code: int, onnx: Path, cli: Cli) -> None:
    """To `profile` the artifact is one that nobody has verified: it has no report to go by."""
    (onnx / "report.json").unlink()
    (onnx / "report.json").mkdir()
    outcome = cli(*command, onnx, "--json")
    assert outcome.code == code
    assert outcome.reports["onnx"]["status"] == ("passed" if code == 0 else "converted")
    assert "the report is not saved" in outcome.stderr
    assert not list(onnx.glob(".report*"))


def test_a_runtime_that_refuses_an_artifact_has_judged_it(coreml: Path, cli: Cli) -> None:
    """Truncated, and the manifest says that it should be so: what the runtime says is then the verdict, and is saved."""
    model = coreml / "model.mlpackage/Data/com.apple.CoreML/model.mlmodel"
    model.write_bytes(model.read_bytes()[:-100])
    manifest = json.loads((coreml / "manifest.json").read_bytes())
    for file in manifest["files"]:
        if file["path"].endswith("model.mlmodel"):
            file["sha256"] = hashlib.sha256(model.read_bytes()).hexdigest()
    (coreml / "manifest.json").write_text(json.dumps(manifest))
    assert cli("verify", coreml).code == 5
    report = json.loads((coreml / "report.json").read_bytes())
    assert (report["status"], report["asked"], report["parity"], report["runtime"]) == ("failed", "reference", None, None)
    assert (report["problem"]["stage"], report["problem"]["kind"]) == ("load", "InputError")


def test_a_mac_verdict_stands_and_the_prediction_is_beside_it(coreml: Path, tmp_path: Path, cli: Cli) -> None:
    """The Mac's report is made up here, from the other one: no Mac took part."""
    mac = Path(shutil.copytree(coreml, tmp_path / "mac"))
    before = json.loads((coreml / "report.json").read_bytes())
    edit(
        mac,
        asked="native",
        status="failed",
        machine=before["machine"] | {"system": "Darwin-25", "processor": "made up"},
        runtime=before["runtime"] | {"runtime": "Core ML", "version": "macOS 26", "kind": "native"},
        parity=before["parity"] | {"passed": False},
        problem={"stage": "parity", "kind": "NegativeResult", "message": "20 dB is below the limit"},
    )
    outcome = cli("merge", coreml, mac / "report.json", "-o", tmp_path / "merged.json")
    assert outcome.code == 1, outcome.stderr
    stands, beside = (line for line in outcome.stdout.splitlines() if line.startswith(("stands", "beside")))
    assert "Core ML macOS 26" in stands
    assert "failed" in stands
    assert "reference runtime" in beside
    assert "passed" in beside
    assert "The stand-in's prediction DISAGREES: passed." in outcome.stdout
    merged = json.loads((tmp_path / "merged.json").read_bytes())
    assert merged["runtime"]["runtime"] == "Core ML"
    assert [other["runtime"]["kind"] for other in merged["others"]] == ["reference"]
    again = cli("merge", tmp_path / "merged.json", coreml, "--json")
    assert again.json["report"] == merged


def test_reports_about_other_files_are_refused(all_targets: tuple[Path, Outcome], coreml: Path, cli: Cli) -> None:
    outcome = cli("merge", coreml, all_targets[0] / "digits-coreml-float32")
    assert outcome.code == 5
    assert "are about different artifacts: the sha256 of model.mlpackage/" in outcome.stderr
    assert "Traceback" not in outcome.stderr
