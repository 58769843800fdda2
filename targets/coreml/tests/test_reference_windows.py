"""Convolution against loops over every window."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import product
from math import ceil
from typing import Any

import coremltools as ct
import numpy as np
import pytest
from coremltools.converters.mil import Builder as mb  # noqa: N813 (its name in coremltools' documentation)
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

Array = NDArray[Any]
Pads = list[tuple[int, int]]


def numbers(*shape: int) -> Array:
    return np.random.default_rng(sum(shape)).standard_normal(shape).astype(np.float32)


def same(sizes: Sequence[int], kernel: Sequence[int], strides: Sequence[int], *, lower: bool = False) -> Pads:
    """The padding for which the result has ceil(size / stride) pixels; the odd one after, or before if `lower`."""
    pads = []
    for size, window, stride in zip(sizes, kernel, strides, strict=True):
        total = max((ceil(size / stride) - 1) * stride + window - size, 0)
        small, large = total // 2, total - total // 2
        pads.append((large, small) if lower else (small, large))
    return pads


def windows(shape: Sequence[int], kernel: Sequence[int], strides: Sequence[int]) -> Iterator[tuple[Any, Any]]:
    """Place in the result, and slices of the padded input, of each window."""
    steps = [(size - window) // stride + 1 for size, window, stride in zip(shape, kernel, strides, strict=True)]
    for place in product(*map(range, steps)):
        yield (
            place,
            tuple(slice(p * s, p * s + k) for p, s, k in zip(place, strides, kernel, strict=True)),
        )


def convolved(
    x: Array, weight: Array, bias: Array, strides: Sequence[int], pads: Pads, dilations: Sequence[int], groups: int
) -> Array:
    x = np.pad(x.astype(np.float64), [(0, 0), (0, 0), *pads])
    outputs, inputs = weight.shape[0] // groups, weight.shape[1]
    reach = [(k - 1) * d + 1 for k, d in zip(weight.shape[2:], dilations, strict=True)]
    places = list(windows(x.shape[2:], reach, strides))
    result = np.zeros((x.shape[0], weight.shape[0], *[last + 1 for last in places[-1][0]]))
    taps = tuple(slice(None, None, d) for d in dilations)
    for (place, window), n, channel in product(places, range(x.shape[0]), range(weight.shape[0])):
        first = channel // outputs * inputs
        pixels = x[(n, slice(first, first + inputs), *window)][(slice(None), *taps)]
        result[(n, channel, *place)] = (pixels * weight[channel]).sum() + bias[channel]
    return result


CONVOLUTIONS: dict[str, tuple[tuple[int, ...], tuple[int, ...], dict[str, Any], Any]] = {
    # input shape, weight shape, arguments, padding that they mean
    "valid": ((2, 3, 7, 6), (4, 3, 3, 2), {"pad_type": "valid"}, [(0, 0), (0, 0)]),
    "pointwise": ((1, 4, 3, 5), (6, 4, 1, 1), {}, [(0, 0), (0, 0)]),
    "same_even_stride_2": ((1, 2, 8, 6), (3, 2, 3, 3), {"pad_type": "same", "strides": [2, 2]}, [(0, 1), (0, 1)]),
    "same_odd_stride_2": ((1, 2, 7, 5), (3, 2, 3, 3), {"pad_type": "same", "strides": [2, 2]}, [(1, 1), (1, 1)]),
    "same_even_kernel": ((1, 2, 5, 6), (3, 2, 2, 4), {"pad_type": "same"}, [(0, 1), (1, 2)]),
    "same_lower": ((1, 2, 8, 6), (3, 2, 3, 4), {"pad_type": "same_lower", "strides": [2, 1]}, [(1, 0), (2, 1)]),
    "same_dilated": ((1, 2, 9, 8), (2, 2, 3, 3), {"pad_type": "same", "dilations": [2, 3]}, [(2, 2), (3, 3)]),
    "custom_even": ((1, 2, 5, 6), (3, 2, 3, 3), {"pad_type": "custom", "pad": [1, 1, 2, 2]}, [(1, 1), (2, 2)]),
    "custom_uneven": (
        (1, 2, 5, 6),
        (3, 2, 3, 3),
        {"pad_type": "custom", "pad": [0, 2, 3, 1], "strides": [2, 3]},
        [(0, 2), (3, 1)],
    ),
    "pad_ignored_unless_custom": (
        (1, 2, 5, 6),
        (3, 2, 3, 3),
        {"pad_type": "valid", "pad": [1, 1, 1, 1]},
        [(0, 0), (0, 0)],
    ),
    "groups": ((2, 6, 5, 4), (4, 3, 2, 3), {"groups": 2}, [(0, 0), (0, 0)]),
    "depthwise": (
        (1, 4, 6, 5),
        (8, 1, 3, 3),
        {"groups": 4, "pad_type": "same", "strides": [2, 1]},
        [(0, 1), (1, 1)],
    ),
    "one_axis": ((2, 3, 9), (4, 3, 4), {"pad_type": "custom", "pad": [1, 2], "strides": [2]}, [(1, 2)]),
    "three_axes": (
        (1, 2, 4, 5, 3),
        (3, 2, 2, 3, 2),
        {"pad_type": "custom", "pad": [1, 0, 0, 1, 1, 1], "strides": [1, 2, 1]},
        [(1, 0), (0, 1), (1, 1)],
    ),
}


@pytest.mark.parametrize("has_bias", [True, False], ids=["bias", "no_bias"])
@pytest.mark.parametrize("shape", sorted({case[0] for case in CONVOLUTIONS.values()}), ids=str)
def test_convolution(family: Any, random: np.random.Generator, shape: tuple[int, ...], has_bias: bool) -> None:
    cases = {name: case for name, case in CONVOLUTIONS.items() if case[0] == shape}
    x = random.standard_normal(shape).astype(np.float32)
    weights = {name: random.standard_normal(case[1]).astype(np.float32) for name, case in cases.items()}
    biases = {name: random.standard_normal(case[1][0]).astype(np.float32) * has_bias for name, case in cases.items()}

    def body(name: str) -> Callable[[Any], Any]:
        given = {"bias": biases[name]} if has_bias else {}
        return lambda x: mb.conv(x=x, weight=weights[name], **given, **cases[name][2])

    answers = family({name: body(name) for name in cases}, x=x)
    for name, (_, _, arguments, pads) in cases.items():
        ones = [1] * (len(shape) - 2)
        strides, dilations = arguments.get("strides", ones), arguments.get("dilations", ones)
        expected = convolved(x, weights[name], biases[name], strides, pads, dilations, arguments.get("groups", 1))
        assert answers[name].shape == expected.shape, name
        np.testing.assert_allclose(answers[name], expected, rtol=1e-5, atol=1e-5, err_msg=name)


def test_convolution_with_a_computed_weight(run: Any, random: np.random.Generator) -> None:
    x = random.standard_normal((1, 2, 5, 4)).astype(np.float32)
    w = random.standard_normal((3, 2, 2, 2)).astype(np.float32)
    (answer,) = run(lambda x, w: mb.conv(x=x, weight=w), x=x, w=w)
    np.testing.assert_allclose(answer, convolved(x, w, np.zeros(3), (1, 1), [(0, 0)] * 2, (1, 1), 1), rtol=1e-5, atol=1e-5)


@st.composite
def attributes(draw: st.DrawFn) -> tuple[dict[str, Any], Pads]:
    """Inputs of a convolution that has at least one window, and the padding that they mean."""
    axes = draw(st.integers(1, 3))

    def each(low: int, high: int) -> list[int]:
        return [draw(st.integers(low, high)) for _ in range(axes)]

    groups, outputs, inputs = draw(st.integers(1, 3)), draw(st.integers(1, 2)), draw(st.integers(1, 2))
    kernel, strides, dilations = each(1, 3), each(1, 3), each(1, 2)
    reach = [(k - 1) * d + 1 for k, d in zip(kernel, dilations, strict=True)]
    pad_type = draw(st.sampled_from(["valid", "same", "same_lower", "custom"]))
    pads = [(0, 0)] * axes
    if pad_type == "custom":
        pads = [(draw(st.integers(0, 3)), draw(st.integers(0, 3))) for _ in range(axes)]
    least = [1 if pad_type.startswith("same") else max(r - b - a, 1) for r, (b, a) in zip(reach, pads, strict=True)]
    sizes = [size + draw(st.integers(0, 4 - axes)) for size in least]
    if pad_type.startswith("same"):
        pads = same(sizes, reach, strides, lower=pad_type == "same_lower")
    given = {
        "x": numbers(draw(st.integers(1, 2)), groups * inputs, *sizes),
        "weight": numbers(groups * outputs, inputs, *kernel),
        "bias": numbers(groups * outputs) if draw(st.booleans()) else None,
        "strides": tuple(strides),
        "pad_type": pad_type,
        "pad": tuple(amount for pair in pads for amount in pair) if pad_type == "custom" else (),
        "dilations": tuple(dilations),
        "groups": groups,
    }
    return given, pads


@given(attributes())
def test_every_attribute(compute: Any, case: tuple[dict[str, Any], Pads]) -> None:
    given, pads = case
    bias = np.zeros(len(given["weight"])) if given["bias"] is None else given["bias"]
    expected = convolved(given["x"], given["weight"], bias, given["strides"], pads, given["dilations"], given["groups"])
    answer = compute("conv", **given)
    assert answer.shape == expected.shape
    np.testing.assert_allclose(answer, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"pad_type": "custom", "pad": (1, 1)}, "two numbers"),
        ({"pad_type": "custom", "pad": (1, 1, -1, 0)}, "two numbers"),
        ({"strides": (1, 1, 1)}, "zip"),
        ({"strides": (0, 1)}, "stride"),
        ({"dilations": (2,)}, "zip"),
        ({"groups": 2}, "groups"),
        ({"bias": numbers(1)}, "bias"),
    ],
    ids=str,
)
def test_refuses_attributes_that_do_not_fit(compute: Any, given: dict[str, Any], message: str) -> None:
    with pytest.raises((ValueError, RuntimeError), match=message):
        compute("conv", x=numbers(1, 2, 5, 4), weight=numbers(3, 2, 2, 3), **given)


def test_float16_rounds_the_sum_once(run: Any) -> None:
    """2048 and one more: the next float16 is 2050. The products are summed in float32 before they are rounded."""
    x = np.ones((1, 2050, 1, 1), np.float16)
    weight = np.ones((1, 2050, 1, 1), np.float16)
    (answer,) = run(lambda x: mb.conv(x=x, weight=weight), mode="float16", x=x)
    assert answer.dtype == np.float16
    assert answer.item() == 2050


def test_a_weight_of_another_type(run: Any) -> None:
    """Since iOS 17 it may be float16 where x is float32."""
    x, weight = numbers(1, 2, 5, 4), numbers(3, 2, 2, 3).astype(np.float16)
    (answer,) = run(lambda x: mb.conv(x=x, weight=weight, bias=numbers(3).astype(np.float16)), opset=ct.target.iOS17, x=x)
    expected = convolved(x, weight.astype(np.float64), numbers(3).astype(np.float16), (1, 1), [(0, 0)] * 2, (1, 1), 1)
    assert answer.dtype == np.float32
    np.testing.assert_allclose(answer, expected, rtol=1e-5, atol=1e-5)
