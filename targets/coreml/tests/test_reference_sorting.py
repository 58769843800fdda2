"""Orders and running sums along an axis, against Python's sort and loops."""

from __future__ import annotations

from typing import Any

import coremltools as ct
import numpy as np
import pytest
from coremltools.converters.mil import Builder as mb  # noqa: N813 (its name in coremltools' documentation)
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

Array = NDArray[Any]
X = np.array([[[3, -1, 2.5, 2.5], [0, 7, -8, 1], [5, 5, 5, -5]], [[-2, 9, 4, 6], [1, 1, 2, 0], [8, -3, -4, 3]]], np.float32)


def ordered(x: Array, axis: int, ascending: bool) -> Array:
    """Python's sort keeps the order of what is equal."""

    def of_line(line: Array) -> list[int]:
        return sorted(range(len(line)), key=lambda i: line[i] if ascending else -float(line[i]))

    return np.apply_along_axis(of_line, axis, x)


@given(
    st.lists(st.integers(1, 5), min_size=1, max_size=3),
    st.data(),
    st.booleans(),
    st.sampled_from([np.float32, np.int32, np.int8, np.uint8, np.uint16]),
)
@settings(max_examples=150)
def test_topk_and_argsort(compute: Any, shape: list[int], data: st.DataObject, ascending: bool, dtype: type) -> None:
    axis = data.draw(st.integers(-len(shape), len(shape) - 1))
    k = data.draw(st.one_of(st.integers(1, shape[axis]), st.just(-1)))
    low = 0 if dtype in (np.uint8, np.uint16) else -3
    x: Array = np.random.default_rng(data.draw(st.integers(0, 99))).integers(low, 4, shape).astype(dtype)
    order = ordered(x, axis, ascending)
    np.testing.assert_array_equal(compute("argsort", x=x, axis=axis, ascending=ascending), order)
    count = shape[axis] if k == -1 else k
    places = order.take(range(count), axis)
    values, indices = compute("topk", x=x, k=k, axis=axis, ascending=ascending)
    assert (values.dtype, indices.dtype) == (dtype, np.int32)
    np.testing.assert_array_equal(indices, places)
    np.testing.assert_array_equal(values, np.take_along_axis(x, places, axis))


@given(st.lists(st.integers(1, 5), min_size=1, max_size=3), st.data(), st.booleans(), st.booleans())
@settings(max_examples=100)
def test_running_sums(compute: Any, shape: list[int], data: st.DataObject, exclusive: bool, reverse: bool) -> None:
    axis = data.draw(st.integers(-1, len(shape) - 1))
    x = np.random.default_rng(data.draw(st.integers(0, 99))).integers(-9, 9, shape).astype(np.int32)

    def of_line(line: Array) -> list[int]:
        result = []
        for i in range(len(line)):
            before = line[i + 1 :] if reverse else line[:i]
            result.append(int(before.sum()) + (0 if exclusive else int(line[i])))
        return result

    given = {"axis": axis, "exclusive": exclusive, "reverse": reverse}
    answer = compute("cumsum", x=x, **given)
    assert answer.dtype == np.int32
    np.testing.assert_array_equal(answer, np.apply_along_axis(of_line, axis, x))
    np.testing.assert_array_equal(compute("cumsum", x=x.astype(np.float32), **given), answer)


def test_orders_in_packages(run: Any) -> None:
    order, (values, places) = ordered(X, 1, True), (np.sort(X, -1)[..., ::-1][..., :2], ordered(X, -1, False)[..., :2])

    def body(x: Any) -> Any:
        return (
            mb.argsort(x=x, axis=1, ascending=True),
            *mb.topk(x=x, k=2),
            mb.topk(x=x, k=1, axis=0, ascending=True, sort=False, return_indices=False),
            mb.cumsum(x=x, axis=-1, exclusive=True),
        )

    for opset in (ct.target.iOS16, ct.target.iOS17):
        answers = run(body, opset=opset, x=X)
        expected = order, values, places, X.min(0, keepdims=True), np.cumsum(X, -1) - X
        for answer, wanted in zip(answers, expected, strict=True):
            np.testing.assert_allclose(answer, wanted, atol=1e-6)


def test_indices_of_another_type(run: Any) -> None:
    def body(x: Any) -> Any:
        values, indices = mb.topk(x=x, k=3, axis=1, output_indices_dtype="uint16")
        return values, mb.cast(x=indices, dtype="int32")

    values, indices = run(body, opset=ct.target.iOS17, x=X)
    np.testing.assert_array_equal(values, -np.sort(-X, 1))
    np.testing.assert_array_equal(indices, ordered(X, 1, False))


@pytest.mark.parametrize(
    ("name", "given", "message"),
    [
        ("topk", {"k": 5}, "no 5 greatest"),
        ("topk", {"k": 0}, "no 0 greatest"),
        ("topk", {"k": -2}, "no -2 greatest"),
        ("topk", {"axis": 3}, "no axis 3"),
        ("argsort", {"axis": -4}, "no axis -4"),
        ("cumsum", {"axis": -2}, "axis -2"),
        ("cumsum", {"axis": 3}, "no axis 3"),
    ],
)
def test_what_has_no_order(compute: Any, name: str, given: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        compute(name, x=X, **given)
