"""Constants: where they may stand, of every type, computed ahead; and inputs that are read when the program runs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from coremltools.converters.mil import Builder as mb  # noqa: N813 (its name in coremltools' documentation)
from coremltools.converters.mil.backend.mil.helper import create_tensor_value
from coremltools.converters.mil.mil import types
from coremltools.libmilstoragepython import _BlobStorageWriter as BlobWriter
from coremltools.proto import MIL_pb2
from numpy.typing import NDArray

from edgekit.errors import InputError
from edgekit_coreml.reference import ReferenceModel
from edgekit_coreml.reference.blob import BlobFile, Weights
from edgekit_coreml.reference.constant import Fault, read_constant
from edgekit_coreml.reference.package import Package

Array = NDArray[Any]
X = np.arange(24, dtype=np.float32).reshape(1, 2, 3, 4)


def test_concat_takes_constants_between_variables(run: Callable[..., list[Array]]) -> None:
    first, last = np.full((1, 1, 3, 4), -1, np.float32), np.full((1, 2, 3, 4), -2, np.float32)
    (answer,) = run(lambda x: mb.concat(values=[first, x, last, x], axis=1), x=X)
    np.testing.assert_array_equal(answer, np.concatenate([first, X, last, X], axis=1))


def test_shapes_may_be_computed_by_the_program(run: Callable[..., list[Array]]) -> None:
    def body(x: Any, y: Any) -> Any:
        begin = mb.add(x=y, y=np.array([0, 0, 1, 1], np.int32))
        return mb.slice_by_index(x=x, begin=begin, end=np.array([1, 2, 3, 4], np.int32))

    (answer,) = run(body, x=X, y=np.array([0, 1, 0, 1], np.int32))
    np.testing.assert_array_equal(answer, X[:, 1:, 1:, 2:])


def test_what_is_constant_is_computed_once_and_kept_as_declared(build: Callable[..., Path]) -> None:
    def body(x: Any) -> Any:
        total = mb.add(x=np.float16(2048), y=np.float16(1))
        return mb.add(x=mb.cast(x=total, dtype="fp32"), y=x), mb.add(x=np.float32(1), y=np.float32(2))

    package = build(body, x=X)
    exact, rounded = (ReferenceModel(package, mode) for mode in ("exact", "float16"))
    assert [step.operation.type for step in exact.trace({"x": X})] == ["add"]
    assert exact.op_types == {"add", "cast"}
    total, three = (output.name for output in exact.outputs)
    np.testing.assert_array_equal(exact.predict({"x": X})[total], X + 2049)
    np.testing.assert_array_equal(rounded.predict({"x": X})[total], X + 2048)  # float16 has no 2049
    assert exact.predict({"x": X})[three] == 3


PACKED = pytest.mark.parametrize(
    ("dtype", "values"),
    [
        ("int4", [-8, -1, 0, 3, 7, -5, 2]),
        ("uint1", [1, 0, 0, 1, 1, 0, 1, 1, 1, 0, 1]),
        ("uint2", [3, 0, 1, 2, 2]),
        ("uint3", [7, 0, 5, 2, 6, 1, 3, 4, 7, 6, 5]),
        ("uint4", [15, 0, 9, 6, 5]),
        ("uint6", [63, 0, 33, 18, 45, 7, 62]),
    ],
)


@pytest.fixture
def weights(tmp_path: Path) -> Weights:
    """No constant in a message needs a file."""
    return Weights(Package(tmp_path, tmp_path / "model.mlmodel"))


def read(value: Any, weights: Weights) -> Any:
    constant = read_constant(value, "constant", weights)
    assert constant.shape == tuple(size.constant.size for size in value.type.tensorType.dimensions)
    return constant


@pytest.mark.parametrize(
    ("dtype", "held"),
    [
        ("float16", torch.float32),
        ("float32", torch.float32),
        ("float64", torch.float64),
        ("bool", torch.bool),
        ("int8", torch.int8),
        ("int16", torch.int16),
        ("int32", torch.int32),
        ("int64", torch.int64),
        ("uint8", torch.uint8),
        ("uint16", torch.uint16),
        ("uint32", torch.uint32),
    ],
)
def test_reads_every_type_as_coremltools_writes_it(weights: Weights, dtype: str, held: torch.dtype) -> None:
    high = 1 if dtype == "bool" else 1000.5 if dtype.startswith("f") else min(np.iinfo(dtype).max, 2**63 - 1)
    low = 0 if dtype == "bool" else -0.25 if dtype.startswith("f") else np.iinfo(dtype).min
    for expected in (np.array([[high, low, 1], [0, 1, high]], dtype), np.array(high, dtype), np.zeros((2, 0), dtype)):
        constant = read(create_tensor_value(expected), weights)
        assert constant.dtype == dtype
        np.testing.assert_array_equal(constant.value, expected, strict=True)
        assert constant.tensor().dtype == held
        np.testing.assert_array_equal(constant.tensor().numpy(), expected)


def test_reads_unsigned_integers_of_64_bits(weights: Weights) -> None:
    """coremltools has the type, but writes no values of it."""
    message = create_tensor_value(np.array([2**63 - 1, 3]))
    message.type.tensorType.dataType = 34
    assert read(message, weights).tensor().tolist() == [2**63 - 1, 3]


@pytest.mark.parametrize(("number", "values"), [(34, [-1, 0]), (33, [-1, 0]), (32, [65536, 0]), (32, [-1, 0]), (22, [0, 32768])])
def test_refuses_integers_that_the_declared_type_has_not(weights: Weights, number: int, values: list[int]) -> None:
    message = create_tensor_value(np.array(values, np.int64 if number == 34 else np.int32))
    message.type.tensorType.dataType = number
    with pytest.raises(Fault, match=r"does not hold values of u?int\d\d\[2\]: some are out of its range"):
        read(message, weights)


@PACKED
def test_reads_packed_values_in_a_message(weights: Weights, dtype: str, values: list[int]) -> None:
    expected = np.array(values).astype(types.nptype_from_builtin(getattr(types, dtype)))
    message = create_tensor_value(expected)
    constant = read(message, weights)
    assert constant.dtype == dtype
    np.testing.assert_array_equal(constant.value, values)
    assert constant.value.dtype == constant.tensor().numpy().dtype == (np.int8 if dtype == "int4" else np.uint8)
    message.immediateValue.tensor.bytes.values += b"\0"
    with pytest.raises(Fault, match="does not hold values of"):
        read(message, weights)


@pytest.mark.parametrize(("number", "name"), [(13, "bfloat16"), (40, "float8e4m3fn"), (41, "float8e5m2"), (0, "unused_type")])
def test_says_which_types_it_cannot_hold(weights: Weights, number: int, name: str) -> None:
    message = create_tensor_value(np.zeros(2, np.uint8))
    message.type.tensorType.dataType = number
    with pytest.raises(Fault, match=rf"constant 'constant' is tensor {name}\[2\], which the reference runtime cannot hold"):
        read(message, weights)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda value: value.type.tensorType.dimensions[0].constant.MergeFrom(size(2**40)), "does not hold values of"),
        (lambda value: value.type.tensorType.dimensions[0].constant.MergeFrom(size(2**63)), "does not hold values of"),
        (lambda value: value.type.tensorType.dimensions[0].unknown.SetInParent(), r"int32\[\?\], which .* cannot hold"),
        (lambda value: value.ClearField("immediateValue"), "is stored in a way that is not implemented"),
        (lambda value: value.immediateValue.tuple.SetInParent(), "is stored in a way that is not implemented"),
        (lambda value: value.immediateValue.tensor.strings.SetInParent(), "has its values in strings, not in ints"),
        (lambda value: value.type.tupleType.SetInParent(), "is of tupleType, which is not implemented"),
        (lambda value: value.ClearField("type"), "is of no type"),
    ],
)
def test_refuses_a_broken_value(weights: Weights, change: Callable[[Any], None], message: str) -> None:
    value = create_tensor_value(np.array([1, 2, 3], np.int32))
    change(value)
    with pytest.raises(Fault, match=message):
        read(value, weights)


def size(number: int) -> Any:
    return MIL_pb2.Dimension.ConstantDimension(size=number)


@PACKED
def test_reads_values_of_less_than_a_byte_as_coremltools_packs_them(tmp_path: Path, dtype: str, values: list[int]) -> None:
    expected = np.array(values, np.int8 if dtype == "int4" else np.uint8)
    path = tmp_path / "weight.bin"
    writer = BlobWriter(str(path))
    getattr(writer, f"write_{dtype}_data")(np.array([0, 1, 1], expected.dtype))
    offset = getattr(writer, f"write_{dtype}_data")(expected)
    del writer
    read = BlobFile(path).read(offset, dtype, len(values))
    np.testing.assert_array_equal(read, expected, strict=True)
    with pytest.raises(InputError, match="the model declares"):
        BlobFile(path).read(offset, dtype, len(values) + 8)
