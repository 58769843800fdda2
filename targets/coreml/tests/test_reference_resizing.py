"""Resizing against the formulas of its documentation, written as loops over numbers."""

from __future__ import annotations

from collections.abc import Callable
from math import floor
from typing import Any

import coremltools as ct
import numpy as np
import pytest
from coremltools.converters.mil import Builder as mb  # noqa: N813 (its name in coremltools' documentation)
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

Array = NDArray[Any]

X = (np.arange(120, dtype=np.float32).reshape(2, 3, 5, 4) * 7 % 31) - 15  # 7 and 31 are coprime: no two rows are alike
MODES = ["DEFAULT", "STRICT_ALIGN_CORNERS", "ALIGN_CORNERS", "OFFSET_CORNERS", "UNALIGN_CORNERS"]


def grid(mode: str, size: int, target: int) -> list[float]:
    """The notes of resize_bilinear, where spacing matters only if there are two points."""
    if target == 1 and mode == "ALIGN_CORNERS":
        return [(size - 1) / 2]
    starts = {"OFFSET_CORNERS": 0.5 * max(1, size - 1) / target, "UNALIGN_CORNERS": 0.5 * size / target - 0.5}
    spacings = {
        "DEFAULT": (size - size / target) / max(target - 1, 1),
        "STRICT_ALIGN_CORNERS": (size - 1) / max(target - 1, 1),
        "ALIGN_CORNERS": (size - 1) / max(target - 1, 1),
        "OFFSET_CORNERS": max(1, size - 1) / target,
        "UNALIGN_CORNERS": size / target,
    }
    return [min(size - 1, max(0, starts.get(mode, 0) + i * spacings[mode])) for i in range(target)]


def interpolated(line: Array, points: list[float]) -> list[float]:
    return [float(np.interp(point, np.arange(line.size), line)) for point in points]


def linear(x: Array, targets: dict[int, int], mode: str) -> Array:
    for axis, target in targets.items():
        x = np.apply_along_axis(interpolated, axis, x.astype(np.float64), grid(mode, x.shape[axis], target))
    return x


def nearest(x: Array, targets: dict[int, int], offset: float) -> Array:
    for axis, target in targets.items():
        size = x.shape[axis]
        x = x.take([min(size - 1, floor(round((i + offset) * size / target, 9))) for i in range(target)], axis)
    return x


def close(actual: Array, expected: Array) -> None:
    assert actual.shape == expected.shape
    np.testing.assert_allclose(actual, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("mode", "size", "target", "expected"),
    [
        ("UNALIGN_CORNERS", 2, 5, [0, 0.1, 0.5, 0.9, 1]),
        ("STRICT_ALIGN_CORNERS", 2, 5, [0, 0.25, 0.5, 0.75, 1]),
        ("DEFAULT", 2, 5, [0, 0.4, 0.8, 1, 1]),
        ("OFFSET_CORNERS", 2, 5, [0.1, 0.3, 0.5, 0.7, 0.9]),
        ("UNALIGN_CORNERS", 2, 6, [0, 0, 1 / 3, 2 / 3, 1, 1]),
        ("ALIGN_CORNERS", 2, 6, [0, 0.2, 0.4, 0.6, 0.8, 1]),
        ("DEFAULT", 2, 6, [0, 1 / 3, 2 / 3, 1, 1, 1]),
        ("OFFSET_CORNERS", 2, 6, [1 / 12, 0.25, 5 / 12, 7 / 12, 0.75, 11 / 12]),
        ("ALIGN_CORNERS", 4, 1, [1.5]),
        ("STRICT_ALIGN_CORNERS", 4, 1, [0]),
    ],
)
def test_grid_points_of_the_documentation(compute: Any, mode: str, size: int, target: int, expected: list[float]) -> None:
    x = np.arange(size, dtype=np.float32).reshape(1, 1, size)
    answer = compute("resize_bilinear", x=x, target_size_height=1, target_size_width=target, sampling_mode=mode)
    np.testing.assert_allclose(answer[0, 0], expected, atol=1e-6)


@given(st.sampled_from(MODES), st.tuples(*[st.integers(1, 7)] * 2), st.tuples(*[st.integers(1, 12)] * 2), st.integers(0, 2))
@settings(max_examples=150)
def test_bilinear_of_any_size(compute: Any, mode: str, sizes: tuple[int, int], targets: tuple[int, int], more_axes: int) -> None:
    x = np.random.default_rng(sum(sizes)).normal(size=(*[2, 3][:more_axes], 2, *sizes)).astype(np.float32)
    answer = compute("resize_bilinear", x=x, target_size_height=targets[0], target_size_width=targets[1], sampling_mode=mode)
    close(answer, linear(x, {x.ndim - 2: targets[0], x.ndim - 1: targets[1]}, mode))


@given(st.tuples(*[st.integers(1, 9)] * 2), st.tuples(*[st.integers(1, 14)] * 2))
@settings(max_examples=100)
def test_nearest_of_any_size(compute: Any, sizes: tuple[int, int], targets: tuple[int, int]) -> None:
    x = np.arange(sizes[0] * sizes[1], dtype=np.float32).reshape(1, *sizes)
    answer = compute("resize_nearest_neighbor", x=x, target_size_height=targets[0], target_size_width=targets[1])
    np.testing.assert_array_equal(answer, nearest(x, {1: targets[0], 2: targets[1]}, 0.5))


@given(
    st.tuples(*[st.integers(1, 9)] * 2), st.tuples(*[st.floats(0.125, 3.25, width=32)] * 2), st.sampled_from([None, True, False])
)
@settings(max_examples=150)
def test_upsampling_by_any_scale(compute: Any, sizes: tuple[int, int], scales: tuple[float, float], align: bool | None) -> None:
    """Of TensorFlow's rules those of coremltools' conversion, which its tests compare with Core ML."""
    x = np.random.default_rng(sum(sizes)).normal(size=(2, *sizes)).astype(np.float32)
    targets = {axis: floor(np.float32(scale) * np.float32(sizes[axis - 1])) for axis, scale in zip((1, 2), scales, strict=True)}
    given = {"x": x, "scale_factor_height": scales[0], "scale_factor_width": scales[1]}
    if min(targets.values()) < 1:
        with pytest.raises(ValueError, match="cannot be resized"):
            compute("upsample_nearest_neighbor", **given)
        return
    np.testing.assert_array_equal(compute("upsample_nearest_neighbor", **given), nearest(x, targets, 0))
    if align is None:
        expected, given = linear(x, targets, "DEFAULT"), {**given, "align_corners": False, "half_pixel_centers": False}
    else:
        expected, given = (
            linear(x, targets, ["UNALIGN_CORNERS", "STRICT_ALIGN_CORNERS"][align]),
            {**given, "align_corners": align},
        )
    close(compute("upsample_bilinear", **given), expected)


def test_what_core_ml_computed(compute: Any) -> None:
    """Expectations of coremltools' own tests of the operator, which ran on a Mac: mil/ops/tests/iOS14, iOS15 and iOS17."""
    x = np.array([1.5, -2.5, 3.5], np.float32).reshape(1, 1, 1, 3)
    answer = compute("upsample_nearest_neighbor", x=x, scale_factor_height=3.17, scale_factor_width=0.67)
    np.testing.assert_array_equal(answer, [[[[1.5, -2.5]] * 3]])
    answer = compute("upsample_bilinear", x=np.array([[[0, 1]]], np.float32), scale_factor_width=2.6, align_corners=False)
    np.testing.assert_allclose(answer, [[[0, 0.1, 0.5, 0.9, 1]]], atol=1e-6)
    x = np.array([-6.174, 9.371], np.float32).reshape(1, 1, 1, 2, 1)
    answer = compute("resize", x=x, shape=(1, 1, 3, 2), resized_dims=2, interpolation_mode="NEAREST_NEIGHBOR")
    np.testing.assert_array_equal(answer.ravel(), np.array([-6.174, -6.174, 9.371, 9.371, 9.371, 9.371], np.float32))


CASES: dict[str, tuple[Callable[[Any], Any], Callable[[Array], Array]]] = {
    "bilinear": (
        lambda x: mb.resize_bilinear(x=x, target_size_height=7, target_size_width=3),
        lambda x: linear(x, {2: 7, 3: 3}, "DEFAULT"),
    ),
    "bilinear_mode": (
        lambda x: mb.resize_bilinear(x=x, target_size_height=2, target_size_width=9, sampling_mode="OFFSET_CORNERS"),
        lambda x: linear(x, {2: 2, 3: 9}, "OFFSET_CORNERS"),
    ),
    "nearest": (
        lambda x: mb.resize_nearest_neighbor(x=x, target_size_height=3, target_size_width=7),
        lambda x: nearest(x, {2: 3, 3: 7}, 0.5),
    ),
    "upsampled": (
        lambda x: mb.upsample_nearest_neighbor(x=x, scale_factor_height=2.3, scale_factor_width=0.8),
        lambda x: nearest(x, {2: 11, 3: 3}, 0),
    ),
    "upsampled_half": (
        lambda x: mb.upsample_bilinear(
            x=x, scale_factor_height=1.5, scale_factor_width=2.3, align_corners=False, half_pixel_centers=True
        ),
        lambda x: linear(x, {2: 7, 3: 9}, "UNALIGN_CORNERS"),
    ),
    "resized": (
        lambda x: mb.resize(x=x, shape=[6, 0, 3], resized_dims=np.uint32(3), sampling_mode="ALIGN_CORNERS"),
        lambda x: linear(x, {1: 6, 3: 3}, "ALIGN_CORNERS"),
    ),
    "resized_nearest": (
        lambda x: mb.resize(
            x=x,
            shape=[4, 7],
            resized_dims=np.uint32(2),
            interpolation_mode="NEAREST_NEIGHBOR",
            sampling_mode="UNALIGN_CORNERS",
        ),
        lambda x: nearest(x, {2: 4, 3: 7}, 0.5),
    ),
}


@pytest.fixture(scope="module")
def answers(run: Any) -> dict[str, Array]:
    results = run(lambda x: tuple(body(x) for body, _ in CASES.values()), opset=ct.target.iOS17, x=X)
    return dict(zip(CASES, results, strict=True))


@pytest.mark.parametrize("name", CASES)
def test_resizing_in_a_package(answers: dict[str, Array], name: str) -> None:
    close(answers[name], CASES[name][1](X))


def test_a_computed_size(run: Any) -> None:
    """Since iOS 17 a size may be computed."""

    def body(x: Any) -> Any:
        twice = mb.mul(x=mb.shape(x=x), y=np.array([1, 1, 2, 2], np.int32))
        return mb.resize(x=x, shape=twice, resized_dims=np.uint32(2))

    (answer,) = run(body, opset=ct.target.iOS17, x=X)
    close(answer, linear(X, {2: 10, 3: 8}, "DEFAULT"))


@pytest.mark.parametrize(
    ("name", "given", "message"),
    [
        ("upsample_bilinear", {"half_pixel_centers": True}, "exclude each other"),
        ("upsample_nearest_neighbor", {"scale_factor_height": -1.0}, "cannot be resized"),
        ("upsample_nearest_neighbor", {"scale_factor_height": 2.0**30}, "more than"),
        ("upsample_nearest_neighbor", {"scale_factor_height": float("inf")}, "cannot be resized by"),
        ("upsample_bilinear", {"scale_factor_width": float("nan")}, "cannot be resized by"),
        ("resize_bilinear", {"target_size_height": 2**27, "x": X[0, 0, :1].repeat(9, 1)}, "more than"),
        ("resize_bilinear", {"target_size_height": 0}, "cannot be resized"),
        ("resize_bilinear", {"target_size_height": 2**30, "target_size_width": 2**30}, "more than"),
        ("resize_nearest_neighbor", {"target_size_height": 2, "target_size_width": -2}, "cannot be resized"),
        ("resize", {"shape": (2, 2), "resized_dims": 3}, "3 axes"),
        ("resize", {"shape": (2,) * 5, "resized_dims": 2}, "2 axes"),
        ("resize", {"shape": (2, -1), "resized_dims": 2}, "cannot be resized"),
        ("resize", {"shape": (2, 2), "resized_dims": 2, "x": X.astype(np.int32)}, "rounded"),
        (
            "resize",
            {"shape": (2, 2), "resized_dims": 2, "interpolation_mode": "NEAREST_NEIGHBOR", "sampling_mode": "OFFSET_CORNERS"},
            "nearest",
        ),
    ],
)
def test_what_cannot_be_resized(compute: Any, name: str, given: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        compute(name, **{"x": X, **given})
