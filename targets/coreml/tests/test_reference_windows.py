"""Convolution and pooling against loops over every window."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import product
from math import ceil
from typing import Any

import numpy as np
import pytest
from coremltools.converters.mil import Builder as mb  # noqa: N813 (its name in coremltools' documentation)
from numpy.typing import NDArray

Array = NDArray[Any]
Pads = list[tuple[int, int]]


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


def pooled(x: Array, kernel: Sequence[int], strides: Sequence[int], pads: Pads, reduce: Callable[[Array], Any]) -> Array:
    """`pads` of zeros that are NaN here, so that `reduce` can tell them from pixels."""
    x = np.pad(x.astype(np.float64), [(0, 0), (0, 0), *pads], constant_values=np.nan)
    places = list(windows(x.shape[2:], kernel, strides))
    result = np.zeros((*x.shape[:2], *[last + 1 for last in places[-1][0]]))
    for (place, window), n, channel in product(places, range(x.shape[0]), range(x.shape[1])):
        result[(n, channel, *place)] = reduce(x[(n, channel, *window)])
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
    for name, (_, _, given, pads) in cases.items():
        ones = [1] * (len(shape) - 2)
        strides, dilations = given.get("strides", ones), given.get("dilations", ones)
        expected = convolved(x, weights[name], biases[name], strides, pads, dilations, given.get("groups", 1))
        assert answers[name].shape == expected.shape, name
        np.testing.assert_allclose(answers[name], expected, rtol=1e-5, atol=1e-5, err_msg=name)


def test_convolution_with_a_computed_weight(run: Any, random: np.random.Generator) -> None:
    x = random.standard_normal((1, 2, 5, 4)).astype(np.float32)
    w = random.standard_normal((3, 2, 2, 2)).astype(np.float32)
    (answer,) = run(lambda x, w: mb.conv(x=x, weight=w), x=x, w=w)
    np.testing.assert_allclose(answer, convolved(x, w, np.zeros(3), (1, 1), [(0, 0)] * 2, (1, 1), 1), rtol=1e-5, atol=1e-5)


# arguments, padding that counts, padding that ceil_mode adds
POOLS: dict[str, tuple[dict[str, Any], Pads, Pads]] = {
    "valid": ({"kernel_sizes": [3, 2], "strides": [2, 2], "pad_type": "valid"}, [(0, 0), (0, 0)], [(0, 0), (0, 0)]),
    "stride_1": ({"kernel_sizes": [2, 3], "pad_type": "valid"}, [(0, 0), (0, 0)], [(0, 0), (0, 0)]),
    "same": ({"kernel_sizes": [3, 2], "strides": [2, 2], "pad_type": "same"}, [(1, 1), (0, 0)], [(0, 0), (0, 0)]),
    "same_lower": (
        {"kernel_sizes": [2, 3], "strides": [1, 2], "pad_type": "same_lower"},
        [(1, 0), (1, 0)],
        [(0, 0), (0, 0)],
    ),
    "custom": (
        {"kernel_sizes": [3, 3], "strides": [2, 1], "pad_type": "custom", "pad": [0, 1, 2, 1]},
        [(0, 1), (2, 1)],
        [(0, 0), (0, 0)],
    ),
    "ceil": (
        {"kernel_sizes": [2, 3], "strides": [2, 2], "pad_type": "valid", "ceil_mode": True},
        [(0, 0), (0, 0)],
        [(0, 1), (0, 1)],
    ),
    "ceil_padded": (
        {"kernel_sizes": [3, 3], "strides": [3, 2], "pad_type": "custom", "pad": [1, 1, 1, 1], "ceil_mode": True},
        [(1, 1), (1, 1)],
        [(0, 0), (0, 1)],
    ),
}
SIZES = (7, 6)


@pytest.fixture(scope="module")
def image(random: np.random.Generator) -> Array:
    return (random.standard_normal((2, 3, *SIZES)) - 2).astype(np.float32)  # mostly negative: a zero would be a maximum


def extended(counted: Pads, added: Pads) -> Pads:
    return [(before, after + more) for (before, after), (_, more) in zip(counted, added, strict=True)]


def test_max_pool(family: Any, image: Array) -> None:
    def body(name: str) -> Callable[[Any], Any]:
        return lambda x: mb.max_pool(x=x, **POOLS[name][0])

    answers = family({name: body(name) for name in POOLS}, x=image)
    for name, (given, counted, added) in POOLS.items():
        strides = given.get("strides", [1, 1])
        expected = pooled(image, given["kernel_sizes"], strides, extended(counted, added), np.nanmax)
        assert answers[name].shape == expected.shape, name
        np.testing.assert_array_equal(answers[name], expected, err_msg=name)


def zeros_mean(window: Array) -> float:
    """Padding is a pixel of zero, and so is what ceil_mode adds (apple/coremltools#2772)."""
    return float(np.nansum(window) / window.size)


@pytest.mark.parametrize("excluded", [True, False], ids=["excluding_padding", "counting_padding"])
def test_avg_pool(family: Any, image: Array, excluded: bool) -> None:
    def body(name: str) -> Callable[[Any], Any]:
        return lambda x: mb.avg_pool(x=x, exclude_padding_from_average=excluded, **POOLS[name][0])

    answers = family({name: body(name) for name in POOLS}, x=image)
    for name, (given, counted, added) in POOLS.items():
        pads = extended(counted, added)
        mean = np.nanmean if excluded else zeros_mean
        expected = pooled(image, given["kernel_sizes"], given.get("strides", [1, 1]), pads, mean)
        assert answers[name].shape == expected.shape, name
        np.testing.assert_allclose(answers[name], expected, rtol=1e-5, err_msg=name)


def test_pools_over_one_and_three_axes(run: Any, random: np.random.Generator) -> None:
    line = random.standard_normal((1, 2, 9)).astype(np.float32)
    (mean,) = run(lambda x: mb.avg_pool(x=x, kernel_sizes=[4], strides=[2], pad_type="same"), x=line)
    padded = np.pad(line, [(0, 0), (0, 0), *same((9,), (4,), (2,))])
    np.testing.assert_allclose(mean, pooled(padded, (4,), (2,), [(0, 0)], np.mean), rtol=1e-5, atol=1e-6)
    cube = random.standard_normal((1, 2, 5, 4, 6)).astype(np.float32)
    (top,) = run(lambda x: mb.max_pool(x=x, kernel_sizes=[2, 2, 3], strides=[2, 1, 2], pad_type="valid"), x=cube)
    np.testing.assert_array_equal(top, pooled(cube, (2, 2, 3), (2, 1, 2), [(0, 0)] * 3, np.max))
