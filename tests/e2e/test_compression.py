"""Compressed weights on the command line: their cost and the artifact's error are told apart, on the artifact's own disk too."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.e2e.conftest import Cli


@pytest.fixture(scope="module")
def converted(cli: Cli, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("compressed") / "out"
    outcome = cli("convert", "-t", "coreml", "-p", "palettized-6", "-p", "int8-weights", "-o", output, "--no-latency")
    assert outcome.code == 0, outcome.stderr
    assert "palettized-6 leaves 35.0 dB SQNR of the trained digits and 100% of its first classes" in outcome.stdout
    return output


@pytest.mark.parametrize(("precision", "cost_db"), [("palettized-6", 35.0), ("int8-weights", 49.5)])
def test_cost_and_error_are_two_figures(converted: Path, precision: str, cost_db: float) -> None:
    report = json.loads((converted / f"digits-coreml-{precision}" / "report.json").read_text())
    assert report["status"] == "passed"
    compression, output = report["parity"]["compression"], report["parity"]["outputs"][0]
    assert compression["sqnr_db"] == pytest.approx(cost_db, abs=0.5)
    assert compression["problem"] == ""
    assert output["image_sqnr_db"] >= 50


@pytest.mark.parametrize("model", [(), ("--model", "digits")], ids=["as_saved", "against_the_model"])
def test_an_artifact_can_be_verified_again(converted: Path, cli: Cli, model: tuple[str, ...]) -> None:
    outcome = cli("verify", converted / "digits-coreml-palettized-6", *model, "--json")
    assert outcome.code == 0, outcome.stderr
    parity = outcome.reports["digits-coreml-palettized-6"]["parity"]
    assert parity["compression"]["sqnr_db"] == pytest.approx(35.0, abs=0.5)


def test_a_precision_that_a_target_has_not_is_refused_with_those_that_it_has(cli: Cli, tmp_path: Path) -> None:
    outcome = cli("convert", "-t", "onnx", "-p", "palettized-4", "-o", tmp_path / "out", "--no-latency")
    assert outcome.code == 2
    assert "target onnx has no precision 'palettized-4'. It has: float32, float16" in outcome.stdout


def test_a_precision_that_there_is_not_is_refused_with_those_that_there_are(cli: Cli, tmp_path: Path) -> None:
    outcome = cli("convert", "-t", "coreml", "-p", "palettized-5", "-o", tmp_path / "out")
    assert outcome.code == 2
    assert "float32, float16, int8, int8-weights, palettized-8, palettized-6, palettized-4, pruned-50" in outcome.stderr
    assert not (tmp_path / "out").exists()
