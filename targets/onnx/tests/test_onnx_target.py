"""What is particular to ONNX."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

from edgekit import registry
from edgekit.errors import UsageError
from edgekit.mobilenet.checkpoint import open_checkpoint
from edgekit.mobilenet.program import capture_program
from edgekit.target import ConvertJob, Program
from edgekit_onnx.target import OnnxTarget


@pytest.fixture(scope="module")
def program() -> Program:
    return capture_program(open_checkpoint("digits").network())


def test_the_entry_point_leads_here() -> None:
    assert registry.find("onnx").load() is OnnxTarget


def test_one_file_without_external_data(program: Program, tmp_path: Path) -> None:
    conversion = OnnxTarget().convert(ConvertJob(program, "float32", {}, tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == ["model.onnx"]
    model = onnx.load(conversion.path)
    assert not any(tensor.HasField("data_location") and tensor.data_location for tensor in model.graph.initializer)
    assert [value.name for value in model.graph.input] == ["image"]
    assert [value.name for value in model.graph.output] == ["logits"]


def test_float16_keeps_float32_at_its_ends(program: Program, tmp_path: Path) -> None:
    model = onnx.load(OnnxTarget().convert(ConvertJob(program, "float16", {}, tmp_path)).path)
    ends = [*model.graph.input, *model.graph.output]
    assert {value.type.tensor_type.elem_type for value in ends} == {onnx.TensorProto.FLOAT}
    weights = [tensor for tensor in model.graph.initializer if np.prod(tensor.dims) > 16]
    assert {tensor.data_type for tensor in weights} == {onnx.TensorProto.FLOAT16}


@pytest.mark.parametrize("opset", ["17", "24", "twenty"])
def test_an_opset_nobody_writes_is_refused(program: Program, tmp_path: Path, opset: str) -> None:
    with pytest.raises(UsageError, match=r"opset"):
        OnnxTarget().convert(ConvertJob(program, "float32", {"opset": opset}, tmp_path))
