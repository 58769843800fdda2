"""What integers become: signs, overflow, division, and conversion between types, against Python's own integers."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import coremltools as ct
import numpy as np
import pytest
from coremltools.converters.mil import Builder as mb  # noqa: N813 (its name in coremltools' documentation)
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

Array = NDArray[Any]
LOWEST, HIGHEST = -(2**31), 2**31 - 1
INT32 = st.integers(LOWEST, HIGHEST)


def wrapped(value: int) -> int:
    return (value - LOWEST) % 2**32 + LOWEST


def ints(*values: int) -> Array:
    return np.array(values, np.int32)


BINARY: dict[str, Callable[[int, int], int]] = {
    "add": lambda x, y: x + y,
    "sub": lambda x, y: x - y,
    "mul": lambda x, y: x * y,
    "maximum": max,
    "minimum": min,
    "equal": lambda x, y: x == y,
    "not_equal": lambda x, y: x != y,
    "less": lambda x, y: x < y,
    "less_equal": lambda x, y: x <= y,
    "greater": lambda x, y: x > y,
    "greater_equal": lambda x, y: x >= y,
}
DIVISIONS: dict[str, Callable[[int, int], int]] = {
    "floor_div": lambda x, y: x // y,
    "real_div": lambda x, y: int(Fraction(x, y)),
}


@pytest.mark.parametrize("name", BINARY)
@given(x=INT32, y=INT32 | st.integers(-3, 3))
def test_arithmetic_wraps_around(compute: Any, name: str, x: int, y: int) -> None:
    assert compute(name, x=ints(x), y=ints(y)).tolist() == [wrapped(BINARY[name](x, y))]


@pytest.mark.parametrize("name", DIVISIONS)
@given(x=INT32 | st.integers(-9, 9), y=st.integers(-9, 9).filter(bool) | INT32.filter(bool))
def test_division(compute: Any, name: str, x: int, y: int) -> None:
    assert compute(name, x=ints(x), y=ints(y)).tolist() == [wrapped(DIVISIONS[name](x, y))]


@pytest.mark.parametrize("name", DIVISIONS)
def test_division_that_a_processor_traps(compute: Any, name: str) -> None:
    for dtype in (np.int32, np.int64):
        lowest = np.array([np.iinfo(dtype).min], dtype)
        assert compute(name, x=lowest, y=np.array([-1], dtype)).tolist() == lowest.tolist()
        assert compute("mod", x=lowest, y=np.array([-1], dtype)).tolist() == [0]


@given(x=st.integers(-50, 50), y=st.integers(-9, 9).filter(bool))
def test_remainder(compute: Any, x: int, y: int) -> None:
    if x % y and (x < 0) != (y < 0):
        with pytest.raises(ValueError, match="different signs"):
            compute("mod", x=ints(x), y=ints(y))
    else:
        assert compute("mod", x=ints(x), y=ints(y)).tolist() == [x % y]


@pytest.mark.parametrize(("x", "y"), [(5.5, -2.0), (-5.5, 2.0)])
def test_remainder_of_floats_with_different_signs_is_refused(compute: Any, x: float, y: float) -> None:
    with pytest.raises(ValueError, match="different signs"):
        compute("mod", x=np.array([x], np.float32), y=np.array([y], np.float32))


@given(x=st.integers(-12, 12), y=st.integers(0, 40))
def test_power_wraps_around(compute: Any, x: int, y: int) -> None:
    assert compute("pow", x=ints(x), y=ints(y)).tolist() == [wrapped(x**y)]


@given(x=st.lists(INT32, min_size=1, max_size=4))
def test_functions_of_one(compute: Any, x: list[int]) -> None:
    values = ints(*x)
    assert compute("abs", x=values).tolist() == [wrapped(abs(each)) for each in x]
    assert compute("square", x=values).tolist() == [wrapped(each * each) for each in x]
    assert compute("sign", x=values).tolist() == [(each > 0) - (each < 0) for each in x]
    threshold = compute("threshold", x=values, alpha=7.0)
    assert threshold.dtype == np.int32
    assert threshold.tolist() == [max(each, 7) for each in x]


def test_powers_of_two(compute: Any) -> None:
    assert compute("exp2", x=ints(*range(31))).tolist() == [2**power for power in range(31)]


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("exp2", {"x": ints(-1)}),
        ("exp2", {"x": ints(31)}),
        ("pow", {"x": ints(3), "y": ints(-1)}),
        ("real_div", {"x": ints(3, 3), "y": ints(1, 0)}),
        ("floor_div", {"x": ints(3), "y": ints(0)}),
        ("mod", {"x": ints(3), "y": ints(0)}),
    ],
)
def test_refuses_what_is_no_integer(compute: Any, name: str, values: dict[str, Array]) -> None:
    with pytest.raises(ValueError, match=r"power|divided by zero"):
        compute(name, **values)


def test_integers_stay_integers(run: Any) -> None:
    """In a package, with constants."""
    x = ints(3, -4, 5)
    doubled, halved, floor = run(lambda x: (mb.mul(x=x, y=2), mb.real_div(x=x, y=2), mb.floor_div(x=x, y=2)), x=x)
    assert doubled.dtype == halved.dtype == floor.dtype == np.int32
    assert (doubled.tolist(), halved.tolist(), floor.tolist()) == ([6, -8, 10], [1, -2, 2], [1, -2, 2])


TYPES: dict[str, Any] = {"int8": np.int8, "uint8": np.uint8, "int16": np.int16, "uint16": np.uint16, "int32": np.int32}


@pytest.mark.parametrize("dtype", TYPES)
@given(data=st.data())
def test_cast_of_floats_drops_the_fraction(compute: Any, dtype: str, data: st.DataObject) -> None:
    limits = np.iinfo(TYPES[dtype])
    x = data.draw(
        st.floats(limits.min - 0.99, limits.max + 0.99, width=64)
        .map(np.float32)
        .filter(lambda x: limits.min - 1 < float(x) < limits.max + 1)
    )
    result = compute("cast", x=np.array([x], np.float32), dtype=dtype)
    assert result.dtype == TYPES[dtype]
    assert result.tolist() == [int(x)]


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "uint16"])
def test_cast_of_floats_drops_a_fraction_beyond_the_limits(compute: Any, dtype: str) -> None:
    lowest, highest = int(np.iinfo(TYPES[dtype]).min), int(np.iinfo(TYPES[dtype]).max)
    assert compute("cast", x=np.array([lowest - 0.5, highest + 0.5], np.float32), dtype=dtype).tolist() == [lowest, highest]


@pytest.mark.parametrize("dtype", TYPES)
def test_cast_of_floats_that_do_not_fit_is_refused(compute: Any, dtype: str) -> None:
    limits = np.iinfo(TYPES[dtype])
    for value in (limits.max + 1.0, np.nextafter(np.float32(limits.min - 1.0), np.float32("-inf")), np.nan, np.inf):
        with pytest.raises(ValueError, match=dtype):
            compute("cast", x=np.array([0, value], np.float32), dtype=dtype)


@pytest.mark.parametrize("source", TYPES)
@pytest.mark.parametrize("target", [*TYPES, "fp16", "fp32", "bool"])
@given(data=st.data())
def test_cast_of_integers_keeps_the_lowest_bits(compute: Any, source: str, target: str, data: st.DataObject) -> None:
    limits = np.iinfo(TYPES[source])
    x = data.draw(st.integers(int(limits.min), int(limits.max)))
    result = compute("cast", x=np.array([x], TYPES[source]), dtype=target)
    if target == "bool":
        assert result.tolist() == [x != 0]
    elif target in TYPES:
        bits, lowest = np.iinfo(TYPES[target]).bits, int(np.iinfo(TYPES[target]).min)
        assert result.dtype == TYPES[target]
        assert result.tolist() == [(x - lowest) % 2**bits + lowest]
    else:
        assert result.dtype == np.float32
        assert result.tolist() == [float(np.float32(x))]


@pytest.mark.parametrize("target", ["fp32", *TYPES])
def test_cast_of_truth_values(compute: Any, target: str) -> None:
    assert compute("cast", x=np.array([False, True]), dtype=target).tolist() == [0, 1]


def test_cast_of_floats_to_truth_values(compute: Any) -> None:
    x = np.array([0.0, -0.0, 0.25, np.nan, -np.inf], np.float32)
    assert compute("cast", x=x, dtype="bool").tolist() == [False, False, True, True, True]


def test_cast_of_nothing(compute: Any) -> None:
    assert compute("cast", x=np.zeros((0, 3), np.float32), dtype="int8").shape == (0, 3)


def test_casts_in_a_package(run: Any) -> None:
    x = np.array([-1.75, 2.5, 65520.0], np.float32)

    def body(x: Any) -> Any:
        small = mb.cast(x=mb.cast(x=mb.clip(x=x, alpha=-3.0, beta=100.0), dtype="int8"), dtype="int32")
        short = mb.cast(x=mb.cast(x=mb.abs(x=x), dtype="uint16"), dtype="fp32")
        return small, short, mb.cast(x=x, dtype="fp16")

    small, short, half = run(body, mode="float16", opset=ct.target.iOS17, x=x)
    assert small.tolist() == [-1, 2, 100]
    assert short.tolist() == [1, 2, 65520]
    assert half.tolist() == [-1.75, 2.5, np.inf]  # the largest float16 is 65504
