"""quantize and dequantize against the formulas of their documentation, in exact fractions."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import coremltools as ct
import numpy as np
import pytest
import torch
from coremltools.converters.mil import Builder as mb  # noqa: N813 (its name in coremltools' documentation)
from numpy.typing import NDArray

from edgekit.errors import InputError
from edgekit_coreml.reference.ops import quantization

Array = NDArray[Any]
LIMITS = {"int8": (-128, 127), "uint8": (0, 255)}


def quantized(x: Array, scale: Any, zero_point: Any, dtype: str) -> Array:
    """clip(round(input / scale) + zero_point); Python rounds the halves of fractions to even."""

    def each() -> Iterator[int]:
        for value, step, zero in np.nditer(np.broadcast_arrays(x, scale, zero_point)):
            low, high = LIMITS[dtype]
            yield min(max(round(Fraction(float(value)) / Fraction(float(step))) + int(zero), low), high)

    return np.fromiter(each(), dtype).reshape(x.shape)


@pytest.fixture(scope="module")
def values() -> Array:
    """Many halves of a step of 0.25, and values that saturate."""
    halves = np.random.default_rng(1).integers(-60, 60, (2, 3, 4, 5)) * 0.125
    halves.reshape(-1)[::7] *= 30
    return halves.astype(np.float32)


def test_quantize(run: Any, values: Array) -> None:
    scales = np.array([0.25, 0.5, 0.125], np.float32)
    zero_points = {"int8": np.array([3, -128, 0], np.int8), "uint8": np.array([0, 255, 130], np.uint8)}

    def body(x: Any) -> tuple[Any, ...]:
        return (
            *(mb.quantize(input=x, scale=np.float32(0.25), output_dtype=dtype) for dtype in LIMITS),
            *(mb.quantize(input=x, scale=np.float32(0.25), zero_point=zero_points[d][1], output_dtype=d) for d in LIMITS),
            *(mb.quantize(input=x, scale=scales, zero_point=zero_points[d], axis=1, output_dtype=d) for d in LIMITS),
            mb.quantize(input=x, scale=scales, axis=-3, output_dtype="int8"),
        )

    def cast(x: Any) -> tuple[Any, ...]:  # 8-bit integers cannot be outputs of a model
        return tuple(mb.cast(x=each, dtype="int32") for each in body(x))

    answers = run(cast, opset=ct.target.iOS17, x=values)
    channels = (1, 3, 1, 1)
    expected = [
        *(quantized(values, np.float32(0.25), 0, dtype) for dtype in LIMITS),
        *(quantized(values, np.float32(0.25), zero_points[dtype][1], dtype) for dtype in LIMITS),
        *(quantized(values, scales.reshape(channels), zero_points[dtype].reshape(channels), dtype) for dtype in LIMITS),
        quantized(values, scales.reshape(channels), 0, "int8"),
    ]
    for answer, wanted in zip(answers, expected, strict=True):
        assert len(np.unique(wanted)) >= 20
        np.testing.assert_array_equal(answer, wanted)


def test_dequantize(run: Any, random: np.random.Generator) -> None:
    x = random.integers(-128, 128, (3, 2, 4)).astype(np.float32)
    scales, zero_points = np.array([0.25, 0.3], np.float32), np.array([127, -128], np.int8)

    def body(x: Any) -> tuple[Any, ...]:
        eight = mb.cast(x=x, dtype="int8")
        unsigned = mb.cast(x=mb.add(x=x, y=np.float32(128)), dtype="uint8")
        return (
            mb.dequantize(input=eight, scale=np.float32(0.3)),
            mb.dequantize(input=eight, scale=np.float32(0.3), zero_point=np.int8(127)),
            mb.dequantize(input=eight, scale=scales, zero_point=zero_points, axis=1),
            mb.dequantize(input=eight, scale=scales, axis=-2),
            mb.dequantize(input=unsigned, scale=np.float32(0.3), zero_point=np.uint8(255)),
        )

    answers = run(body, opset=ct.target.iOS17, x=x)
    third = np.float64(np.float32(0.3))
    along = scales.astype(np.float64).reshape(1, 2, 1)
    expected = [
        x * third,
        (x - 127) * third,
        (x - zero_points.astype(np.int64).reshape(1, 2, 1)) * along,
        x * along,
        (x + 128 - 255) * third,
    ]
    for answer, wanted in zip(answers, expected, strict=True):
        np.testing.assert_allclose(answer, wanted, rtol=1e-7)


def test_float16_rounds_once(run: Any) -> None:
    """The quotient is not rounded to float16 before it is rounded to an integer, nor the product before it is stored."""
    x = np.array([[100.4375, -100.4375, 2049.0]], np.float16)
    scale = np.float16(0.8037)

    def body(x: Any) -> Any:
        steps = mb.quantize(input=x, scale=scale, output_dtype="int8")
        return mb.cast(x=steps, dtype="int32"), mb.dequantize(input=steps, scale=scale)

    steps, back = run(body, mode="float16", opset=ct.target.iOS17, x=x)
    expected = quantized(x, scale, 0, "int8")
    np.testing.assert_array_equal(steps, expected)
    np.testing.assert_array_equal(back, (expected * np.float64(scale)).astype(np.float16))


def test_the_infinite_saturates_and_nan_is_refused(build: Any, run: Any) -> None:
    def body(x: Any) -> Any:
        return mb.cast(x=mb.quantize(input=x, scale=np.float32(1), output_dtype="int8"), dtype="int32")

    infinite = np.array([np.inf, -np.inf, 1e30], np.float32)
    np.testing.assert_array_equal(run(body, opset=ct.target.iOS17, x=infinite)[0], [127, -128, 127])
    with pytest.raises(InputError, match="NaN"):
        run(body, opset=ct.target.iOS17, x=np.array([0, np.nan, 1], np.float32))


@pytest.mark.parametrize(("count", "axis"), [(2, None), (3, 0), (2, 3), (2, -4)])
def test_scales_that_do_not_fit(count: int, axis: int | None) -> None:
    with pytest.raises(ValueError, match="axis"):
        quantization.quantize(torch.ones(2, 3, 4), torch.ones(count), "int8", axis=axis)
