"""The table that `edgekit profile` prints of operators."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from edgekit.cli.operators import show_operators
from edgekit.document import write_json
from edgekit.latency import Latency
from edgekit.machine import Machine
from edgekit.manifest import FILE_NAME, Manifest, ModelCard
from edgekit.mobilenet.spec import MobileNetSpec
from edgekit.operators import OperatorTime, OperatorTimes
from edgekit.preprocessing import Preprocessing
from edgekit.profile import OpProfile, summarise
from edgekit.report import Report
from edgekit.run import Result
from edgekit.target import TensorSpec

MACHINE = Machine("Linux", "x86_64", "a CPU", 2, 2**33, ("avx2",), "3.11")
STATIC = summarise([OpProfile("stem_conv2d", "conv", 9, 1, 1, ("CPU",), "CPU", "")], basis="a test", rules={})
TIMES = OperatorTimes(10, (OperatorTime("stem/Conv", "Conv", 1.5, "stem"), OperatorTime("x", "Conv", 0.5, "blocks.3.depthwise")))
NO_TIMES = OperatorTimes(0, untold="this runtime tells nothing")


def result(folder: Path, target: str, report: Report, *, version: str = "v2") -> Result:
    spec = MobileNetSpec(version, 0.35, 32)  # type: ignore[arg-type]  # one of the versions
    card = ModelCard("m", "m", "0" * 64, "classification", spec, Preprocessing("RGB", (0.5,) * 3, (0.5,) * 3), ())
    tensors = (TensorSpec("image", (1, 3, 32, 32), "float32", "NCHW"),)
    manifest = Manifest(1, "0", card, target, "a format", "float32", "model", tensors, tensors, (), {}, (), {})
    (folder / target).mkdir(parents=True)
    write_json(folder / target / FILE_NAME, manifest)
    return Result(folder / target, replace(report, target=target))


@pytest.fixture
def report() -> Report:
    """Of nothing yet."""
    return Report("m", "a target", "float32", "passed", MACHINE)


def test_targets_stand_side_by_side(report: Report, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    # fields by name: mypy cannot know
    latency = Latency(**dict.fromkeys(Latency.__dataclass_fields__, 4.0) | {"doubts": ("it spreads",)})  # type: ignore[arg-type]
    show_operators(
        [
            result(tmp_path, "onnx", replace(report, operators=TIMES, latency=latency)),
            result(tmp_path, "executorch", replace(report, operators=NO_TIMES)),
            result(tmp_path, "coreml", replace(report, static_profile=STATIC)),
        ]
    )
    lines = capsys.readouterr().out.splitlines()
    (stem,) = [line.split() for line in lines if line.startswith("stem")]
    assert stem == ["stem", "conv", "110.59", "1.500", "75.0", "-", "CPU"]
    (block,) = [line.split() for line in lines if line.startswith("blocks.3 ")]
    assert block[3:] == ["0.500", "25.0", "-", "-"]
    assert "executorch float32: this runtime tells nothing." in lines
    assert any(line.startswith("coreml float32: not measured") for line in lines)
    assert any("2.00 ms, 0.50? times the p50 without timing (4.00? ms)" in line for line in lines)
    assert max(len(line) for line in lines[: lines.index(next(line for line in lines if line.startswith("total")))]) <= 100


def test_every_layer_on_demand(report: Report, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    show_operators([result(tmp_path, "onnx", replace(report, operators=TIMES))], every_layer=True)
    lines = capsys.readouterr().out.splitlines()
    assert any(line.split()[:2] == ["blocks.3.pointwise", "pointwise"] and "fused" in line for line in lines)


def test_other_definitions_get_a_table_of_their_own(report: Report, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    timed = replace(report, operators=TIMES)
    show_operators([result(tmp_path, "onnx", timed), result(tmp_path, "openvino", timed, version="v1")])
    out = capsys.readouterr().out
    assert out.count("time by block") == 2


def test_more_artifacts_than_a_line_holds_go_below(report: Report, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    show_operators([result(tmp_path, f"target{i}", replace(report, operators=TIMES)) for i in range(6)])
    lines = capsys.readouterr().out.splitlines()
    assert [line.split() for line in lines if "target" in line and "inferences" not in line] == [
        ["target0", "target1", "target2", "target3"],
        ["target4", "target5"],
    ]
    assert sum(line.startswith("total") for line in lines) == 2
    assert max(map(len, lines)) <= 100


def test_without_anything_told_there_is_no_table(report: Report, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    show_operators([result(tmp_path, "onnx", report)])
    assert capsys.readouterr().out == ""
