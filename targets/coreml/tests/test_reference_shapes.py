"""Other shapes for the same values, against numpy."""

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
IOS16, IOS17 = 6, 7

X = np.arange(120, dtype=np.float32).reshape(2, 3, 5, 4)


@pytest.mark.parametrize(
    ("shape", "opset", "expected"),
    [
        ((4, -1, 5), IOS16, (4, 6, 5)),
        ((120,), IOS16, (120,)),
        ((0, 0, -1, 2), IOS16, (2, 3, 10, 2)),
        ((-1, 0, 0, 0), IOS16, (2, 3, 5, 4)),
        ((6, 0, 0), IOS17, (6, 5, 4)),
        ((0, -1, 0, 0, 0), IOS17, (1, 2, 3, 5, 4)),
        ((-1, 0), IOS17, (30, 4)),
    ],
)
def test_reshape(compute: Any, shape: tuple[int, ...], opset: int, expected: tuple[int, ...]) -> None:
    np.testing.assert_array_equal(compute("reshape", x=X, shape=shape, opset=opset), X.reshape(expected))


def test_the_example_in_the_documentation_of_ios17s_reshape(compute: Any) -> None:
    x = np.arange(100, dtype=np.float32).reshape(2, 50)
    answer = compute("reshape", x=x, shape=(1, 0, -1, 0), opset=IOS17)
    np.testing.assert_array_equal(answer, x.reshape(1, 1, 2, 50))
    with pytest.raises(ValueError, match="before iOS 17"):
        compute("reshape", x=x, shape=(1, 0, -1, 0), opset=IOS16)


def test_the_example_in_the_documentation_of_reshape_like(compute: Any) -> None:
    references = np.zeros((2, 3, 4)), np.zeros((1, 5, 6))
    x = np.arange(180, dtype=np.float32)
    answer = compute("reshape_like", x=x, ref_tensors=references, begins=(0, 1), ends=(2, 0), end_masks=(False, True))
    np.testing.assert_array_equal(answer, x.reshape(2, 3, 5, 6))


@given(st.lists(st.integers(1, 3), max_size=4), st.data())
@settings(max_examples=100)
def test_expand_and_squeeze(compute: Any, shape: list[int], data: st.DataObject) -> None:
    x = np.arange(np.prod(shape, dtype=int), dtype=np.uint16).reshape(shape)
    more = data.draw(st.integers(1, 2))
    rank = len(shape) + more
    places = data.draw(st.lists(st.integers(0, rank - 1), min_size=more, max_size=more, unique=True))
    axes = tuple(data.draw(st.sampled_from([place, place - rank])) for place in places)
    expanded = compute("expand_dims", x=x, axes=axes)
    rest = iter(shape)
    np.testing.assert_array_equal(expanded, x.reshape([1 if i in places else next(rest) for i in range(rank)]))
    np.testing.assert_array_equal(compute("squeeze", x=expanded, axes=axes), x)
    np.testing.assert_array_equal(compute("squeeze", x=expanded), x.reshape([size for size in shape if size > 1]))


def test_squeeze_leaves_what_is_not_single(compute: Any) -> None:
    """The documentation: as PyTorch, not as numpy."""
    x = X[:, :1]
    assert compute("squeeze", x=x, axes=(0, 1, -1)).shape == (2, 5, 4)


@pytest.mark.parametrize(
    ("shape", "axis", "expected"),
    [
        ((3,), -1, (1, 3)),
        ((3,), 1, (3, 1)),
        ((4, 3), -1, (4, 3)),
        ((2, 3, 2), -1, (6, 2)),
        ((5, 5, 2), 1, (5, 10)),
        ((5, 5, 2), 0, (1, 50)),
        ((5, 5, 2), 3, (50, 1)),
    ],
)
def test_flatten2d(compute: Any, shape: tuple[int, ...], axis: int, expected: tuple[int, int]) -> None:
    x = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    np.testing.assert_array_equal(compute("flatten2d", x=x, axis=axis), x.reshape(expected))


@pytest.mark.parametrize("x", [X, X > 3, np.zeros((), np.int32), np.zeros((2, 0), np.uint16)])
def test_shape(compute: Any, x: Array) -> None:
    answer = compute("shape", x=x)
    assert answer.dtype == np.int32
    assert answer.tolist() == list(x.shape)


def test_in_packages(run: Any) -> None:
    def body(x: Any, y: Any) -> Any:
        return (
            mb.reshape(x=x, shape=[0, 0, -1, 2]),
            mb.reshape(x=x, shape=y),
            mb.reshape_like(x=x, ref_tensors=(x, y), begins=(1, 0), ends=(2, 1), end_masks=(True, False)),
            mb.expand_dims(x=x, axes=[-2]),
            mb.squeeze(x=mb.reduce_max(x=x, axes=[1, 2], keep_dims=True), axes=[-2]),
            mb.squeeze(x=mb.reduce_max(x=x, axes=[1, 2], keep_dims=True)),
            mb.flatten2d(x=x, axis=-1),
            mb.flatten2d(x=x),
            mb.shape(x=x),
        )

    y = np.array([5, -1], np.int32)
    answers = run(body, x=X, y=y, opset=ct.target.iOS16)
    expected = (
        X.reshape(2, 3, 10, 2),
        X.reshape(5, 24),
        X.reshape(3, 5, 4, 2),
        X[:, :, :, None],
        X.max((1, 2))[:, None],
        X.max((1, 2)),
        X.reshape(30, 4),
        X.reshape(2, 60),
        [2, 3, 5, 4],
    )
    for answer, wanted in zip(answers, expected, strict=True):
        np.testing.assert_array_equal(answer, wanted)


def test_zeros_of_a_shape_count_from_the_right_since_ios17(run: Any) -> None:
    x = np.arange(100, dtype=np.float32).reshape(2, 50)
    (answer,) = run(lambda x: mb.reshape(x=x, shape=[1, 0, -1, 0]), opset=ct.target.iOS17, x=x)
    np.testing.assert_array_equal(answer, x.reshape(1, 1, 2, 50))


LIKE = {"ref_tensors": (X,), "begins": (0,), "ends": (2,), "end_masks": (False,)}


@pytest.mark.parametrize(
    ("name", "given", "message"),
    [
        ("reshape", {"shape": (-1, -1)}, "does not say"),
        ("reshape", {"shape": (-2, 60)}, "does not say"),
        ("reshape", {"shape": (7, -1)}, "does not fit"),
        ("reshape", {"shape": (2, 3, 5)}, "does not fit"),
        ("reshape", {"shape": ()}, "does not fit"),
        ("reshape", {"shape": (-1, 0), "x": X[:, :0, 0, 0]}, "does not say"),
        ("reshape", {"shape": (2**40, 2**40)}, "does not fit"),
        ("reshape_like", LIKE, "does not fit"),
        ("reshape_like", {**LIKE, "ends": (2, 3)}, "not one for each of 1 reference tensors"),
        ("expand_dims", {"axes": (5,)}, "no axis 5"),
        ("expand_dims", {"axes": (1, -5)}, "twice"),
        ("squeeze", {"axes": (4,)}, "no axis 4"),
        ("flatten2d", {"axis": 5}, "axis 5"),
        ("flatten2d", {"axis": -5}, "axis -5"),
    ],
)
def test_what_is_no_shape(compute: Any, name: str, given: dict[str, Any], message: str) -> None:
    opset = {"opset": IOS17} if name == "reshape" else {}
    with pytest.raises(ValueError, match=message):
        compute(name, **{"x": X, **opset, **given})
