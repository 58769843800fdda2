"""`profile --device NAME`: measured here, published, or predicted, and never one for another."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.e2e.conftest import Cli, Outcome

SHORT = ("--max-seconds", "0.2", "--warmup", "0.2", "--threads", "1", "-q")
PHONE, NPU = "Pixel 3", "iPhone 14 Pro"
TIERS = {"published", "calibrated", "anchored", "specification"}


@pytest.fixture(scope="module")
def artifacts(all_targets: tuple[Path, Outcome], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Copies: their reports are written anew."""
    folder = tmp_path_factory.mktemp("projection")
    names = ("digits-onnx-float32", "digits-coreml-float16")
    first, second = (Path(shutil.copytree(all_targets[0] / name, folder / name)) for name in names)
    return first, second


def test_measured_and_projected_stand_in_one_table_and_say_which_they_are(artifacts: tuple[Path, Path], cli: Cli) -> None:
    outcome = cli("profile", *artifacts, "--device", PHONE, "--device", NPU, *SHORT)
    assert outcome.code == 0, outcome.stderr
    table = outcome.stdout.partition("90% interval")[2].splitlines()
    here = [line for line in table if "this machine" in line]
    assert ["measured" in line for line in here] == [True, True]
    assert "not measured" in here[1], "Core ML has no latency here"
    phones = [line for line in table if f" {PHONE} " in line]
    assert phones
    assert not any("measured" in line for line in phones)
    assert all(any(tier in line for tier in TIERS) or "none[" in line for line in phones)
    assert "Figures of others: " in outcome.stdout


def test_every_prediction_has_its_interval_tier_and_sources(artifacts: tuple[Path, Path], cli: Cli) -> None:
    outcome = cli("profile", artifacts[0], "--device", PHONE.lower(), "--json", *SHORT)
    assert outcome.code == 0, outcome.stderr
    (found,) = outcome.json["projected"]
    assert (found["folder"], found["device"]) == (str(artifacts[0]), PHONE.lower())
    assert found["projections"]
    for row in found["projections"]:
        assert row["device"] == PHONE
        assert row["tier"] in TIERS
        assert 0 < row["low_ms"] < row["latency_ms"] < row["high_ms"], "nobody published the embedded model"
        assert row["basis"]
        assert all(citation and licence for citation, licence in row["sources"])
    assert outcome.reports[artifacts[0].name]["latency"]["machine"], "what was measured was measured here"


def test_a_device_that_nobody_published_is_refused_before_anything_is_timed(artifacts: tuple[Path, Path], cli: Cli) -> None:
    outcome = cli("profile", artifacts[0], "--device", "Pixle 3", *SHORT)
    assert outcome.code == 2
    assert "Pixel 3" in outcome.stderr
    assert "edgekit devices" in outcome.stderr
    assert outcome.stdout == ""


def test_an_artifact_whose_precision_a_device_lacks_has_a_reason_and_the_others_their_figures(
    all_targets: tuple[Path, Outcome], artifacts: tuple[Path, Path], cli: Cli
) -> None:
    outcome = cli("profile", *artifacts, "--device", NPU, "--json", *SHORT)
    reasons = {each["folder"]: each["reason"] for each in outcome.json["projected"]}
    rows = {each["folder"]: each["projections"] for each in outcome.json["projected"]}
    assert len(reasons) == 2
    assert all(bool(rows[name]) != bool(reason) for name, reason in reasons.items())
