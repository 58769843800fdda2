"""Gathering and scattering against loops written from the documentation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
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
Shape = tuple[int, ...]

X = np.arange(120, dtype=np.float32).reshape(2, 3, 5, 4)
CHANGES: dict[str, Callable[[Any, Any], Any]] = {
    "add": lambda old, new: old + new,
    "sub": lambda old, new: old - new,
    "mul": lambda old, new: old * new,
    "div": lambda old, new: old / new,
    "max": max,
    "min": min,
    "update": lambda old, new: new,
}
IOS16, IOS17 = 6, 7

shapes = st.lists(st.integers(1, 4), min_size=1, max_size=4).map(tuple)


def every(shape: Shape) -> Any:
    return product(*(range(size) for size in shape))


def numbers(random: np.random.Generator, shape: Sequence[int]) -> Array:
    """Powers of two, with which float32 computes exactly."""
    return random.choice([-2.0, -0.5, 0.25, 1.0, 4.0], shape)


def gathered(x: Array, indices: Array, axis: int, batch_dims: int) -> Array:
    """output[batch, front, i, back] = x[batch, front, indices[batch, i], back]."""
    wanted = indices.shape[batch_dims:]
    result = np.empty((*x.shape[:axis], *wanted, *x.shape[axis + 1 :]), x.dtype)
    for front in every(x.shape[:axis]):
        for i in every(wanted):
            for back in every(x.shape[axis + 1 :]):
                result[(*front, *i, *back)] = x[(*front, indices[(*front[:batch_dims], *i)], *back)]
    return result


@given(st.data(), shapes, st.lists(st.integers(1, 3), max_size=2), st.sampled_from([np.float32, np.int32, np.uint16]))
@settings(max_examples=150)
def test_gather(compute: Any, data: st.DataObject, shape: Shape, more: list[int], dtype: type) -> None:
    axis = data.draw(st.integers(0, len(shape) - 1))
    batch_dims = data.draw(st.integers(0, axis))
    opset = data.draw(st.sampled_from([IOS16, IOS17]))
    x: Array = np.arange(np.prod(shape)).reshape(shape).astype(dtype)
    random = np.random.default_rng(len(shape))
    low = -shape[axis] if opset == IOS16 else 0
    indices = random.integers(low, shape[axis], (*shape[:batch_dims], *more)).astype(np.int16)
    written = data.draw(st.sampled_from([axis, axis - len(shape)]))
    answer = compute("gather", x=x, indices=indices, axis=written, batch_dims=batch_dims, opset=opset)
    assert answer.dtype == dtype
    np.testing.assert_array_equal(answer, gathered(x, indices, axis, batch_dims))


@given(st.data(), shapes, st.lists(st.integers(1, 3), max_size=2))
@settings(max_examples=150)
def test_gather_nd(compute: Any, data: st.DataObject, shape: Shape, more: list[int]) -> None:
    batch_dims = data.draw(st.integers(0, len(shape) - 1))
    depth = data.draw(st.integers(1, len(shape) - batch_dims))
    x = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    sizes = shape[batch_dims : batch_dims + depth]
    indices = np.random.default_rng(depth).integers(0, sizes, (*shape[:batch_dims], *more, depth)).astype(np.int32)
    expected = np.empty((*indices.shape[:-1], *shape[batch_dims + depth :]), np.float32)
    for place in every(indices.shape[:-1]):
        expected[place] = x[(*place[:batch_dims], *indices[place])]
    np.testing.assert_array_equal(compute("gather_nd", x=x, indices=indices, batch_dims=batch_dims, opset=IOS17), expected)


@given(st.data(), shapes, st.integers(1, 5), st.sampled_from([np.float32, np.uint16]))
@settings(max_examples=100)
def test_gather_along_axis(compute: Any, data: st.DataObject, shape: Shape, count: int, dtype: type) -> None:
    axis = data.draw(st.integers(-len(shape), len(shape) - 1))
    x: Array = np.arange(np.prod(shape)).reshape(shape).astype(dtype)
    wanted = list(shape)
    wanted[axis] = count
    indices = np.random.default_rng(count).integers(-shape[axis], shape[axis], wanted).astype(np.int32)
    expected: Array = np.empty(wanted, dtype)
    for place in every(indices.shape):
        source = list(place)
        source[axis] = indices[place]
        expected[place] = x[tuple(source)]
    np.testing.assert_array_equal(compute("gather_along_axis", x=x, indices=indices, axis=axis, opset=IOS16), expected)


@given(st.data(), shapes, st.lists(st.integers(1, 3), max_size=2), st.sampled_from(list(CHANGES)))
@settings(max_examples=150)
def test_scatter(compute: Any, data: st.DataObject, shape: Shape, more: list[int], mode: str) -> None:
    """One update after the other where they meet."""
    axis = data.draw(st.integers(0, len(shape) - 1))
    random = np.random.default_rng(data.draw(st.integers(0, 99)))
    x, updates = numbers(random, shape), numbers(random, (*shape[:axis], *more, *shape[axis + 1 :]))
    indices = random.integers(-shape[axis], shape[axis], more).astype(np.int32)
    expected = x.copy()
    for i in every(tuple(more)):
        for front, back in product(every(shape[:axis]), every(shape[axis + 1 :])):
            place = (*front, indices[i], *back)
            expected[place] = CHANGES[mode](expected[place], updates[(*front, *i, *back)])
    given = {"data": x.astype(np.float32), "indices": np.asarray(indices), "updates": updates.astype(np.float32)}
    np.testing.assert_array_equal(compute("scatter", **given, axis=axis, mode=mode, opset=IOS16), expected)


@given(st.data(), shapes, st.integers(1, 5), st.sampled_from(list(CHANGES)))
@settings(max_examples=150)
def test_scatter_along_axis(compute: Any, data: st.DataObject, shape: Shape, count: int, mode: str) -> None:
    axis = data.draw(st.integers(-len(shape), len(shape) - 1))
    random = np.random.default_rng(data.draw(st.integers(0, 99)))
    wanted = list(shape)
    wanted[axis] = count
    x, updates = numbers(random, shape), numbers(random, wanted)
    indices = random.integers(0, shape[axis], wanted).astype(np.int32)
    expected = x.copy()
    for place in every(indices.shape):
        target = list(place)
        target[axis] = indices[place]
        expected[tuple(target)] = CHANGES[mode](expected[tuple(target)], updates[place])
    given = {"data": x.astype(np.float32), "indices": indices, "updates": updates.astype(np.float32)}
    np.testing.assert_array_equal(compute("scatter_along_axis", **given, axis=axis, mode=mode, opset=IOS17), expected)


@given(st.data(), shapes, st.lists(st.integers(1, 3), max_size=2), st.sampled_from(list(CHANGES)))
@settings(max_examples=150)
def test_scatter_nd(compute: Any, data: st.DataObject, shape: Shape, more: list[int], mode: str) -> None:
    depth = data.draw(st.integers(1, len(shape)))
    random = np.random.default_rng(data.draw(st.integers(0, 99)))
    x, updates = numbers(random, shape), numbers(random, (*more, *shape[depth:]))
    indices = random.integers(0, shape[:depth], (*more, depth)).astype(np.int32)
    expected = x.copy()
    for place in every(tuple(more)):
        for rest in every(shape[depth:]):
            target = (*indices[place], *rest)
            expected[target] = CHANGES[mode](expected[target], updates[(*place, *rest)])
    given = {"data": x.astype(np.float32), "indices": indices, "updates": updates.astype(np.float32)}
    np.testing.assert_array_equal(compute("scatter_nd", **given, mode=mode, opset=IOS17), expected)


def test_what_core_ml_computed(compute: Any) -> None:
    """Expectations of coremltools' own tests, which ran on a Mac: mil/ops/tests/iOS14/test_scatter_gather.py."""
    data = np.array([[1, 2, 3], [4, 5, 6]], np.float32)
    updates = np.array([[5, 6, 7], [8, 9, 10]], np.float32)
    answer = compute("scatter", data=data, indices=np.array([1, 0], np.int32), updates=updates, opset=5)
    np.testing.assert_array_equal(answer, [[9, 11, 13], [9, 11, 13]])
    indices = np.array([[1, 0, 1], [1, 1, 0]], np.int32)
    answer = compute("scatter_along_axis", data=data, indices=indices, updates=updates, axis=0, mode="update", opset=5)
    np.testing.assert_array_equal(answer, [[1, 6, 10], [8, 9, 7]])
    indices, updates = np.array([[1, 0], [0, 2]], np.int32), np.array([5, 10], np.float32)
    np.testing.assert_array_equal(
        compute("scatter_nd", data=data, indices=indices, updates=updates, opset=5), [[1, 2, 13], [9, 5, 6]]
    )


def test_integers_are_scattered_as_integers(compute: Any) -> None:
    data, updates = np.array([2**31 - 2, 7], np.int32), np.array([1, 5], np.int32)
    given = {"data": data, "indices": np.array([0, 1], np.int32), "updates": updates, "opset": IOS17}
    np.testing.assert_array_equal(compute("scatter", **given), [2**31 - 1, 12])
    with pytest.raises(ValueError, match="integers are divided"):
        compute("scatter", **given, mode="div")


INDICES = np.array([[2, 0], [1, 1]], np.int32)


@pytest.mark.parametrize("opset", [ct.target.iOS15, ct.target.iOS16, ct.target.iOS17, ct.target.iOS18])
def test_gathering_and_scattering_in_packages(run: Any, opset: Any) -> None:
    """Up to iOS 16 positions may be negative."""

    def last(size: int) -> int:
        return -1 if opset < ct.target.iOS17 else size - 1

    def body(x: Any, y: Any) -> Any:
        along, ones = np.full((2, 3, 1, 4), last(5), np.int32), np.ones((2, 3, 5, 1), np.float32)
        return (
            mb.gather(x=x, indices=y, axis=-3),
            mb.gather_along_axis(x=x, indices=along, axis=2),
            mb.gather_nd(x=x, indices=np.array([[1, 2], [0, last(3)]], np.int32)),
            mb.scatter(data=x, indices=np.array([last(4)], np.int32), updates=ones, axis=3, mode="sub"),
            mb.scatter_along_axis(data=x, indices=along, updates=np.full((2, 3, 1, 4), 70, np.float32), axis=2, mode="max"),
            mb.scatter_nd(data=x, indices=np.array([[1], [0]], np.int32), updates=X[::-1] * 2),
        )

    lowered, lifted = X.copy(), X.copy()
    lowered[..., 3] -= 1
    lifted[:, :, 4] = np.maximum(X[:, :, 4], 70)
    expected = gathered(X, INDICES, 1, 0), X[:, :, 4:], X[[1, 0], [2, 2]], lowered, lifted, 3 * X
    for answer, wanted in zip(run(body, x=X, y=INDICES, opset=opset), expected, strict=True):
        np.testing.assert_array_equal(answer, wanted)


def test_batches_and_types_of_ios17(run: Any) -> None:
    def body(x: Any, y: Any) -> Any:
        small = mb.cast(x=y, dtype="uint8")
        return (
            mb.gather(x=mb.cast(x=x, dtype="int16"), indices=small, axis=2, batch_dims=1, validate_indices=True),
            mb.gather_nd(x=x, indices=y, batch_dims=1),
        )

    of_rows, of_places = run(body, x=X, y=INDICES, opset=ct.target.iOS17)
    np.testing.assert_array_equal(of_rows, gathered(X, INDICES, 2, 1))
    np.testing.assert_array_equal(of_places, [X[0, 2, 0], X[1, 1, 1]])


AT = np.array([0, 3], np.int32)
DATA = {"data": X, "updates": np.zeros((2, 2, 5, 4), np.float32), "axis": 1}


@pytest.mark.parametrize(
    ("name", "given", "message"),
    [
        ("gather", {"x": X, "indices": AT, "axis": 1}, "position 3 is out of range for an axis of 3"),
        ("gather", {"x": X, "indices": -AT, "axis": 1}, "position -3 is out of range"),
        ("gather", {"x": X, "indices": -AT - 1, "axis": 1, "opset": IOS16}, "position -4 is out of range"),
        ("gather", {"x": X, "indices": AT, "axis": 4}, "no axis 4"),
        ("gather", {"x": X, "indices": AT, "axis": 0, "batch_dims": 1}, "the batch"),
        ("gather", {"x": X, "indices": AT[:1], "axis": 3, "batch_dims": 1}, "not the same 1 axes"),
        ("gather", {"x": X, "indices": AT, "axis": 3, "batch_dims": -1}, "not the same -1 axes"),
        ("gather", {"x": X, "indices": np.zeros((2**12, 2**12), np.int8)}, "more than"),
        ("gather_nd", {"x": X, "indices": AT[:, None]}, "position 3 is out of range"),
        ("gather_nd", {"x": X, "indices": np.zeros((1, 5), np.int32)}, "not of 1 to 4 positions"),
        ("gather_along_axis", {"x": X, "indices": np.zeros((2, 3, 5, 5), np.int32)}, "indices of shape"),
        ("gather_along_axis", {"x": X, "indices": np.full(X.shape, 2)}, "position 2 is out of range"),
        ("scatter", {**DATA, "indices": AT}, "position 3 is out of range"),
        ("scatter", {**DATA, "indices": AT[:1]}, "updates have shape"),
        ("scatter_nd", {"data": X, "updates": X, "indices": -AT[:, None]}, "position -3 is out of range"),
        ("scatter_nd", {"data": X, "updates": X, "indices": AT[:, None, None]}, "updates have shape"),
        ("scatter_along_axis", {"data": X, "updates": X, "indices": np.full(X.shape, -1)}, "position -1 is out of range"),
    ],
)
def test_what_is_out_of_range(compute: Any, name: str, given: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        compute(name, **{"opset": IOS17, **given})
