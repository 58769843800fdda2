"""Pictures sampled at computed points, against loops over pixels written from the documentation."""

from __future__ import annotations

from itertools import product
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

X = (np.arange(2 * 3 * 5 * 4, dtype=np.float32).reshape(2, 3, 5, 4) * 7 % 31) - 15
FOUR = np.arange(1, 17, dtype=np.float32).reshape(1, 1, 4, 4)  # the picture of coremltools' tests


def pixel(x: Array, row: int, column: int, mode: str, value: float) -> Array:
    """All channels of a pixel of the picture as it is padded: x is [C, H, W]."""
    place = []
    for at, size in ((row, x.shape[1]), (column, x.shape[2])):
        if mode == "constant" and not 0 <= at < size:
            return np.full(len(x), value)
        line = list(range(size))
        if mode == "border":
            place.append(min(max(at, 0), size - 1))
        elif mode == "reflection":  # |1, 2, 3| -> 2, 3, 2, 1, 2, 3, 2, 1, 2
            period = line + line[-2:0:-1]
            place.append(period[at % len(period)])
        else:  # symmetric: |1, 2, 3| -> 3, 2, 1, 1, 2, 3, 3, 2, 1
            place.append((line + line[::-1])[at % (2 * size)])
    return x[:, place[0], place[1]].astype(np.float64)


def between(x: Array, row: float, column: float, mode: str, value: float) -> Array:
    total = np.zeros(len(x))
    for down, across in product((0, 1), (0, 1)):
        r, c = floor(row) + down, floor(column) + across
        weight = (1 - abs(row - r)) * (1 - abs(column - c))
        if weight:
            total += weight * pixel(x, r, c, mode, value)
    return total


def placed(at: float, size: int, mode: str, aligned: bool) -> float:
    """Normalized: the ends of the range are the centres of the outer pixels where aligned, otherwise their outer edges."""
    if mode == "unnormalized":
        return at
    low, high = (0, size - 1) if aligned else (-0.5, size - 0.5)
    share = (at + 1) / 2 if mode == "normalized_minus_one_to_one" else at
    return low + share * (high - low)


def resampled(x: Array, coordinates: Array, how: str, padding: str, value: float, mode: str, aligned: bool) -> Array:
    batch, height, width, _ = coordinates.shape
    result = np.zeros((batch, x.shape[1], height, width))
    for b, i, j in product(range(batch), range(height), range(width)):
        across, down = coordinates[b, i, j].astype(np.float64)
        row, column = placed(down, x.shape[2], mode, aligned), placed(across, x.shape[3], mode, aligned)
        if how == "nearest":
            result[b, :, i, j] = pixel(x[b], round(row), round(column), padding, value)
        else:
            result[b, :, i, j] = between(x[b], row, column, padding, value)
    return result


PADDINGS = ["constant", "border", "reflection", "symmetric"]
COORDINATES = ["unnormalized", "normalized_minus_one_to_one", "normalized_zero_to_one"]


@given(
    st.sampled_from(["bilinear", "nearest"]),
    st.sampled_from(PADDINGS),
    st.sampled_from(COORDINATES),
    st.booleans(),
    st.tuples(st.integers(1, 4), st.integers(1, 5)),
    st.integers(0, 1000),
)
@settings(max_examples=200)
def test_resample(compute: Any, how: str, padding: str, mode: str, aligned: bool, size: tuple[int, int], seed: int) -> None:
    random = np.random.default_rng(seed)
    x = random.normal(size=(2, 3, *size)).astype(np.float32)
    spread = 10 if mode == "unnormalized" else 3
    coordinates = random.uniform(-spread, spread, size=(2, 2, 3, 2)).astype(np.float32)
    given = {"sampling_mode": how, "padding_mode": padding, "padding_value": -7.5}
    answer = compute("resample", x=x, coordinates=coordinates, coordinates_mode=mode, align_corners=aligned, **given)
    expected = resampled(x, coordinates, how, padding, -7.5, mode, aligned)
    np.testing.assert_allclose(answer, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("how", "padding", "mode", "aligned", "of_floats", "of_integers"),
    [
        ("bilinear", "constant", "normalized_minus_one_to_one", True, [8.585, 6.17, 27.5, 6.17], [27.5, 44, 27.5, 44]),
        ("nearest", "border", "unnormalized", False, [11, 11, 11, 44], [11, 44, 11, 44]),
        ("bilinear", "reflection", "normalized_zero_to_one", True, [22, 36.3, 11, 34.1], [11, 44, 11, 44]),
        ("nearest", "symmetric", "normalized_zero_to_one", False, [22, 33, 11, 33], [11, 44, 11, 44]),
    ],
)
def test_resample_as_core_ml_does(
    compute: Any, how: str, padding: str, mode: str, aligned: bool, of_floats: list[float], of_integers: list[float]
) -> None:
    """Expectations of coremltools' own test, which ran on a Mac: mil/ops/tests/iOS15/test_image_resizing.py."""
    x = np.array([11, 22, 33, 44], np.float32).reshape(1, 1, 2, 2)
    floats = np.array([-1, -2, -3.7, -1, 0, 0, 3.5, 1.2], np.float32).reshape(1, 2, 2, 2)
    integers = np.array([0, 0, 1, 1, 0, 0, 1, 1], np.int8).reshape(1, 2, 2, 2)
    given = {"sampling_mode": how, "padding_mode": padding, "padding_value": 6.17 if padding == "constant" else -1.0}
    for coordinates, expected in ((floats, of_floats), (integers, of_integers)):
        answer = compute("resample", x=x, coordinates=coordinates, coordinates_mode=mode, align_corners=aligned, **given)
        np.testing.assert_allclose(answer.ravel(), expected, rtol=1e-5)


AFFINE = {
    "sampling_mode": "bilinear",
    "padding_mode": "constant",
    "padding_value": 0.0,
    "coordinates_mode": "normalized_minus_one_to_one",
    "align_corners": True,
}


def test_affine_as_core_ml_does(compute: Any) -> None:
    """Expectations of coremltools' own test, which ran on a Mac: mil/ops/tests/iOS15/test_image_resizing.py."""
    x = np.array([11, 22, 33, 44], np.float32).reshape(1, 1, 2, 2)
    matrix = np.array([[-1, -2, -3.7, -1, 3.5, 1.2]], np.float32)
    answer = compute("affine", x=x, transform_matrix=matrix, output_height=3, output_width=3, **AFFINE)
    np.testing.assert_allclose(answer.ravel(), [10.752501, 2.5025, 0, 1.98, 0, 0, 0, 0, 0], atol=1e-5)
    answer = compute("affine", x=x, transform_matrix=matrix, output_height=2, output_width=5, **AFFINE)
    np.testing.assert_allclose(answer.ravel(), [10.752501, 5.94, 2.5025, 0.44, 0, 0, 0, 0, 0, 0], atol=1e-5)


@pytest.mark.parametrize("matrices", [1, 2])
def test_affine(run: Any, matrices: int) -> None:
    matrix = np.array([[0.7, -0.3, 0.1, 0.4, 0.9, -0.2], [-1.1, 0.2, 0.3, 0.1, -0.8, 0.4]], np.float32)[:matrices]
    (answer,) = run(lambda x, y: mb.affine(x=x, transform_matrix=y, output_height=4, output_width=6, **AFFINE), x=X, y=matrix)
    expected = np.zeros((2, 3, 4, 6))
    for b, i, j in product(range(2), range(4), range(6)):
        a0, a1, a2, b0, b1, b2 = matrix[b % matrices].astype(np.float64)
        x, y = -1 + 2 * j / 5, -1 + 2 * i / 3
        column, row = (a0 * x + a1 * y + a2 + 1) / 2 * 3, (b0 * x + b1 * y + b2 + 1) / 2 * 4
        expected[b, :, i, j] = between(X[b], row, column, "constant", 0)
    np.testing.assert_allclose(answer, expected, rtol=1e-4, atol=1e-4)


def test_resample_in_a_package(run: Any) -> None:
    coordinates = np.array([[[[0.5, 0.25], [-1.5, 2.5]]], [[[3.2, 4.9], [7.0, -2.2]]]], np.float32)
    how = {"sampling_mode": "bilinear", "padding_mode": "constant", "padding_value": 2.5, "coordinates_mode": "unnormalized"}
    (answer,) = run(
        lambda x, y: mb.resample(x=x, coordinates=y, align_corners=False, **how), x=X, y=coordinates, opset=ct.target.iOS17
    )
    expected = resampled(X, coordinates, "bilinear", "constant", 2.5, "unnormalized", False)
    np.testing.assert_allclose(answer, expected, rtol=1e-5, atol=1e-5)


def spread(start: float, end: float, target: int, mode: str) -> list[float]:
    """The points of resize_bilinear on a picture whose first pixel is at `start` and whose last is at `end`."""
    size = end - start + 1
    if target == 1 and mode == "ALIGN_CORNERS":
        return [(start + end) / 2]
    if mode in ("STRICT_ALIGN_CORNERS", "ALIGN_CORNERS"):
        return [start + i * (size - 1) / max(target - 1, 1) for i in range(target)]
    delta = max(1, size - 1) / target
    points = {
        "DEFAULT": [i * size / target for i in range(target)],
        "OFFSET_CORNERS": [0.5 * delta + i * delta for i in range(target)],
        "UNALIGN_CORNERS": [(i + 0.5) * size / target - 0.5 for i in range(target)],
    }[mode]
    return [start + min(size - 1, max(0, point)) for point in points]


def cropped(x: Array, box: Array, targets: tuple[int, int], mode: str, value: float) -> Array:
    """One box, as first and last row and column, of one picture [C, H, W]."""
    result = np.zeros((len(x), *targets))
    rows, columns = spread(box[0], box[2], targets[0], mode), spread(box[1], box[3], targets[1], mode)
    for (i, row), (j, column) in product(enumerate(rows), enumerate(columns)):
        inside = 0 <= round(row, 9) <= x.shape[1] - 1 and 0 <= round(column, 9) <= x.shape[2] - 1
        result[:, i, j] = between(x, row, column, "border", 0) if inside else value
    return result


BOX_MODES = ["CORNERS_HEIGHT_FIRST", "CORNERS_WIDTH_FIRST", "CENTER_SIZE_HEIGHT_FIRST", "CENTER_SIZE_WIDTH_FIRST"]
MODES = ["DEFAULT", "STRICT_ALIGN_CORNERS", "ALIGN_CORNERS", "OFFSET_CORNERS", "UNALIGN_CORNERS"]


def written(box: Array, mode: str) -> list[float]:
    """First and last row and column, as the box mode wants them."""
    top, left, bottom, right = box
    if mode.startswith("CENTER"):
        top, left, bottom, right = (top + bottom) / 2, (left + right) / 2, bottom - top, right - left
    return [left, top, right, bottom] if mode.endswith("WIDTH_FIRST") else [top, left, bottom, right]


@given(
    st.sampled_from(BOX_MODES),
    st.sampled_from(MODES),
    st.tuples(st.integers(1, 5), st.integers(1, 5)),
    st.booleans(),
    st.sampled_from([1.0, 0.5]),
    st.integers(0, 1000),
)
@settings(max_examples=200)
def test_crop_resize(
    compute: Any, box_mode: str, mode: str, targets: tuple[int, int], normalized: bool, scale: float, seed: int
) -> None:
    random = np.random.default_rng(seed)
    # of few binary digits, so that float32 holds them exactly
    shares = np.sort(random.integers(0, 9, (3, 2, 2)), 1).reshape(3, 4) / 8
    if mode != "UNALIGN_CORNERS":
        shares = shares * 1.5 - 0.25  # some points are outside
    last = np.array([4, 3, 4, 3])
    boxes = shares * last
    given = shares / scale if normalized else boxes / scale
    answer = compute(
        "crop_resize",
        x=X,
        boxes=np.array([written(box, box_mode) for box in given], np.float32),
        box_indices=np.array([1, 0, 1], np.int32),
        target_height=targets[0],
        target_width=targets[1],
        normalized_coordinates=normalized,
        spatial_scale=scale,
        box_coordinate_mode=box_mode,
        sampling_mode=mode,
        pad_value=-9.0,
    )
    expected = np.stack([cropped(X[i], box, targets, mode, -9) for i, box in zip((1, 0, 1), boxes, strict=True)])
    np.testing.assert_allclose(answer, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("boxes", "target", "given", "expected"),
    [
        ([[1, 1, 2, 2]], 2, {}, [6, 7, 10, 11]),
        ([[1, 1, 2, 2]], 1, {}, [8.5]),
        ([[0, 0, 1 / 3, 1 / 3]], 2, {"normalized_coordinates": True}, [1, 2, 5, 6]),
        ([[2, 2, 1, 1]], 2, {}, [11, 10, 7, 6]),
        (
            [[0.1, 0.3, 1.3, 1.0], [0.5, 1.8, 1.0, 0.3], [0.0, 0.4, 0.6, 0.7]],
            2,
            {"normalized_coordinates": True, "pad_value": 10.0},
            [3.1, 5.2, 10, 10, 10, 7.9, 10, 13.9, 2.2, 3.1, 9.4, 10.3],
        ),
    ],
)
def test_crop_resize_as_core_ml_does(
    compute: Any, boxes: list[list[float]], target: int, given: dict[str, Any], expected: list[float]
) -> None:
    """Expectations of coremltools' own tests, which ran on a Mac: mil/ops/tests/iOS14, iOS16 and iOS17/test_image_resizing.py."""
    given = {"target_height": target, "target_width": target, "sampling_mode": "ALIGN_CORNERS", **given}
    indices = np.zeros(len(boxes), np.int32)
    answer = compute("crop_resize", x=FOUR, boxes=np.array(boxes, np.float32), box_indices=indices, **given)
    np.testing.assert_allclose(answer.ravel(), expected, rtol=1e-4)


def test_boxes_in_packages_of_either_kind(run: Any) -> None:
    corners = np.array([[0.5, 1, 3, 2.5], [1, 0, 4, 3]], np.float32)
    expected = np.array([[cropped(x, box, (3, 2), "STRICT_ALIGN_CORNERS", 0) for x in X] for box in corners])
    how = {"target_height": 3, "target_width": 2, "sampling_mode": "STRICT_ALIGN_CORNERS"}
    (every,) = run(lambda x: mb.crop_resize(x=x, roi=corners.reshape(2, 1, 4, 1, 1), **how), x=X, opset=ct.target.iOS15)
    np.testing.assert_allclose(every, expected, rtol=1e-5)
    (chosen,) = run(lambda x: mb.crop_resize(x=x, boxes=corners, **how), x=X, opset=ct.target.iOS17)
    np.testing.assert_allclose(chosen, expected[[0, 1], [0, 1]], rtol=1e-5)


def test_a_box_of_one_picture_before_ios17(compute: Any) -> None:
    roi = np.array([[1, 0.5, 1, 3, 2.5], [0, 1, 0, 4, 3]], np.float32)
    answer = compute("crop_resize", x=X, roi=roi.reshape(2, 1, 5, 1, 1), target_height=3, target_width=2)
    expected = [[cropped(X[int(box[0])], box[1:], (3, 2), "DEFAULT", 0)] for box in roi]
    assert answer.shape == (2, 1, 3, 3, 2)
    np.testing.assert_allclose(answer, expected, rtol=1e-5)


ONE_BOX = np.array([[0, 0, 1, 1]], np.float32)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"boxes": ONE_BOX, "box_indices": np.array([2], np.int32)}, "pictures"),
        ({"boxes": ONE_BOX, "box_indices": np.array([-1], np.int32)}, "pictures"),
        ({"boxes": np.zeros((3, 4), np.float32)}, "pictures"),  # a third picture is not there
        ({"roi": np.array([0.5, 0, 0, 1, 1], np.float32).reshape(1, 1, 5, 1, 1)}, "pictures"),
        ({"roi": np.zeros((1, 4), np.float32)}, "roi has shape"),
        ({"boxes": ONE_BOX.astype(np.uint16), "normalized_coordinates": True}, "of integers"),
        ({"boxes": ONE_BOX.T}, "boxes have shape"),
        ({}, "one of roi and boxes"),
        ({"boxes": ONE_BOX, "target_height": 2**40}, "more than"),
        ({"boxes": ONE_BOX, "target_height": -1}, "cannot be"),
        ({"boxes": ONE_BOX[:, ::-1].copy(), "sampling_mode": "OFFSET_CORNERS"}, "before it"),
        ({"boxes": ONE_BOX + 4, "sampling_mode": "UNALIGN_CORNERS"}, "leaves the picture"),
    ],
)
def test_what_is_no_box(compute: Any, given: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        compute("crop_resize", x=X, **given)


def test_what_cannot_be_sampled(compute: Any) -> None:
    how = {"sampling_mode": "nearest", "padding_mode": "border", "padding_value": 0.0, "coordinates_mode": "unnormalized"}
    for coordinate in (np.nan, np.inf, -np.inf):
        with pytest.raises(ValueError, match="infinite"):
            compute("resample", x=X, coordinates=np.full((2, 1, 1, 2), coordinate, np.float32), align_corners=True, **how)
    far = compute("resample", x=X, coordinates=np.full((2, 1, 1, 2), 1e30, np.float32), align_corners=True, **how)
    np.testing.assert_array_equal(far[..., 0, 0], X[..., -1, -1])
    with pytest.raises(ValueError, match="coordinates of shape"):
        compute("resample", x=X, coordinates=np.zeros((1, 1, 1, 2), np.float32), align_corners=True, **how)
    matrix = np.zeros((1, 6), np.float32)
    for wrong, message in (
        ({"padding_value": 1.0}, "not supported"),
        ({"align_corners": False}, "not supported"),
        ({"output_width": 1}, "one pixel"),
        ({"transform_matrix": matrix[:, :5]}, "transform_matrix"),
    ):
        with pytest.raises(ValueError, match=message):
            compute("affine", **{"x": X, "transform_matrix": matrix, "output_height": 2, "output_width": 2, **AFFINE, **wrong})
