"""What is particular to OpenVINO."""

from __future__ import annotations

import re
import subprocess
import sys
from math import prod
from pathlib import Path

import openvino
import pytest
import torch

from edgekit import registry
from edgekit.errors import UsageError
from edgekit.mobilenet.checkpoint import open_checkpoint
from edgekit.mobilenet.program import capture_program
from edgekit.target import ConvertJob, Program
from edgekit_openvino.target import OpenVINOTarget


@pytest.fixture(scope="module")
def program() -> Program:
    return capture_program(open_checkpoint("digits").network())


def test_the_entry_point_leads_here() -> None:
    assert registry.find("openvino").load() is OpenVINOTarget


def test_telemetry_is_openvinos_own_stub() -> None:
    """In a fresh process, because this one may have imported OpenVINO before the plugin."""
    code = "import edgekit_openvino.target, openvino.tools.ovc.telemetry_utils as t; print(t.tm.__name__)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "openvino.tools.ovc.telemetry_stub"


def test_weights_are_stored_as_asked(program: Program, tmp_path: Path) -> None:
    for precision in ("float32", "float16"):
        folder = tmp_path / precision
        folder.mkdir()
        OpenVINOTarget().convert(ConvertJob(program, precision, {}, folder))
        constants = re.findall(r'element_type="(f\d+)" shape="([^"]*)" offset', (folder / "model.xml").read_text())
        sizes = [(dtype, prod(int(size) for size in shape.split(",") if size.strip())) for dtype, shape in constants]
        assert len(sizes) > 50
        assert {dtype for dtype, size in sizes if size >= 216} == {"f32" if precision == "float32" else "f16"}
        assert {dtype for dtype, size in sizes if size < 216} == {"f32"}, "a float16 constant would take more room"


def test_a_checkpoint_of_dead_weights_is_compressed_too(tmp_path: Path) -> None:
    """OpenVINO keeps float32 where most values are too small for float16; weights that training drove to 1e-9 are."""
    network = open_checkpoint("digits").network()
    with torch.no_grad():
        network.hidden.weight.mul_(1e-9)  # type: ignore[operator]  # a Linear
    program = capture_program(network)
    sizes = {}
    for precision in ("float32", "float16"):
        folder = tmp_path / precision
        folder.mkdir()
        OpenVINOTarget().convert(ConvertJob(program, precision, {}, folder))
        sizes[precision] = (folder / "model.bin").stat().st_size
    assert sizes["float16"] < 0.51 * sizes["float32"]


def test_the_file_is_what_openvino_reads(program: Program, tmp_path: Path) -> None:
    conversion = OpenVINOTarget().convert(ConvertJob(program, "float32", {}, tmp_path))
    model = openvino.Core().read_model(conversion.path)
    assert [port.any_name for port in model.inputs] == ["image"]
    assert [list(port.shape) for port in model.inputs] == [[1, 1, 32, 32]]


def test_an_arithmetic_that_does_not_exist_is_refused(program: Program, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"inference_precision"):
        OpenVINOTarget().convert(ConvertJob(program, "float32", {"inference_precision": "f8"}, tmp_path))
