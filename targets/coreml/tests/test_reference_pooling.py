"""Pooling against loops over the pixels of every window."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product
from math import ceil, prod, sqrt
from typing import Any

import numpy as np
import pytest
from coremltools.converters.mil import Builder as mb  # noqa: N813 (its name in coremltools' documentation)
from hypothesis import assume, given
from hypothesis import strategies as st
from numpy.typing import NDArray

Array = NDArray[Any]
Pads = list[tuple[int, int]]
Reduce = Callable[[list[float], int], float]
"""From the pixels of a window, and how many it would have without padding."""

REDUCE: dict[str, Reduce] = {
    "max_pool": lambda pixels, _: max(pixels),
    "l2_pool": lambda pixels, _: sqrt(sum(pixel * pixel for pixel in pixels)),
    "avg_pool": lambda pixels, area: sum(pixels) / area,
}
EXCLUDED: Reduce = lambda pixels, _: sum(pixels) / len(pixels)  # noqa: E731 (as the others)


def numbers(*shape: int) -> Array:
    """Mostly negative, so that a zero would be a maximum."""
    return np.random.default_rng(sum(shape)).standard_normal(shape).astype(np.float32) - 2


def pooled(x: Array, kernel: Sequence[int], strides: Sequence[int], pads: Pads, steps: Sequence[int], reduce: Reduce) -> Array:
    result = np.zeros((*x.shape[:2], *steps))
    for place in product(*map(range, steps)):
        starts = [p * stride - before for p, stride, (before, _) in zip(place, strides, pads, strict=True)]
        window = tuple(slice(max(start, 0), max(start + size, 0)) for start, size in zip(starts, kernel, strict=True))
        for n, channel in np.ndindex(x.shape[:2]):
            pixels = x[(n, channel, *window)].astype(np.float64).ravel().tolist()
            result[(n, channel, *place)] = reduce(pixels, prod(kernel))
    return result


def same(sizes: Sequence[int], kernel: Sequence[int], strides: Sequence[int], *, lower: bool) -> Pads:
    """The padding for which the result has ceil(size / stride) pixels; the odd one after, or before if `lower`."""
    totals = [max((ceil(n / s) - 1) * s + k - n, 0) for n, k, s in zip(sizes, kernel, strides, strict=True)]
    return [(total - total // 2, total // 2) if lower else (total // 2, total - total // 2) for total in totals]


def steps_of(sizes: Sequence[int], kernel: Sequence[int], strides: Sequence[int], pads: Pads, *, is_ceil: bool) -> list[int]:
    """How many windows there are along each axis, as the documentation of avg_pool counts them."""
    steps = []
    for size, window, stride, (before, after) in zip(sizes, kernel, strides, pads, strict=True):
        exact = (size + before + after - window) / stride
        step = ceil(exact) + 1 if is_ceil else int(exact // 1) + 1
        if is_ceil and before + after > 0 and (step - 1) * stride >= size + before:
            step -= 1
        steps.append(step)
    return steps


def is_empty(sizes: Sequence[int], kernel: Sequence[int], strides: Sequence[int], pads: Pads, steps: Sequence[int]) -> bool:
    """Say whether a window has no pixel."""
    return any(
        before >= window or (step - 1) * stride - before >= size
        for size, window, stride, (before, _), step in zip(sizes, kernel, strides, pads, steps, strict=True)
    )


@st.composite
def attributes(draw: st.DrawFn, most: int = 3) -> tuple[dict[str, Any], Pads, bool]:
    """Inputs of a pool that has at least one window, and the padding that they mean."""
    axes = draw(st.integers(1, most))

    def each(low: int, high: int) -> list[int]:
        return [draw(st.integers(low, high)) for _ in range(axes)]

    sizes, kernel, strides = each(1, 6 - axes), each(1, 3), each(1, 3)
    pad_type = draw(st.sampled_from(["valid", "same", "custom", *["same_lower"] * (axes > 1)]))
    is_ceil = not pad_type.startswith("same") and draw(st.booleans())
    pads = [(0, 0)] * axes
    if pad_type == "custom":
        pads = [(before := draw(st.integers(0, 3)), before if is_ceil else draw(st.integers(0, 3))) for _ in range(axes)]
    if pad_type.startswith("same"):
        pads = same(sizes, kernel, strides, lower=pad_type == "same_lower")
    assume(all(n + sum(pair) >= k for n, k, pair in zip(sizes, kernel, pads, strict=True)))
    given = {
        "x": numbers(draw(st.integers(1, 2)), 2, *sizes),
        "kernel_sizes": tuple(kernel),
        "strides": tuple(strides),
        "pad_type": pad_type,
        "pad": tuple(amount for pair in pads for amount in pair) if pad_type == "custom" else (),
        "ceil_mode": is_ceil,
    }
    return given, pads, is_ceil


@pytest.mark.parametrize("name", REDUCE)
@given(data=st.data())
def test_every_attribute(compute: Any, name: str, data: st.DataObject) -> None:
    given, pads, is_ceil = data.draw(attributes(2 if name == "l2_pool" else 3))
    is_excluded = name == "avg_pool" and data.draw(st.booleans())
    shape = given["x"].shape[2:], given["kernel_sizes"], given["strides"]
    steps = steps_of(*shape, pads, is_ceil=is_ceil)
    more = {"exclude_padding_from_average": True} if is_excluded else {}
    if is_empty(*shape, pads, steps) and (is_excluded or name == "max_pool"):
        with pytest.raises(ValueError, match="nothing but padding"):
            compute(name, **given, **more)
        return
    answer = compute(name, **given, **more)
    expected = pooled(given["x"], *shape[1:], pads, steps, EXCLUDED if is_excluded else REDUCE[name])
    assert answer.shape == expected.shape
    np.testing.assert_allclose(answer, expected, rtol=1e-5, atol=1e-6)


def test_core_ml_counts_what_ceil_mode_adds(compute: Any) -> None:
    """The figures of https://github.com/apple/coremltools/pull/2844, where Core ML differs from PyTorch."""
    x = np.arange(49, dtype=np.float32).reshape(1, 1, 7, 7)
    answer = compute("avg_pool", x=x, kernel_sizes=(2, 2), strides=(3, 3), pad_type="valid", ceil_mode=True)
    assert answer[0, 0].tolist() == [[4, 7, 4.75], [25, 28, 15.25], [21.25, 22.75, 12]]


def test_core_ml_results_of_l2_pool(compute: Any) -> None:
    """The figures of coremltools' own test against Core ML: mil/ops/tests/iOS14/test_pool.py."""
    x = np.array([[[[-10, -6], [-7, 9]], [[-3, 0], [11, 7]]]], np.float32)
    valid = compute("l2_pool", x=x, kernel_sizes=(1, 2), strides=(2, 1), pad_type="valid")
    padded = compute("l2_pool", x=x, kernel_sizes=(2, 3), strides=(1, 3), pad_type="same")
    assert valid.ravel().tolist() == pytest.approx([11.66190338, 3])
    assert padded.ravel().tolist() == pytest.approx([16.309507, 11.401754, 13.379088, 13.038404])


@pytest.mark.parametrize(
    ("name", "given", "message"),
    [
        ("max_pool", {"kernel_sizes": (3, 7), "pad_type": "valid"}, "does not fit"),
        ("max_pool", {"kernel_sizes": (3,), "pad_type": "valid"}, "zip"),
        ("max_pool", {"kernel_sizes": (2, 2), "pad_type": "same", "ceil_mode": True}, "ceil_mode"),
        ("max_pool", {"kernel_sizes": (2, 2), "pad_type": "custom", "pad": (1, 0, 0, 0), "ceil_mode": True}, "ceil_mode"),
        ("max_pool", {"kernel_sizes": (2, 2), "pad_type": "custom", "pad": (2, 0, 0, 0)}, "nothing but padding"),
        ("max_pool", {"kernel_sizes": (1, 1), "strides": (3, 3), "pad_type": "valid", "ceil_mode": True}, "nothing but"),
    ],
    ids=str,
)
def test_refuses_what_is_not_documented(compute: Any, name: str, given: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        compute(name, x=numbers(1, 2, 6, 5), **given)


@pytest.mark.parametrize("name", REDUCE)
def test_refuses_where_core_ml_is_wrong(compute: Any, name: str) -> None:
    compute(name, x=numbers(1, 2, 6), kernel_sizes=(2,), pad_type="same")
    with pytest.raises(ValueError, match="same_lower"):
        compute(name, x=numbers(1, 2, 6), kernel_sizes=(2,), pad_type="same_lower")


def test_l2_pool_has_no_third_axis(compute: Any) -> None:
    with pytest.raises(ValueError, match="axes"):
        compute("l2_pool", x=numbers(1, 2, 6, 5, 4), kernel_sizes=(2, 2, 2), pad_type="valid")


PACKAGED: dict[str, tuple[dict[str, Any], Pads, tuple[int, int]]] = {
    # arguments, padding that they mean, windows along each axis of seven and six pixels
    "valid": ({"kernel_sizes": [3, 2], "strides": [2, 2], "pad_type": "valid"}, [(0, 0), (0, 0)], (3, 3)),
    "stride_1": ({"kernel_sizes": [2, 3], "pad_type": "valid"}, [(0, 0), (0, 0)], (6, 4)),
    "same": ({"kernel_sizes": [3, 2], "strides": [2, 2], "pad_type": "same"}, [(1, 1), (0, 0)], (4, 3)),
    "same_lower": ({"kernel_sizes": [2, 3], "strides": [1, 2], "pad_type": "same_lower"}, [(1, 0), (1, 0)], (7, 3)),
    "custom": ({"kernel_sizes": [3, 3], "strides": [2, 1], "pad_type": "custom", "pad": [0, 1, 2, 1]}, [(0, 1), (2, 1)], (3, 7)),
    "ceil": ({"kernel_sizes": [2, 3], "strides": [2, 2], "pad_type": "valid", "ceil_mode": True}, [(0, 1), (0, 1)], (4, 3)),
    "ceil_padded": (
        {"kernel_sizes": [3, 3], "strides": [3, 2], "pad_type": "custom", "pad": [1, 1, 1, 1], "ceil_mode": True},
        [(1, 1), (1, 2)],
        (3, 4),
    ),
}


@pytest.mark.parametrize("name", [*REDUCE, "excluded"])
def test_in_a_package(family: Any, name: str) -> None:
    def body(arguments: dict[str, Any]) -> Callable[[Any], Any]:
        if name == "excluded":
            return lambda x: mb.avg_pool(x=x, exclude_padding_from_average=True, **arguments)
        return lambda x: getattr(mb, name)(x=x, **arguments)

    x = numbers(2, 3, 7, 6)
    answers = family({case: body(arguments) for case, (arguments, _, _) in PACKAGED.items()}, x=x)
    for case, (arguments, pads, steps) in PACKAGED.items():
        reduce = REDUCE.get(name, EXCLUDED)
        expected = pooled(x, arguments["kernel_sizes"], arguments.get("strides", [1, 1]), pads, steps, reduce)
        assert answers[case].shape == expected.shape, case
        np.testing.assert_allclose(answers[case], expected, rtol=1e-5, err_msg=case)


def test_one_and_three_axes_in_a_package(run: Any) -> None:
    line, cube = numbers(1, 2, 9), numbers(1, 2, 5, 4, 6)
    (mean,) = run(lambda x: mb.avg_pool(x=x, kernel_sizes=[4], strides=[2], pad_type="same"), x=line)
    np.testing.assert_allclose(mean, pooled(line, [4], [2], [(1, 2)], [5], REDUCE["avg_pool"]), rtol=1e-5)
    (top,) = run(lambda x: mb.max_pool(x=x, kernel_sizes=[2, 2, 3], strides=[2, 1, 2], pad_type="valid"), x=cube)
    np.testing.assert_array_equal(top, pooled(cube, [2, 2, 3], [2, 1, 2], [(0, 0)] * 3, [2, 3, 2], REDUCE["max_pool"]))
