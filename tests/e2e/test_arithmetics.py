"""`verify --arithmetic`: how far the numbers of one artifact spread."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.e2e.conftest import Cli, Outcome

NAMES = ["exact", "float16", "neural-engine", "cpu"]


@pytest.fixture
def package(all_targets: tuple[Path, Outcome], tmp_path: Path) -> Path:
    """A copy of the float16 package."""
    return Path(shutil.copytree(all_targets[0] / "digits-coreml-float16", tmp_path / "package"))


def test_all_arithmetics(package: Path, cli: Cli) -> None:
    outcome = cli("verify", package, "--arithmetic", "all", "--json")
    assert outcome.code == 0, outcome.stderr
    report = outcome.reports[package.name]
    envelope = report["envelope"]
    assert list(envelope["arithmetics"]) == NAMES
    assert all(("model: " in what) == (name in {"neural-engine", "cpu"}) for name, what in envelope["arithmetics"].items())
    (row,) = envelope["outputs"]
    figures = row["sqnr_db"]
    assert row["output"] == "logits"
    assert figures["float16"] == report["parity"]["outputs"][0]["image_sqnr_db"], "the verdict's own"
    assert row["lowest_db"] == min(figures.values()) < max(figures.values()) == row["highest_db"]
    assert figures["cpu"] < figures["float16"], "float16 sums cost more than float32 sums"
    assert len(set(figures.values())) == len(NAMES)
    assert row["agreement"] == 1.0
    assert report["findings"] == envelope["findings"] == []
    assert report["operations"] == [], "nothing is quantised"
    assert json.loads((package / "report.json").read_text()) == report


def test_the_table(package: Path, cli: Cli) -> None:
    outcome = cli("verify", package, "--arithmetic", "cpu", "--arithmetic", "exact", "--quiet")
    assert outcome.code == 0
    assert "exact dB  cpu dB" in outcome.stdout.replace("cpu dB  exact dB", "exact dB  cpu dB")
    assert "spread dB" in outcome.stdout
    assert "cpu: model: " in outcome.stdout
    assert "neural-engine" not in outcome.stdout


def test_verifying_again_does_not_keep_old_figures(package: Path, cli: Cli) -> None:
    assert cli("verify", package, "--arithmetic", "exact").code == 0
    assert json.loads((package / "report.json").read_text())["envelope"]
    assert cli("verify", package).code == 0
    assert json.loads((package / "report.json").read_text())["envelope"] is None


def test_an_unknown_arithmetic_is_a_usage_error(package: Path, cli: Cli) -> None:
    before = (package / "report.json").read_text()
    outcome = cli("verify", package, "--arithmetic", "quick")
    assert outcome.code == 2
    assert "target coreml has no arithmetic quick. It has: exact, float16, neural-engine, cpu; or all" in outcome.stdout
    assert (package / "report.json").read_text() == before


def test_a_target_of_one_arithmetic_refuses(all_targets: tuple[Path, Outcome], cli: Cli) -> None:
    outcome = cli("verify", all_targets[0] / "digits-onnx-float32", "--arithmetic", "all")
    assert outcome.code == 2
    assert "target onnx computes an artifact in its runtime's own arithmetic and no other" in outcome.stdout


def test_the_verdict_says_what_it_cannot_know(all_targets: tuple[Path, Outcome]) -> None:
    (note,) = all_targets[1].reports["digits-coreml-float16"]["notes"]
    assert "the verdict is about the saved artifact's numbers, and cannot know on which unit a device runs an operator" in note
