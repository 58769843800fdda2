"""Tensors made of a few numbers, and elements chosen by place or condition, against numpy."""

from __future__ import annotations

from itertools import product
from typing import Any

import coremltools as ct
import numpy as np
import pytest
from coremltools.converters.mil import Builder as mb  # noqa: N813 (its name in coremltools' documentation)
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

Array = NDArray[Any]
X = (np.arange(24, dtype=np.float32).reshape(2, 3, 4) * 5 % 7) - 3


def scalar(value: Any, dtype: str) -> Array:
    return np.array(value, dtype)


@pytest.mark.parametrize(("value", "dtype"), [(2.5, "float32"), (-7, "int32"), (True, "bool")])
def test_filling(compute: Any, value: Any, dtype: str) -> None:
    answer = compute("fill", shape=(2, 1, 3), value=scalar(value, dtype))
    assert answer.dtype == dtype
    np.testing.assert_array_equal(answer, np.full((2, 1, 3), value))
    answer = compute("fill_like", ref_tensor=X.astype(np.int32), value=scalar(value, dtype))
    assert answer.dtype == dtype
    np.testing.assert_array_equal(answer, np.full(X.shape, value))


@given(st.lists(st.integers(1, 4), max_size=3), st.integers(1, 6), st.data(), st.sampled_from(["int32", "float32", "bool"]))
@settings(max_examples=100)
def test_one_hot(compute: Any, shape: list[int], size: int, data: st.DataObject, dtype: str) -> None:
    axis = data.draw(st.integers(-len(shape) - 1, len(shape)))
    indices = np.asarray(np.random.default_rng(size).integers(0, size, shape), np.int32)
    expected = np.full((*shape, size), 0, dtype)
    for place in product(*map(range, shape)):
        expected[(*place, indices[place])] = 1
    given = {"on_value": scalar(1, dtype), "off_value": scalar(0, dtype)}
    answer = compute("one_hot", indices=indices, one_hot_vector_size=size, axis=axis, **given)
    assert answer.dtype == dtype
    np.testing.assert_array_equal(answer, np.moveaxis(expected, -1, axis))


@pytest.mark.parametrize(
    ("start", "end", "step", "dtype"),
    [
        (5, 15, 2, "int32"),
        (5, 14, 3, "int32"),
        (3, -4, -2, "int32"),
        (3, 3, 1, "int32"),
        (3, 5, -1, "int32"),
        (-(2**31), 2**31 - 1, 2**30, "int32"),
        (5, 15, 2.5, "float32"),
        (0.5, -1.75, -0.25, "float32"),
        (0, 1, 0.1, "float32"),
    ],
)
def test_ranges(compute: Any, start: float, end: float, step: float, dtype: str) -> None:
    given = {key: scalar(value, dtype) for key, value in (("start", start), ("end", end), ("step", step))}
    expected: list[float] = []
    while (start + len(expected) * step - end) * np.sign(step) < 0:
        expected.append(start + len(expected) * step)
    answer = compute("range_1d", **given)
    assert answer.dtype == dtype
    np.testing.assert_allclose(answer, expected, rtol=1e-6)


@pytest.mark.parametrize(("lower", "upper"), [(-1, -1), (0, -1), (-1, 0), (0, 0), (1, 2), (2, 1), (9, 0)])
@pytest.mark.parametrize("dtype", ["float32", "int32", "bool"])
def test_band_part(compute: Any, lower: int, upper: int, dtype: str) -> None:
    x = (X + 9).astype(dtype)
    expected = x.copy()
    for m, n in product(range(3), range(4)):
        if not ((lower < 0 or m - n <= lower) and (upper < 0 or n - m <= upper)):
            expected[:, m, n] = 0
    answer = compute("band_part", x=x, lower=lower, upper=upper)
    assert answer.dtype == dtype
    np.testing.assert_array_equal(answer, expected)


def test_zeros_outside_of_a_band_whatever_was_there(compute: Any) -> None:
    np.testing.assert_array_equal(
        compute("band_part", x=np.full((2, 2), np.inf, np.float32), lower=0), [[np.inf, np.inf], [0, np.inf]]
    )


def test_non_zero(compute: Any) -> None:
    for x in (X, X.astype(np.int32), X > 1, np.zeros((2, 2), np.float32)):
        expected = [place for place in product(*map(range, x.shape)) if x[place]]
        answer = compute("non_zero", x=x)
        assert answer.dtype == np.int32
        np.testing.assert_array_equal(answer, np.array(expected).reshape(-1, x.ndim))


def test_select(compute: Any) -> None:
    cond = np.array([[True], [False], [True]])
    a, b = X[:, :1], X[:1] * 10
    expected = np.empty(X.shape, np.float32)
    for i, j, k in product(range(2), range(3), range(4)):
        expected[i, j, k] = a[i, 0, k] if cond[j, 0] else b[0, j, k]
    np.testing.assert_array_equal(compute("select", cond=cond, a=a, b=b), expected)


def test_in_packages(run: Any) -> None:
    def body(x: Any, y: Any) -> Any:
        rows = mb.slice_by_index(x=mb.shape(x=x), begin=[0], end=[0], squeeze_mask=[True])
        return (
            mb.fill(shape=y, value=-2.5),
            mb.fill(shape=[3, 1], value=np.int32(4)),
            mb.fill_like(ref_tensor=x, value=np.int32(3)),
            mb.one_hot(indices=y, one_hot_vector_size=4, axis=0, on_value=2.5, off_value=-1.0),
            mb.one_hot(indices=y, one_hot_vector_size=5),
            mb.range_1d(start=np.int32(-1), end=rows, step=np.int32(2)),
            mb.band_part(x=x, lower=1, upper=0),
            mb.select(cond=mb.greater(x=x, y=0.0), a=x, b=mb.fill_like(ref_tensor=x)),
            mb.non_zero(x=x),
        )

    y = np.array([1, 3], np.int32)
    hot = np.full((4, 2), -1.0)
    hot[1, 0] = hot[3, 1] = 2.5
    expected = (
        np.full((1, 3), -2.5),
        np.full((3, 1), 4),
        np.full(X.shape, 3),
        hot,
        np.eye(5, dtype=np.int32)[[1, 3]],
        [-1, 1],
        np.tril(np.triu(X, -1)),
        np.maximum(X, 0),
        np.argwhere(X),
    )
    for answer, wanted in zip(run(body, x=X, y=y, opset=ct.target.iOS16), expected, strict=True):
        np.testing.assert_array_equal(answer, wanted)


ZERO = np.array(0, np.int32)


@pytest.mark.parametrize(
    ("name", "given", "message"),
    [
        ("fill", {"shape": (2**20, 2**20)}, "more than"),
        ("fill", {"shape": (2, -1)}, "not of numbers from 1"),
        ("fill", {"shape": (0,)}, "not of numbers from 1"),
        ("fill", {"shape": (2,), "value": X}, "one value"),
        ("one_hot", {"indices": np.array([0, 4], np.int32), "one_hot_vector_size": 4}, "from 0 to 3"),
        ("one_hot", {"indices": np.array([-1], np.int32), "one_hot_vector_size": 4}, "from 0 to 3"),
        ("one_hot", {"indices": ZERO, "one_hot_vector_size": -1}, "cannot be"),
        ("one_hot", {"indices": ZERO, "one_hot_vector_size": 2**30}, "more than"),
        ("one_hot", {"indices": np.zeros((0,), np.int32), "one_hot_vector_size": 2**30}, "more than"),
        ("one_hot", {"indices": ZERO, "one_hot_vector_size": 2, "axis": 1}, "no axis 1"),
        ("range_1d", {"start": ZERO, "end": ZERO, "step": ZERO}, "step is 0"),
        ("range_1d", {"start": ZERO, "end": ZERO + 2**30, "step": ZERO + 1}, "more than"),
        ("range_1d", {"start": scalar(0, "float32"), "end": scalar(np.inf, "float32"), "step": scalar(1, "float32")}, "no range"),
        ("range_1d", {"start": scalar(np.nan, "float32"), "end": scalar(1, "float32"), "step": scalar(1, "float32")}, "no range"),
        ("range_1d", {"start": ZERO[None], "end": ZERO, "step": ZERO}, "one value"),
        ("band_part", {"x": X[0, 0]}, "1 axes"),
        ("select", {"cond": X, "a": X, "b": X}, "truth values"),
        ("select", {"cond": X > 0, "a": X[:, :2], "b": X}, "shape mismatch"),
        ("select", {"cond": np.zeros((2**15, 1), bool), "a": np.zeros((1, 2**15), np.float32), "b": X[0, 0, 0]}, "more than"),
    ],
)
def test_what_cannot_be_made(compute: Any, name: str, given: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        compute(name, **given)
