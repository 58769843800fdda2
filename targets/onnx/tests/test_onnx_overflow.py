"""Which files need kernels that do not saturate: told from the weights in them, without the onnx package."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from onnx import numpy_helper

from edgekit_onnx import overflow
from edgekit_onnx.overflow import cpu_overflows, may_overflow


def save(path: Path, *values: NDArray[np.generic]) -> Path:
    tensors = [numpy_helper.from_array(each, f"weights {i}") for i, each in enumerate(values)]
    graph = onnx.helper.make_graph([], "weights", [], [], tensors)
    onnx.save(onnx.helper.make_model(graph, doc_string="int8"), path)
    return path


@pytest.mark.parametrize(
    ("largest", "overflows"),
    [(-128, True), (-65, True), (-64, False), (-63, False), (0, False), (64, False), (65, True), (127, True)],
)
def test_two_products_of_255_and_64_fit_in_16_bits(tmp_path: Path, largest: int, overflows: bool) -> None:
    assert (2 * 255 * abs(largest) >= 2**15) == overflows
    weights = np.array([[1, largest], [0, 2]], np.int8)
    assert may_overflow(save(tmp_path / "model.onnx", np.full(300, 1000, np.int32), weights)) == overflows


def test_only_int8_counts(tmp_path: Path) -> None:
    others = [np.full(4, 127, kind) for kind in (np.uint8, np.int32, np.int64, np.float32, np.float16)]
    assert not may_overflow(save(tmp_path / "model.onnx", *others))
    assert not may_overflow(save(tmp_path / "none.onnx"))


def test_weights_that_are_stored_in_another_way_may(tmp_path: Path) -> None:
    tensor = onnx.helper.make_tensor("weights", onnx.TensorProto.INT8, [2], [1, 2])  # not as raw data
    onnx.save(onnx.helper.make_model(onnx.helper.make_graph([], "weights", [], [], [tensor])), tmp_path / "model.onnx")
    assert may_overflow(tmp_path / "model.onnx")


@given(st.binary(max_size=60), st.integers(0, 400))
def test_damaged_files_are_left_to_the_session(tmp_path_factory: pytest.TempPathFactory, junk: bytes, end: int) -> None:
    """Whatever the bytes are, this says yes or no."""
    path = tmp_path_factory.getbasetemp() / "damaged.onnx"
    whole = save(path, np.full(300, 7, np.int8)).read_bytes()
    for content in (junk, whole[:end], whole[:end] + junk):
        path.write_bytes(content)
        assert may_overflow(path) in (True, False)


@pytest.mark.parametrize(
    ("processor", "instructions", "overflows"),
    [
        ("x86_64", ("avx2",), True),
        ("AMD64", (), True),
        ("x86_64", ("avx2", "avx512_vnni"), False),
        ("x86_64", ("avx2", "avx_vnni"), False),
        ("aarch64", ("asimd",), False),
    ],
)
def test_x86_without_vnni_overflows(
    monkeypatch: pytest.MonkeyPatch, processor: str, instructions: tuple[str, ...], overflows: bool
) -> None:
    class Machine:
        instruction_sets = instructions

    monkeypatch.setattr("platform.machine", lambda: processor)
    monkeypatch.setattr(overflow, "describe_machine", Machine)
    assert cpu_overflows() == overflows
