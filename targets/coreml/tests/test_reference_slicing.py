"""Slices against numpy's, and what is refused."""

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
Slicing = tuple[tuple[int, ...], dict[str, tuple[Any, ...]], tuple[Any, ...]]

X = np.arange(120, dtype=np.float32).reshape(2, 3, 5, 4)


@st.composite
def slicings(draw: st.DrawFn) -> Slicing:
    """A shape, the inputs of slice_by_index, and the same as numpy's index."""
    shape = draw(st.lists(st.integers(1, 6), min_size=1, max_size=4))
    axes = [draw(slices(size)) for size in shape]
    names = ("begin", "end", "stride", "begin_mask", "end_mask", "squeeze_mask")
    index = tuple(
        (0 if from_start else first) if picked else slice(None if from_start else first, None if to_end else last, step)
        for first, last, step, from_start, to_end, picked in axes
    )
    return tuple(shape), dict(zip(names, zip(*axes, strict=True), strict=True)), index


@st.composite
def slices(draw: st.DrawFn, size: int) -> tuple[int, int, int, bool, bool, bool]:
    first, last = draw(st.integers(-size, size - 1)), draw(st.integers(-size - 2, size + 2))
    step = draw(st.sampled_from([1, 2, 3, -1, -2]))
    if (min(first, last) >= 0 and step > 0) or (max(first, last) < 0 and step < 0):
        first, last = sorted((first, last), reverse=step < 0)  # the other way round they are refused
        first = min(first, size - 1)
    return first, last, step, draw(st.booleans()), draw(st.booleans()), draw(st.integers(0, 3)) == 0


@given(slicings(), st.sampled_from([np.float32, np.int32, np.uint16, np.bool_]))
@settings(max_examples=300)
def test_slices_are_those_of_numpy(compute: Any, slicing: Slicing, dtype: type) -> None:
    shape, given, index = slicing
    x: Array = (np.arange(np.prod(shape)) * 7 % 11).reshape(shape).astype(dtype)
    answer = compute("slice_by_index", x=x, **given)
    assert answer.dtype == dtype
    np.testing.assert_array_equal(answer, x[index])


@given(slicings(), st.sampled_from([np.float32, np.uint16]))
@settings(max_examples=300)
def test_updates_are_those_of_numpy(compute: Any, slicing: Slicing, dtype: type) -> None:
    shape, given, index = slicing
    x: Array = np.arange(np.prod(shape)).reshape(shape).astype(dtype)
    update: Array = np.asarray(x[index] + 1000, dtype)
    if not update.ndim:
        with pytest.raises(ValueError, match=r"an update of shape \[\]"):
            compute("slice_update", x=x, update=update, **given)
        return
    before, expected = x.copy(), x.copy()
    expected[index] = update
    np.testing.assert_array_equal(compute("slice_update", x=x, update=update, **given), expected)
    np.testing.assert_array_equal(x, before)


@given(st.data(), st.lists(st.integers(1, 6), min_size=1, max_size=4))
@settings(max_examples=200)
def test_slices_by_size(compute: Any, data: st.DataObject, shape: list[int]) -> None:
    x = np.arange(np.prod(shape), dtype=np.int32).reshape(shape)
    begin = tuple(data.draw(st.integers(-size, size - 1)) for size in shape)
    rest = [-first if first < 0 else size - first for first, size in zip(begin, shape, strict=True)]
    size = tuple(data.draw(st.one_of(st.integers(1, left), st.just(-1))) for left in rest)
    starts = [first % there for first, there in zip(begin, shape, strict=True)]
    expected = x[tuple(slice(s, None if n == -1 else s + n) for s, n in zip(starts, size, strict=True))]
    np.testing.assert_array_equal(compute("slice_by_size", x=x, begin=begin, size=size), expected)


@given(st.data(), st.tuples(st.integers(1, 3), st.integers(1, 6), st.integers(1, 6)))
@settings(max_examples=100)
def test_crops(compute: Any, data: st.DataObject, shape: tuple[int, int, int]) -> None:
    x = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    (top, height), (left, width) = ((data.draw(st.integers(0, n - 1)), n) for n in shape[1:])
    bottom, right = data.draw(st.integers(0, height - top - 1)), data.draw(st.integers(0, width - left - 1))
    answer = compute("crop", x=x, crop_height=(top, bottom), crop_width=(left, right))
    np.testing.assert_array_equal(answer, x[:, top : height - bottom, left : width - right])


def test_slices_in_a_package(run: Any) -> None:
    def body(x: Any, y: Any) -> Any:
        return (
            mb.slice_by_index(x=x, begin=[0, -2, 1, 3], end=[1, 3, -1, 0], stride=[1, 1, 2, -1]),
            mb.slice_by_size(x=x, begin=[0, 1, 2, 1], size=[-1, 2, 2, -1]),
            mb.slice_update(
                x=x, update=y, begin=[0, 2, 0, 3], end=[2, 0, 0, 0], stride=[1, -1, 3, -2], end_mask=[False] * 2 + [True] * 2
            ),
            mb.crop(x=x, crop_height=[1, 2], crop_width=[0, 3]),
        )

    y = np.arange(-16, 0, dtype=np.float32).reshape(2, 2, 2, 2)
    updated = X.copy()
    updated[0:2, 2:0:-1, 0::3, 3::-2] = y
    expected = X[0:1, -2:3, 1:-1:2, 3:0:-1], X[:, 1:3, 2:4, 1:], updated, X[:, :, 1:3, :1]
    for answer, wanted in zip(run(body, x=X, y=y, opset=ct.target.iOS18), expected, strict=True):
        np.testing.assert_array_equal(answer, wanted)


def test_a_computed_begin(run: Any) -> None:
    begin, end = np.array([1, 0, -4, 3], np.int32), np.array([2, 2, 5, 1], np.int32)
    (answer,) = run(lambda x, y: mb.slice_by_index(x=X, begin=x, end=y, stride=[1, 1, 2, -1]), x=begin, y=end)
    np.testing.assert_array_equal(answer, X[1:2, 0:2, -4:5:2, 3:1:-1])


LINE = np.arange(5, dtype=np.float32)


@pytest.mark.parametrize(
    ("name", "given", "message"),
    [
        ("slice_by_index", {"begin": (5,), "end": (0,), "squeeze_mask": (True,)}, "no position 5"),
        ("slice_by_index", {"begin": (-6,), "end": (0,), "squeeze_mask": (True,)}, "no position -6"),
        ("slice_by_index", {"begin": (3,), "end": (1,)}, "from 3 to 1"),
        ("slice_by_index", {"begin": (-3,), "end": (-1,), "stride": (-1,)}, "from -3 to -1"),
        ("slice_by_index", {"begin": (0,), "end": (1,), "stride": (0,)}, "zero"),
        ("slice_by_index", {"begin": (0, 0), "end": (1, 1)}, "for each of 1 axes"),
        ("slice_by_index", {"begin": (0,), "end": (1, 1)}, "for each of 1 axes"),
        ("slice_by_index", {"begin": (0,), "end": (1,), "end_mask": (True, True)}, "for each of 1 axes"),
        ("slice_update", {"begin": (0,), "end": (2,), "update": LINE[:1]}, "an update of shape"),
        ("slice_by_size", {"begin": (3,), "size": (3,)}, "no 3 elements"),
        ("slice_by_size", {"begin": (-6,), "size": (-1,)}, "no -1 elements"),
        ("slice_by_size", {"begin": (6,), "size": (-1,)}, "no -1 elements"),
        ("slice_by_size", {"begin": (0,), "size": (-2,)}, "no -2 elements"),
        ("slice_by_size", {"begin": (0, 0), "size": (1, 1)}, "for each of 1 axes"),
        ("crop", {"crop_height": (0, 0), "crop_width": (0, 0)}, "of 1 axes"),
        ("crop", {"x": X, "crop_height": (3, 2), "crop_width": (0, 0)}, "leaves none"),
        ("crop", {"x": X, "crop_height": (-1, 0), "crop_width": (0, 0)}, "-1"),
    ],
)
def test_what_is_no_slice(compute: Any, name: str, given: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        compute(name, **{"x": LINE, **given})
