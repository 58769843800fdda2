"""Reductions against numpy and scipy, over shapes, axes and types."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import coremltools as ct
import numpy as np
import pytest
from coremltools.converters.mil import Builder as mb  # noqa: N813 (its name in coremltools' documentation)
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray
from scipy import special

Array = NDArray[Any]
Reduce = Callable[..., Any]

REDUCTIONS: dict[str, Reduce] = {
    "reduce_mean": np.mean,
    "reduce_sum": np.sum,
    "reduce_prod": np.prod,
    "reduce_max": np.max,
    "reduce_min": np.min,
    "reduce_l1_norm": lambda x, **how: np.sum(np.abs(x), **how),
    "reduce_l2_norm": lambda x, **how: np.sqrt(np.sum(x * x, **how)),
    "reduce_sum_square": lambda x, **how: np.sum(x * x, **how),
    "reduce_log_sum": lambda x, **how: np.log(np.sum(x, **how)),
    "reduce_log_sum_exp": special.logsumexp,
}
POSITIVE = {"reduce_log_sum"}
WRAPPING = {"reduce_sum", "reduce_prod", "reduce_l1_norm", "reduce_sum_square", "reduce_max", "reduce_min"}


@st.composite
def axes_of(draw: st.DrawFn, rank: int) -> tuple[int, ...] | None:
    """None, none, or some, in any order, counted from either end."""
    if draw(st.booleans()):
        return None
    chosen = draw(st.lists(st.integers(0, rank - 1), unique=True))
    return tuple(axis - rank if draw(st.booleans()) else axis for axis in chosen)


SHAPES = arrays.array_shapes(max_dims=5, max_side=4)


@pytest.mark.parametrize("name", REDUCTIONS)
@given(shape=SHAPES, keep_dims=st.booleans(), data=st.data())
def test_reduction(compute: Any, name: str, shape: tuple[int, ...], keep_dims: bool, data: st.DataObject) -> None:
    bounds = (0.125, 3) if name in POSITIVE else (-1, 1) if name == "reduce_prod" else (-3, 3)
    x = data.draw(arrays.arrays(np.float32, shape, elements=st.floats(*bounds, width=32)))
    axes = data.draw(axes_of(len(shape)))
    answer = compute(name, x=x, axes=axes, keep_dims=keep_dims)
    expected = REDUCTIONS[name](x.astype(np.float64), axis=axes, keepdims=keep_dims)
    assert answer.dtype == np.float32
    assert answer.shape == np.shape(expected)
    np.testing.assert_allclose(answer, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", REDUCTIONS)
@given(shape=SHAPES, keep_dims=st.booleans(), data=st.data())
def test_reduction_of_integers(compute: Any, name: str, shape: tuple[int, ...], keep_dims: bool, data: st.DataObject) -> None:
    """Whole numbers exactly, whatever overflows; of the others, the fraction is lost."""
    bounds = (-(2**31), 2**31 - 1) if name in WRAPPING else (1, 1000) if name in POSITIVE else (-1000, 1000)
    x = data.draw(arrays.arrays(np.int32, shape, elements=st.integers(*bounds)))
    axes = data.draw(axes_of(len(shape)))
    answer = compute(name, x=x, axes=axes, keep_dims=keep_dims)
    if name in WRAPPING:
        exact = REDUCTIONS[name](x.astype(object), axis=axes, keepdims=keep_dims)
        expected = np.vectorize(lambda value: (value + 2**31) % 2**32 - 2**31, otypes=[object])(exact)
    else:
        expected = np.trunc(REDUCTIONS[name](x.astype(np.float64), axis=axes, keepdims=keep_dims))
    assert answer.dtype == np.int32
    assert answer.shape == np.shape(expected)
    np.testing.assert_array_equal(answer.astype(object), expected)


@pytest.mark.parametrize(("name", "choose"), [("reduce_argmax", max), ("reduce_argmin", min)])
@given(shape=SHAPES, keep_dims=st.booleans(), dtype=st.sampled_from(["int32", "uint16"]), data=st.data())
def test_position(
    compute: Any, name: str, choose: Any, shape: tuple[int, ...], keep_dims: bool, dtype: str, data: st.DataObject
) -> None:
    """The first of several equal ones."""
    x = data.draw(arrays.arrays(np.float32, shape, elements=st.integers(-3, 3).map(float)))
    axis = data.draw(st.integers(-len(shape), len(shape) - 1))
    answer = compute(name, x=x, axis=axis, keep_dims=keep_dims, output_dtype=dtype)
    rows = np.moveaxis(x, axis, -1)
    expected = np.array([row.tolist().index(choose(row.tolist())) for row in rows.reshape(-1, shape[axis])])
    expected = expected.reshape(rows.shape[:-1])
    assert answer.dtype == np.dtype(dtype)
    assert answer.tolist() == (np.expand_dims(expected, axis) if keep_dims else expected).tolist()


def test_log_sum_exp_does_not_overflow(compute: Any) -> None:
    x = np.array([[1000, 1000], [-1000, -1001]], np.float32)
    expected = [1000 + math.log(2), -1000 + math.log(1 + math.exp(-1))]
    assert compute("reduce_log_sum_exp", x=x, axes=(1,)).tolist() == pytest.approx(expected)


@pytest.mark.parametrize(
    ("name", "given", "message"),
    [
        ("reduce_sum", {"axes": (2,)}, "out of range"),
        ("reduce_prod", {"axes": (2,)}, "out of range"),
        ("reduce_prod", {"axes": (0, -2)}, "twice"),
        ("reduce_sum", {"axes": (0, -2)}, "multiple times"),
        ("reduce_argmax", {"axis": -3}, "out of range"),
    ],
)
def test_refuses_axes_that_are_not_there(compute: Any, name: str, given: dict[str, Any], message: str) -> None:
    with pytest.raises((ValueError, IndexError, RuntimeError), match=message):
        compute(name, x=np.ones((2, 3), np.float32), **given)


def test_refuses_integers_without_a_result(compute: Any) -> None:
    with pytest.raises(ValueError, match="int32"):
        compute("reduce_log_sum", x=np.array([-3, 1], np.int32))  # the logarithm of -2
    with pytest.raises(ValueError, match="int32"):
        compute("reduce_l2_norm", x=np.full(3, 2**31 - 1, np.int32))


def test_refuses_positions_beyond_uint16(compute: Any) -> None:
    x = np.arange(2**16 + 1, dtype=np.float32)
    assert compute("reduce_argmax", x=x[:-1], output_dtype="uint16").item() == 2**16 - 1
    with pytest.raises(ValueError, match="uint16"):
        compute("reduce_argmax", x=x, output_dtype="uint16")


X = np.random.default_rng(3).uniform(0.5, 2, (2, 3, 4, 5)).astype(np.float32)


@pytest.mark.parametrize("name", REDUCTIONS)
def test_in_a_package(family: Any, name: str) -> None:
    """Every way to name axes, and a result without any."""
    build = getattr(mb, name)
    answers = family(
        {
            "some": lambda x: build(x=x, axes=[-1, 1]),
            "kept": lambda x: build(x=x, axes=[-3], keep_dims=True),
            "all_kept": lambda x: build(x=x, keep_dims=True),
            "all": lambda x: mb.expand_dims(x=build(x=x), axes=[0]),
        },
        x=X,
    )
    reduce = REDUCTIONS[name]
    np.testing.assert_allclose(answers["some"], reduce(X.astype(np.float64), axis=(1, 3)), rtol=1e-5)
    np.testing.assert_allclose(answers["kept"], reduce(X.astype(np.float64), axis=1, keepdims=True), rtol=1e-5)
    assert answers["all_kept"].shape == (1, 1, 1, 1)
    np.testing.assert_allclose(answers["all_kept"].item(), reduce(X.astype(np.float64)), rtol=1e-5)
    np.testing.assert_allclose(answers["all"], [reduce(X.astype(np.float64))], rtol=1e-5)


def test_positions_in_a_package(run: Any) -> None:
    def body(x: Any) -> Any:
        short = mb.cast(x=mb.reduce_argmax(x=x, axis=-2, output_dtype="uint16"), dtype="int32")
        return mb.reduce_argmax(x=x, axis=1, keep_dims=True), mb.reduce_argmin(x=x), short

    largest, smallest, short = run(body, opset=ct.target.iOS17, x=X)
    np.testing.assert_array_equal(largest, np.argmax(X, 1)[:, None])
    np.testing.assert_array_equal(smallest, np.argmin(X, -1))
    np.testing.assert_array_equal(short, np.argmax(X, 2))
    assert largest.dtype == smallest.dtype == short.dtype == np.int32


def test_float16_is_rounded_once(run: Any) -> None:
    """The squares of float16 numbers would overflow; their sum's root does not."""
    x = np.array([300, 400], np.float16)
    total, norm = run(
        lambda x: (mb.reduce_sum_square(x=x, axes=[0], keep_dims=True), mb.reduce_l2_norm(x=x, axes=[0], keep_dims=True)),
        mode="float16",
        x=x,
    )
    assert total.tolist() == [math.inf]
    assert norm.tolist() == [500]
