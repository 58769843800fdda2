"""Joining, splitting, repeating and padding against numpy."""

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
X = np.arange(120, dtype=np.float32).reshape(2, 3, 5, 4)


@given(st.lists(st.integers(1, 3), min_size=1, max_size=3), st.lists(st.integers(1, 3), min_size=1, max_size=3), st.data())
@settings(max_examples=100)
def test_concat_and_split(compute: Any, shape: list[int], counts: list[int], data: st.DataObject) -> None:
    axis = data.draw(st.integers(-len(shape), len(shape) - 1))
    parts = []
    for i, count in enumerate(counts):
        sizes = list(shape)
        sizes[axis] = count
        parts.append(np.arange(np.prod(sizes), dtype=np.int32).reshape(sizes) + 100 * i)
    whole = np.concatenate(parts, axis)
    np.testing.assert_array_equal(compute("concat", values=tuple(parts), axis=axis), whole)
    num_splits = data.draw(st.sampled_from([None, len(counts)]))
    answers = compute("split", x=whole, axis=axis, split_sizes=tuple(counts), num_splits=num_splits)
    for answer, part in zip(answers, parts, strict=True):
        np.testing.assert_array_equal(answer, part)


@given(st.lists(st.integers(1, 3), max_size=3), st.integers(1, 4), st.data())
@settings(max_examples=100)
def test_stack_and_interleave(compute: Any, shape: list[int], count: int, data: st.DataObject) -> None:
    parts = [np.asarray(np.arange(np.prod(shape, dtype=int)).reshape(shape) + 100 * i, np.uint16) for i in range(count)]
    axis = data.draw(st.integers(-len(shape) - 1, len(shape)))
    np.testing.assert_array_equal(compute("stack", values=tuple(parts), axis=axis), np.stack(parts, axis))
    if shape:
        axis = data.draw(st.integers(-len(shape), len(shape) - 1))
        expected = np.empty([size * (count if i == axis % len(shape) else 1) for i, size in enumerate(shape)], np.uint16)
        for i, part in enumerate(parts):
            expected[(slice(None),) * (axis % len(shape)) + (slice(i, None, count),)] = part
        np.testing.assert_array_equal(compute("concat", values=tuple(parts), axis=axis, interleave=True), expected)


@given(st.lists(st.tuples(st.integers(1, 3), st.integers(1, 3)), min_size=1, max_size=4))
@settings(max_examples=50)
def test_tile(compute: Any, axes: list[tuple[int, int]]) -> None:
    shape, reps = zip(*axes, strict=True)
    x = np.arange(np.prod(shape), dtype=np.uint16).reshape(shape)
    np.testing.assert_array_equal(compute("tile", x=x, reps=reps), np.tile(x, reps))


@given(st.lists(st.integers(1, 4), min_size=1, max_size=4), st.sampled_from(["constant", "reflect", "replicate"]), st.data())
@settings(max_examples=150)
def test_pad(compute: Any, shape: list[int], mode: str, data: st.DataObject) -> None:
    padded = data.draw(st.integers(1, len(shape)))
    most = [{"constant": 3, "reflect": size - 1, "replicate": size}[mode] for size in shape[-padded:]]
    pads = [(data.draw(st.integers(0, limit)), data.draw(st.integers(0, limit))) for limit in most]
    x = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    answer = compute("pad", x=x, pad=tuple(np.ravel(pads).tolist()), mode=mode, constant_val=-2.5)
    everywhere = [(0, 0)] * (len(shape) - padded) + pads
    how: dict[str, Any] = {"constant_values": -2.5} if mode == "constant" else {}
    numpy_mode: Any = "edge" if mode == "replicate" else mode
    np.testing.assert_array_equal(answer, np.pad(x, everywhere, numpy_mode, **how))


def test_in_packages(run: Any) -> None:
    def body(x: Any, y: Any) -> Any:
        size = mb.slice_by_index(x=mb.shape(x=x), begin=[2], end=[0], squeeze_mask=[True])
        return (
            mb.concat(values=[x, x, np.ones((2, 3, 1, 4), np.float32)], axis=-2),
            mb.concat(values=[x, mb.mul(x=x, y=2.0)], axis=1, interleave=True),
            mb.concat(values=[size, np.int32(7), size], axis=0),
            mb.stack(values=[x, mb.mul(x=x, y=2.0)], axis=-1),
            mb.split(x=x, axis=-1, num_splits=2)[1],
            mb.split(x=x, axis=2, split_sizes=[1, 3, 1])[1],
            mb.tile(x=x, reps=[1, 2, 1, 3]),
            mb.tile(x=x, reps=y),
            mb.pad(x=x, pad=[1, 0, 2, 3], constant_val=-0.5),
            mb.pad(x=x, pad=[1, 2, 3, 0], mode="reflect"),
            mb.pad(x=x, pad=mb.concat(values=[y, y], axis=0), mode="replicate"),
        )

    y = np.array([1, 2, 1, 2], np.int32)
    expected = (
        np.concatenate([X, X, np.ones((2, 3, 1, 4))], 2),
        np.stack([X, 2 * X], 2).reshape(2, 6, 5, 4),
        [5, 7, 5],
        np.stack([X, 2 * X], -1),
        X[..., 2:],
        X[:, :, 1:4],
        np.tile(X, (1, 2, 1, 3)),
        np.tile(X, (1, 2, 1, 2)),
        np.pad(X, [(0, 0), (0, 0), (1, 0), (2, 3)], constant_values=-0.5),
        np.pad(X, [(0, 0), (0, 0), (1, 2), (3, 0)], mode="reflect"),
        np.pad(X, [(1, 2)] * 4, mode="edge"),
    )
    for answer, wanted in zip(run(body, x=X, y=y, opset=ct.target.iOS17), expected, strict=True):
        np.testing.assert_array_equal(answer, wanted)


ROWS = np.zeros((2, 6), np.float32)


@pytest.mark.parametrize(
    ("name", "given", "message"),
    [
        ("concat", {"values": (ROWS, ROWS[:1]), "axis": 1}, "do not fit together"),
        ("concat", {"values": (ROWS, ROWS[0]), "axis": 0}, "do not fit together"),
        ("concat", {"values": (ROWS, np.zeros(0, np.float32)), "axis": 0}, "do not fit together"),
        ("concat", {"values": (ROWS, ROWS[:, :3]), "axis": 1, "interleave": True}, "do not fit together"),
        ("concat", {"values": (ROWS,), "axis": 2}, "no axis 2"),
        ("concat", {"values": (np.zeros(2**20, np.int8),) * 2**9, "axis": 0}, "more than"),
        ("stack", {"values": (ROWS, ROWS[:1]), "axis": 0}, "do not fit together"),
        ("stack", {"values": (ROWS,), "axis": 3}, "no axis 3"),
        ("split", {"x": ROWS, "axis": 1}, "into None equal parts"),
        ("split", {"x": ROWS, "axis": 1, "num_splits": 4}, "into 4 equal parts"),
        ("split", {"x": ROWS, "axis": 1, "num_splits": 0}, "into 0 equal parts"),
        ("split", {"x": ROWS[:0], "axis": 0, "num_splits": 2**30}, "equal parts"),
        ("split", {"x": ROWS, "axis": 1, "num_splits": -2}, "into -2 equal parts"),
        ("split", {"x": ROWS, "axis": 1, "split_sizes": (3, 4)}, "into 2 parts"),
        ("split", {"x": ROWS, "axis": 1, "split_sizes": (7, -1)}, "into 2 parts"),
        ("split", {"x": ROWS, "axis": 1, "num_splits": 3, "split_sizes": (3, 3)}, "into 3 parts"),
        ("tile", {"x": ROWS, "reps": (2,)}, "for each of 2 axes"),
        ("tile", {"x": ROWS, "reps": (2, 0)}, "for each of 2 axes"),
        ("tile", {"x": ROWS, "reps": (2**20, 2**20)}, "more than"),
        ("pad", {"x": ROWS, "pad": (0, 0) * 3}, "at most 2 axes"),
        ("pad", {"x": ROWS, "pad": (1, -1)}, "two numbers from 0"),
        ("pad", {"x": ROWS, "pad": (1, 1, 1)}, "two numbers from 0"),
        ("pad", {"x": ROWS, "pad": (2, 0, 0, 0), "mode": "reflect"}, "by 1 with mode reflect"),
        ("pad", {"x": ROWS, "pad": (0, 7), "mode": "replicate"}, "by 6 with mode replicate"),
        ("pad", {"x": ROWS, "pad": (0, 2**40)}, "more than"),
    ],
)
def test_what_does_not_fit(compute: Any, name: str, given: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        compute(name, **given)
