"""What each mode rounds, worked out by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
from coremltools.converters.mil import Builder as mb  # noqa: N813 (its name in coremltools' documentation)

from edgekit_coreml.reference import ReferenceModel

ONE = np.float16(1)
STEP = 2.0**-10  # between 1 and the next float16


def squared_minus_one(x: Any) -> Any:
    """(1 + s)^2 - 1 = 2s + s^2, where s^2 is lost if the square is rounded to float16."""
    return mb.sub(x=mb.mul(x=x, y=x), y=ONE)


def test_exact_rounds_nothing(run: Any) -> None:
    (answer,) = run(squared_minus_one, x=np.array([1 + STEP], np.float16))
    assert answer.dtype == np.float32
    assert answer.tolist() == [2 * STEP + STEP**2]


def test_float16_rounds_after_each_operator(run: Any) -> None:
    (answer,) = run(squared_minus_one, mode="float16", x=np.array([1 + STEP], np.float16))
    assert answer.dtype == np.float16
    assert answer.tolist() == [2 * STEP]


def test_float16_rounds_inputs_typed_float16(build: Any) -> None:
    path = build(lambda x: mb.mul(x=x, y=ONE), x=np.zeros(2, np.float16))
    given = np.array([1 + STEP / 4, 1 + STEP * 3 / 4])
    (rounded,) = ReferenceModel(path, "float16").predict({"x": given}).values()
    (exact,) = ReferenceModel(path).predict({"x": given}).values()
    assert rounded.tolist() == [1, 1 + STEP]
    assert exact.tolist() == given.tolist()


def test_float16_rounds_half_to_even_and_overflows(run: Any) -> None:
    x = np.array([1 + STEP, 1 + 3 * STEP, 50000], np.float16)
    (answer,) = run(lambda x: mb.mul(x=x, y=np.float16(1.5)), mode="float16", x=x)
    # 1.5 + 1.5 s lies between 1.5 + s and 1.5 + 2 s, and 1.5 + 4.5 s between + 4 s and + 5 s: the even one each time
    assert answer.tolist() == [1.5 + 2 * STEP, 1.5 + 4 * STEP, np.inf]


def test_float16_accumulates_in_float32(run: Any) -> None:
    """2050 ones: a float16 sum would stop at 2048, whose next float16 is 2050."""
    (answer,) = run(lambda x: mb.reduce_sum(x=x, axes=[0], keep_dims=True), mode="float16", x=np.ones(2050, np.float16))
    assert answer.tolist() == [2050]


def test_float16_leaves_values_typed_float32_alone(run: Any) -> None:
    third = np.float32(1) / np.float32(3)

    def body(x: Any) -> Any:
        y = mb.mul(x=x, y=third)
        return y, mb.cast(x=mb.cast(x=y, dtype="fp16"), dtype="fp32")

    kept, rounded = run(body, mode="float16", x=np.ones(1, np.float32))
    assert kept.dtype == rounded.dtype == np.float32
    assert kept.tolist() == [third]
    assert rounded.tolist() == [1365 / 4096]  # the float16 nearest to a third


def test_float16_constants_are_widened(build: Any) -> None:
    weight = np.array([[1 + STEP, -(2.0**-14)]], np.float16)
    path = build(lambda x: mb.linear(x=x, weight=weight.repeat(8, 0)), x=np.zeros((1, 2), np.float16))
    (answer,) = ReferenceModel(path).predict({"x": np.array([[1.0, 1.0]], np.float16)}).values()
    assert answer.tolist() == [[1 + STEP - 2.0**-14] * 8]
