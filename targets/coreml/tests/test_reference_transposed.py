"""Transposed convolution against the definition: a convolution's gradient, each product at the place that its tap reads."""

from __future__ import annotations

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
Sizes = tuple[int, ...]


def numbers(*shape: int) -> Array:
    return np.random.default_rng(sum(shape)).standard_normal(shape).astype(np.float32)


def spread(x: Array, weight: Array, sizes: Sizes, before: Sizes, strides: Sizes, dilations: Sizes, groups: int) -> Array:
    """Pixel p of x meets tap t of the kernel at p * stride + t * dilation - before, where that is inside."""
    made = weight.shape[1]
    result = np.zeros((x.shape[0], made * groups, *sizes))
    for place, tap in product(np.ndindex(x.shape[2:]), np.ndindex(weight.shape[2:])):
        target = tuple(p * s + t * d - b for p, s, t, d, b in zip(place, strides, tap, dilations, before, strict=True))
        if any(not 0 <= at < size for at, size in zip(target, sizes, strict=True)):
            continue
        for n, channel in np.ndindex(x.shape[:2]):
            group = channel // (x.shape[1] // groups)
            outputs = slice(group * made, (group + 1) * made)
            result[(n, outputs, *target)] += x[(n, channel, *place)].astype(np.float64) * weight[(channel, slice(None), *tap)]
    return result


@st.composite
def cases(draw: st.DrawFn) -> dict[str, Any]:
    """Attributes that go together, and what they mean: the sizes of the result, and the padding before them."""
    axes = draw(st.integers(1, 3))
    limit = 5 - axes

    def each(low: int, high: int) -> Sizes:
        return tuple(draw(st.integers(low, high)) for _ in range(axes))

    groups, batch = draw(st.integers(1, 2)), draw(st.integers(1, 2))
    inputs, outputs = groups * draw(st.integers(1, 2)), draw(st.integers(1, 2))
    sizes, kernel, strides, dilations = each(1, limit), each(1, 3), each(1, 3), each(1, 2)
    reach = [(k - 1) * d + 1 for k, d in zip(kernel, dilations, strict=True)]
    full = tuple((size - 1) * s + r for size, s, r in zip(sizes, strides, reach, strict=True))
    pad_type = draw(st.sampled_from(["valid", "custom", "same", "same_of_a_shape"]))
    pads, made = [(0, 0)] * axes, full
    if pad_type == "custom":
        pads = [(b := draw(st.integers(0, size - 1)), draw(st.integers(0, size - 1 - b))) for size in full]
        made = tuple(size - b - a for size, (b, a) in zip(full, pads, strict=True))
    if pad_type.startswith("same"):
        made = tuple(size * s for size, s in zip(sizes, strides, strict=True))
        if pad_type == "same_of_a_shape":
            made = tuple(size - draw(st.integers(0, s - 1)) for size, s in zip(made, strides, strict=True))
        totals = (max((size - 1) * s + r - out, 0) for size, s, r, out in zip(sizes, strides, reach, made, strict=True))
        pads = [(total // 2, total - total // 2) for total in totals]
    return {
        "x": numbers(batch, inputs, *sizes),
        "weight": numbers(inputs, outputs, *kernel),
        "bias": numbers(groups * outputs) if draw(st.booleans()) else None,
        "strides": strides,
        "dilations": dilations,
        "groups": groups,
        "pad_type": pad_type.partition("_")[0],
        "pad": tuple(amount for pair in pads for amount in pair) if pad_type == "custom" else (),
        "output_shape": (batch, groups * outputs, *made) if pad_type == "same_of_a_shape" or draw(st.booleans()) else None,
        "made": made,
        "before": tuple(before for before, _ in pads),
    }


@given(cases())
def test_transposed_convolution(compute: Any, case: dict[str, Any]) -> None:
    made, before = case.pop("made"), case.pop("before")
    answer = compute("conv_transpose", **case)
    expected = spread(case["x"], case["weight"], made, before, case["strides"], case["dilations"], case["groups"])
    if case["bias"] is not None:
        expected = expected + case["bias"].reshape(-1, *[1] * len(made))
    assert answer.shape == expected.shape
    np.testing.assert_allclose(answer, expected, rtol=1e-5, atol=1e-5)


@given(cases())
def test_is_the_gradient_of_a_convolution(compute: Any, case: dict[str, Any]) -> None:
    """For every y: <conv(y), x> = <y, conv_transpose(x)>, with the convolution that the other tests hold against loops."""
    case.pop("made"), case.pop("before"), case.pop("bias"), case.pop("output_shape")
    image = compute("conv_transpose", **case)
    y = np.random.default_rng(1).standard_normal(image.shape).astype(np.float32)
    # the weight's [C_in, C_out / groups, ...] of the one is [C_out, C_in / groups, ...] of the other
    forward = compute("conv", **{**case, "x": y})
    assert forward.shape == case["x"].shape
    np.testing.assert_allclose(
        (forward * case["x"].astype(np.float64)).sum(), (y * image.astype(np.float64)).sum(), rtol=1e-3, atol=1e-3
    )


def test_default_attributes(compute: Any) -> None:
    x, weight = numbers(1, 2, 3, 4), numbers(2, 3, 2, 3)
    answer = compute("conv_transpose", x=x, weight=weight)
    np.testing.assert_allclose(answer, spread(x, weight, (4, 6), (0, 0), (1, 1), (1, 1), 1), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"pad_type": "same_lower"}, "same_lower"),
        ({"output_shape": (1, 3, 3, 4)}, "gives"),  # apple/coremltools#2281: the devices disagree
        ({"output_shape": (1, 2, 4, 6)}, "N and C"),
        ({"pad_type": "custom", "pad": (1, 0, 1, 0), "output_shape": (1, 3, 4, 6)}, "gives"),
        ({"pad_type": "custom", "pad": (1, 0)}, "two numbers"),
        ({"pad_type": "same", "strides": (2, 2), "output_shape": (1, 3, 4, 8)}, "does not take"),
        ({"strides": (1,)}, "zip"),
        ({"strides": (2**15, 2**15)}, "elements"),
        ({"strides": (2**15, 2**15), "pad_type": "same"}, "elements"),
    ],
    ids=str,
)
def test_refuses_what_is_not_documented(compute: Any, given: dict[str, Any], message: str) -> None:
    with pytest.raises((ValueError, RuntimeError), match=message):
        compute("conv_transpose", x=numbers(1, 2, 3, 4), weight=numbers(2, 3, 2, 3), **given)


@pytest.mark.parametrize("shape", [(1, 2), (1, 2, 2, 2, 2, 2)], ids=str)
@pytest.mark.parametrize("name", ["conv", "conv_transpose"])
def test_refuses_other_ranks(compute: Any, name: str, shape: Sizes) -> None:
    with pytest.raises(ValueError, match="axes"):
        compute(name, x=numbers(*shape), weight=numbers(*shape))


def test_in_a_package(run: Any) -> None:
    """Constants bound, and a weight that is computed, which iOS 17 allows."""
    x, weight, bias = numbers(1, 4, 3, 2), numbers(4, 3, 3, 2), numbers(6)
    half = numbers(4, 1, 1, 2).astype(np.float16)

    def body(x: Any) -> Any:
        given = {"strides": [2, 3], "dilations": [1, 2], "groups": 2, "bias": bias}
        return (
            mb.conv_transpose(x=x, weight=weight, pad_type="custom", pad=[0, 1, 2, 0], **given),
            mb.conv_transpose(x=x, weight=weight, pad_type="same", output_shape=[1, 6, 5, 6], **given),
            mb.conv_transpose(x=x, weight=mb.identity(x=half)),
        )

    custom, same, computed = run(body, opset=ct.target.iOS17, x=x)
    by_channel = bias.reshape(6, 1, 1)
    np.testing.assert_allclose(custom, spread(x, weight, (6, 4), (0, 2), (2, 3), (1, 2), 2) + by_channel, rtol=1e-5, atol=1e-5)
    assert ceil(5 / 2) == x.shape[2]  # which is why the shape has to be said
    np.testing.assert_allclose(same, spread(x, weight, (5, 6), (1, 0), (2, 3), (1, 2), 2) + by_channel, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(computed, spread(x, half, (3, 3), (0, 0), (1, 1), (1, 1), 1), rtol=1e-5, atol=1e-5)
