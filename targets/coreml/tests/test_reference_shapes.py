"""Shapes, slices, padding, resizing and reductions against numpy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import coremltools as ct
import numpy as np
import pytest
from coremltools.converters.mil import Builder as mb  # noqa: N813 (its name in coremltools' documentation)
from numpy.typing import NDArray

Array = NDArray[Any]
Body = Callable[[Any], Any]

X = (np.arange(120, dtype=np.float32).reshape(2, 3, 5, 4) * 7 % 31) - 15  # 7 and 31 are coprime: no two rows are alike


def stretched(x: Array, axis: int, points: list[float]) -> Array:
    """Linear interpolation at these positions of an axis."""
    return np.apply_along_axis(lambda line: np.interp(points, np.arange(line.size), line), axis, x)


CASES: dict[str, tuple[Body, Callable[[Array], Array]]] = {
    "reshape": (lambda x: mb.reshape(x=x, shape=[4, -1, 5]), lambda x: x.reshape(4, 6, 5)),
    "reshape_zero": (lambda x: mb.reshape(x=x, shape=[0, 0, -1, 2]), lambda x: x.reshape(2, 3, 10, 2)),
    "transpose": (lambda x: mb.transpose(x=x, perm=[3, 0, -2, 1]), lambda x: x.transpose(3, 0, 2, 1)),
    "expand_dims": (lambda x: mb.expand_dims(x=x, axes=[-1]), lambda x: x[..., None]),
    "squeeze": (
        lambda x: mb.squeeze(x=mb.reduce_max(x=x, axes=[1, 2], keep_dims=True), axes=[-2]),
        lambda x: x.max((1, 2))[:, None, :],
    ),
    "squeeze_all": (
        lambda x: mb.squeeze(x=mb.reduce_max(x=x, axes=[1, 2], keep_dims=True)),
        lambda x: x.max((1, 2)),
    ),
    "flatten2d": (lambda x: mb.flatten2d(x=x, axis=-1), lambda x: x.reshape(30, 4)),
    "flatten2d_default": (lambda x: mb.flatten2d(x=x), lambda x: x.reshape(2, 60)),
    "concat": (lambda x: mb.concat(values=[x, x, x], axis=-2), lambda x: np.concatenate([x, x, x], 2)),
    "interleave": (
        lambda x: mb.concat(values=[x, mb.mul(x=x, y=2.0)], axis=1, interleave=True),
        lambda x: np.stack([x, 2 * x], 2).reshape(2, 6, 5, 4),
    ),
    "split": (lambda x: mb.split(x=x, axis=-1, num_splits=2)[1], lambda x: x[..., 2:]),
    "split_sizes": (lambda x: mb.split(x=x, axis=2, split_sizes=[1, 3, 1])[1], lambda x: x[:, :, 1:4]),
    "slice": (
        lambda x: mb.slice_by_index(x=x, begin=[0, -2, 1, 3], end=[1, 3, -1, 0], stride=[1, 1, 2, -1]),
        lambda x: x[0:1, -2:3, 1:-1:2, 3:0:-1],
    ),
    "slice_masks": (
        lambda x: mb.slice_by_index(
            x=x,
            begin=[1, 1, -2, 9],
            end=[9, 9, 9, 9],
            begin_mask=[False, False, False, True],
            end_mask=[False, True, True, True],
            squeeze_mask=[True, False, True, False],
        ),
        lambda x: x[1, 1:, -2, :],
    ),
    "slice_reversed": (
        lambda x: mb.slice_by_index(
            x=x, begin=[0] * 4, end=[0] * 4, stride=[1, 1, -2, 1], begin_mask=[True] * 4, end_mask=[True] * 4
        ),
        lambda x: x[:, :, ::-2],
    ),
    "slice_by_size": (
        lambda x: mb.slice_by_size(x=x, begin=[0, 1, 2, 1], size=[-1, 2, 2, -1]),
        lambda x: x[:, 1:3, 2:4, 1:],
    ),
    "pad": (
        lambda x: mb.pad(x=x, pad=[1, 0, 2, 3], constant_val=-0.5),
        lambda x: np.pad(x, [(0, 0), (0, 0), (1, 0), (2, 3)], constant_values=-0.5),
    ),
    "pad_everywhere": (
        lambda x: mb.pad(x=x, pad=[1, 0, 0, 2, 1, 1, 3, 0]),
        lambda x: np.pad(x, [(1, 0), (0, 2), (1, 1), (3, 0)]),
    ),
    "pad_reflect": (
        lambda x: mb.pad(x=x, pad=[2, 1, 4, 0, 1, 3], mode="reflect"),
        lambda x: np.pad(x, [(0, 0), (2, 1), (4, 0), (1, 3)], mode="reflect"),
    ),
    "pad_replicate": (
        lambda x: mb.pad(x=x, pad=[2, 1, 4, 0], mode="replicate"),
        lambda x: np.pad(x, [(0, 0), (0, 0), (2, 1), (4, 0)], mode="edge"),
    ),
    "mean": (lambda x: mb.reduce_mean(x=x, axes=[-1, 2]), lambda x: x.mean((2, 3))),
    "mean_kept": (lambda x: mb.reduce_mean(x=x, axes=[-3], keep_dims=True), lambda x: x.mean(1, keepdims=True)),
    "mean_all": (lambda x: mb.reduce_mean(x=x, keep_dims=True), lambda x: x.mean(keepdims=True)),
    "sum": (lambda x: mb.reduce_sum(x=x, axes=[0, -2]), lambda x: x.sum((0, 2))),
    "max": (lambda x: mb.reduce_max(x=x, axes=[1]), lambda x: x.max(1)),
    "max_all": (lambda x: mb.reduce_max(x=x, keep_dims=True), lambda x: x.max(keepdims=True)),
    "min": (lambda x: mb.reduce_min(x=x, axes=[-1, -2, 1], keep_dims=True), lambda x: x.min((1, 2, 3), keepdims=True)),
    "argmax": (lambda x: mb.reduce_argmax(x=x, axis=2), lambda x: x.argmax(2)),
    "argmin": (lambda x: mb.reduce_argmin(x=x, axis=-1, keep_dims=True), lambda x: x.argmin(3)[..., None]),
    "nearest": (
        lambda x: mb.upsample_nearest_neighbor(x=x, scale_factor_height=2, scale_factor_width=3),
        lambda x: x.repeat(2, 2).repeat(3, 3),
    ),
    "nearest_fraction": (
        lambda x: mb.upsample_nearest_neighbor(x=x, scale_factor_height=1.6, scale_factor_width=1.5),
        lambda x: x[:, :, [0, 0, 1, 1, 2, 3, 3, 4]][..., [0, 0, 1, 2, 2, 3]],
    ),
    "bilinear_corners": (
        lambda x: mb.upsample_bilinear(x=x, scale_factor_height=2, scale_factor_width=2, align_corners=True),
        lambda x: stretched(stretched(x, 2, [i * 4 / 9 for i in range(10)]), 3, [i * 3 / 7 for i in range(8)]),
    ),
    "bilinear_centres": (
        lambda x: mb.upsample_bilinear(x=x, scale_factor_height=2, scale_factor_width=3, align_corners=False),
        lambda x: stretched(
            stretched(x, 2, [(i + 0.5) / 2 - 0.5 for i in range(10)]), 3, [(i + 0.5) / 3 - 0.5 for i in range(12)]
        ),
    ),
    "bilinear_edges": (
        lambda x: mb.upsample_bilinear(
            x=x, scale_factor_height=2, scale_factor_width=2, align_corners=False, half_pixel_centers=False
        ),
        lambda x: stretched(stretched(x, 2, [i / 2 for i in range(10)]), 3, [i / 2 for i in range(8)]),
    ),
}


@pytest.fixture(scope="module")
def answers(family: Any) -> dict[str, Array]:
    result: dict[str, Array] = family({name: body for name, (body, _) in CASES.items()}, x=X)
    return result


@pytest.mark.parametrize("name", CASES)
def test_shapes(answers: dict[str, Array], name: str) -> None:
    expected = CASES[name][1](X.astype(np.float64))
    assert answers[name].shape == expected.shape
    np.testing.assert_allclose(answers[name], expected, rtol=1e-6, atol=2e-6)


def test_zeros_of_a_shape_count_from_the_right_since_ios17(run: Any) -> None:
    """The example in the documentation of iOS17's reshape."""
    x = np.arange(100, dtype=np.float32).reshape(2, 50)
    (answer,) = run(lambda x: mb.reshape(x=x, shape=[1, 0, -1, 0]), opset=ct.target.iOS17, x=x)
    np.testing.assert_array_equal(answer, x.reshape(1, 1, 2, 50))


def test_argmax_in_another_type(run: Any) -> None:
    (answer,) = run(
        lambda x: mb.cast(x=mb.reduce_argmax(x=x, axis=1, output_dtype="uint16"), dtype="int32"),
        opset=ct.target.iOS17,
        x=X,
    )
    np.testing.assert_array_equal(answer, X.argmax(1))
