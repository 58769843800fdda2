"""int8 on the command line: one calibration for all targets, two distances, accuracy, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from edgekit.digits import held_out
from tests.e2e.conftest import Cli, Outcome

TARGETS = ("onnx", "openvino", "executorch", "coreml")


@pytest.fixture(scope="module")
def made(cli: Cli, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Outcome]:
    """The embedded model in int8 for every target, searched and counted; calibrated by default on the digits set."""
    output = tmp_path_factory.mktemp("int8") / "out"
    goal = ("--evaluation", "digits", "--max-drop", "2")
    return output, cli("convert", "-t", "all", "-p", "int8", "-o", output, *goal, "--no-latency", "--json")


@pytest.fixture(scope="module")
def reports(made: tuple[Path, Outcome]) -> dict[str, Any]:
    _, outcome = made
    assert outcome.code == 0, (outcome.stdout, outcome.stderr)
    return {report["target"]: report for report in outcome.reports.values()}


@pytest.mark.parametrize("target", TARGETS)
def test_what_quantisation_cost_and_what_the_target_added_are_two_figures(reports: dict[str, Any], target: str) -> None:
    parity = reports[target]["parity"]
    assert reports[target]["status"] == "passed"
    assert parity["compression"]["sqnr_db"] == pytest.approx(reports["onnx"]["parity"]["compression"]["sqnr_db"]), "for all"
    assert parity["compression"]["sqnr_db"] > 20
    assert parity["outputs"][0]["image_sqnr_db"] > 20


@pytest.mark.parametrize("target", TARGETS)
def test_every_artifact_is_counted_on_other_pictures_than_it_was_calibrated_on(reports: dict[str, Any], target: str) -> None:
    report = reports[target]
    assert report["calibration"]["pictures"] == report["accuracy"]["count"] == 180
    assert report["calibration"]["skipped"] == []
    assert report["accuracy"]["drop"]["points"] <= 2
    assert report["accuracy"]["agreement"]["value"] >= 0.98


def test_the_report_lists_every_layer_with_its_precision_and_sensitivity(reports: dict[str, Any]) -> None:
    search = reports["onnx"]["calibration"]["search"]
    assert search["reached"]
    units = search["units"]
    assert len(units) > 30
    assert [unit["sqnr_db"] for unit in units] == sorted(unit["sqnr_db"] for unit in units), "the most sensitive first"
    assert {unit["precision"] for unit in units} == {"int8"}, "int8 alone holds the goal"


def test_the_int8_program_lies_beside_each_artifact_and_all_are_the_same(made: tuple[Path, Outcome]) -> None:
    output, _ = made
    programs = [(output / f"digits-{target}-int8" / "program-int8.pt2").read_bytes() for target in TARGETS]
    assert len(set(programs)) == 1


def test_the_targets_agree_with_the_program(made: tuple[Path, Outcome], cli: Cli) -> None:
    output, _ = made
    outcome = cli("evaluate", *sorted(output.iterdir()), "--images", "digits", "--json", "-q")
    assert outcome.code == 0, outcome.stderr
    (program,) = outcome.json["int8_programs"]
    assert program["accuracy"]["drop"]["points"] <= 2
    for result in outcome.json["results"]:
        assert result["evaluation"]["program_agreement"]["value"] >= 0.99, result["folder"]


def test_an_artifact_of_other_calibration_is_noticed(made: tuple[Path, Outcome], cli: Cli, tmp_path: Path) -> None:
    """The negative control: the file of an int8 model with every scale of another calibration, in this one's folder."""
    output, _ = made
    folder = output / "digits-onnx-int8"
    few = tmp_path / "few"
    few.mkdir()
    for i in range(3):  # pictures without contrast: ranges that real ones do not fit in
        _grey(few / f"{i}.png", 100 + i)
    other = cli("convert", "-t", "onnx", "-p", "int8", "--calibration", few, "-o", tmp_path / "other", "--no-latency", "-q")
    assert other.code == 1
    assert "calibrated on 3 pictures" in other.stdout
    wrong = tmp_path / "wrong"
    wrong.mkdir()
    for path in folder.iterdir():
        (wrong / path.name).write_bytes(path.read_bytes())
    artifact = tmp_path / "other" / "digits-onnx-int8"
    (wrong / "model.onnx").write_bytes((artifact / "model.onnx").read_bytes())
    manifest = json.loads((wrong / "manifest.json").read_text())
    manifest["files"] = json.loads((artifact / "manifest.json").read_text())["files"]
    (wrong / "manifest.json").write_text(json.dumps(manifest))
    outcome = cli("verify", wrong, "--json", "-q")
    assert outcome.code == 1
    (report,) = outcome.reports.values()
    assert "below the limit" in report["problem"]["message"]


def test_it_can_be_verified_on_other_pictures(made: tuple[Path, Outcome], cli: Cli, tmp_path: Path) -> None:
    output, _ = made
    for i in range(2):
        _grey(tmp_path / f"{i}.png", 60 * i, spot=True)
    outcome = cli("verify", output / "digits-onnx-int8", "--model", "digits", "--images", tmp_path, "--json", "-q")
    (report,) = outcome.reports.values()
    samples = report["parity"]["outputs"][0]["samples"]
    assert [sample["sample"] for sample in samples][:2] == ["0.png", "1.png"]
    assert report["parity"]["compression"]["artifact_sqnr_db"] is not None


def test_max_drop_keeps_the_few_layers_in_float_that_bring_accuracy_back(cli: Cli, tmp_path: Path) -> None:
    """Calibrated on digits of little ink, the ranges cut off what is in others: int8 alone is wrong on many of these."""
    from PIL import Image

    digits, classes = held_out()
    faint = tmp_path / "faint"
    faint.mkdir()
    for i in range(0, 200, 2):
        Image.fromarray(digits[i]).point(lambda ink: round(0.7 * ink)).save(faint / f"{i}.png")
    for i in range(1, 120, 2):
        folder = tmp_path / "labelled" / str(classes[i])
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(digits[i]).save(folder / f"{i}.png")
    goal = ("--evaluation", tmp_path / "labelled", "--max-drop", "2")
    outcome = cli("convert", "-t", "onnx", "-p", "int8", "--calibration", faint, *goal, "-o", tmp_path, "--no-latency", "--json")
    assert outcome.code == 0, outcome.stderr
    report = outcome.reports["digits-onnx-int8"]
    search = report["calibration"]["search"]
    assert search["tried"][0]["kept"] == []
    assert search["tried"][0]["drop_points"] > 5
    assert 0 < len(search["kept"]) <= 4
    assert {unit["unit"] for unit in search["units"] if unit["precision"] == "float32"} == set(search["kept"])
    assert report["accuracy"]["drop"]["points"] <= 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("-m", "v1", "-p", "int8"), "int8 needs --calibration"),
        (("-p", "int8", "--calibration", "nowhere"), "no such folder of images: nowhere"),
        (("-p", "int8", "--max-drop", "1"), "--max-drop needs --evaluation"),
        (("-p", "int8", "--evaluation", "nowhere"), "no such folder of labelled images: nowhere"),
    ],
)
def test_what_is_missing_is_said(cli: Cli, tmp_path: Path, arguments: tuple[str, ...], message: str) -> None:
    outcome = cli("convert", "-t", "onnx", *arguments, "-o", "out", cwd=tmp_path)
    assert outcome.code in (2, 5)
    assert message in outcome.stderr
    assert not list(tmp_path.glob("out/digits*"))


def test_a_folder_called_digits_is_not_the_set_called_digits(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "digits").mkdir()
    outcome = cli("convert", "-t", "onnx", "-p", "int8", "--calibration", "./digits", "-o", "out", cwd=tmp_path)
    assert outcome.code == 5
    assert f"no images in {tmp_path / 'digits'}" in outcome.stderr


def test_an_empty_folder_is_said(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    outcome = cli("convert", "-t", "onnx", "-p", "int8", "--calibration", tmp_path / "empty", "-o", tmp_path / "out")
    assert outcome.code == 5
    assert "no images in" in outcome.stderr


def test_the_same_pictures_for_both_are_refused(cli: Cli, tmp_path: Path) -> None:
    pictures = tmp_path / "pictures"
    for i in range(10):
        (pictures / str(i)).mkdir(parents=True)
        _grey(pictures / str(i) / "a.png", 20 * i, spot=True)
    arguments = ("convert", "-t", "onnx", "-p", "int8", "--calibration", pictures, "--evaluation", pictures, "--no-latency")
    refused = cli(*arguments, "-o", tmp_path / "out")
    assert refused.code == 2
    assert "10 pictures are in --calibration and in --evaluation, a.png the first" in refused.stderr
    allowed = cli(*arguments, "--allow-overlap", "-o", tmp_path / "out", "--json")
    assert allowed.reports["digits-onnx-int8"]["accuracy"]["count"] == 10


def _grey(path: Path, value: int, *, spot: bool = False) -> None:
    from PIL import Image

    image = Image.new("L", (32, 32), value)
    if spot:
        image.paste(255, (8, 4, 14, 28))
    image.save(path)
