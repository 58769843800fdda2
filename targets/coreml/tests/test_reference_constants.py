"""Constants: where they may stand, of every type, computed ahead; and inputs that are read when the program runs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from coremltools.converters.mil import Builder as mb  # noqa: N813 (its name in coremltools' documentation)
from coremltools.libmilstoragepython import _BlobStorageWriter as BlobWriter
from numpy.typing import NDArray

from edgekit.errors import InputError
from edgekit_coreml.reference import ReferenceModel
from edgekit_coreml.reference.blob import BlobFile

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


@pytest.mark.parametrize(
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
