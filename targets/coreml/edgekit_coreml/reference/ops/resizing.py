"""Resizing of the last axes.

A pixel of the result lies at a point of x, which the sampling mode tells. The formulas are those in the documentation of
resize_bilinear (coremltools, converters/mil/mil/ops/defs/iOS15/image_resizing.py).
"""

from __future__ import annotations

from math import floor
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from edgekit_coreml.reference.ops.axis import taken
from edgekit_coreml.reference.ops.registry import op
from edgekit_coreml.reference.ops.size import bounded

SamplingMode = Literal["DEFAULT", "STRICT_ALIGN_CORNERS", "ALIGN_CORNERS", "OFFSET_CORNERS", "UNALIGN_CORNERS"]


@op("upsample_nearest_neighbor")
def upsample_nearest_neighbor(x: Tensor, scale_factor_height: float = 1, scale_factor_width: float = 1) -> Tensor:
    """Each pixel of the result is the one of x below its top left corner."""
    # where the scale is a fraction, the ratio of the sizes counts: coremltools' test of TensorFlow's ResizeNearestNeighbor with
    # half_pixel_centers=False, which compares with what Core ML computes on the CPU, holds for that alone
    sizes = _scaled(x, scale_factor_height, scale_factor_width)
    for axis, target in enumerate(sizes, start=x.ndim - 2):
        x = taken(x, axis, torch.arange(target) * x.shape[axis] // target)
    return x


@op("upsample_bilinear")
def upsample_bilinear(
    x: Tensor,
    scale_factor_height: float = 1,
    scale_factor_width: float = 1,
    align_corners: bool = True,
    half_pixel_centers: bool | None = None,
) -> Tensor:
    """Linear interpolation along one axis after the other.

    Raises:
        ValueError: align_corners and half_pixel_centers are both set.
    """
    centred = not align_corners if half_pixel_centers is None else half_pixel_centers
    if align_corners and centred:
        raise ValueError("align_corners and half_pixel_centers exclude each other")
    mode: SamplingMode = "STRICT_ALIGN_CORNERS" if align_corners else "UNALIGN_CORNERS" if centred else "DEFAULT"
    return _interpolated(x, _scaled(x, scale_factor_height, scale_factor_width), mode)


@op("resize_nearest_neighbor")
def resize_nearest_neighbor(x: Tensor, target_size_height: int, target_size_width: int) -> Tensor:
    """Each pixel of the result is the one of x below its centre."""
    return _nearest(x, _targets(x, (target_size_height, target_size_width)))


@op("resize_bilinear")
def resize_bilinear(
    x: Tensor, target_size_height: int = 1, target_size_width: int = 1, sampling_mode: SamplingMode = "DEFAULT"
) -> Tensor:
    """Linear interpolation along one axis after the other, at the points of the sampling mode."""
    return _interpolated(x, _targets(x, (target_size_height, target_size_width)), sampling_mode)


@op("resize", own=("shape",))
def resize(
    x: Tensor,
    shape: tuple[int, ...],
    resized_dims: int,
    interpolation_mode: Literal["LINEAR", "NEAREST_NEIGHBOR"] = "LINEAR",
    sampling_mode: SamplingMode = "DEFAULT",
) -> Tensor:
    """Resize the last axes to the last numbers of `shape`, 0 standing for the size that is there.

    Raises:
        ValueError: integers are interpolated, whose rounding is not documented; or the nearest pixel is wanted with a
            sampling mode other than DEFAULT and UNALIGN_CORNERS, which is not documented either.
    """
    if not 0 <= resized_dims <= len(shape) <= x.ndim:
        raise ValueError(f"{resized_dims} axes of x, which has {x.ndim}, to {list(shape)}")
    last = shape[len(shape) - resized_dims :]
    sizes = _targets(x, [size or there for size, there in zip(last, x.shape[x.ndim - resized_dims :], strict=True)])
    if interpolation_mode == "LINEAR":
        if not x.is_floating_point():
            raise ValueError("how interpolated integers are rounded is not documented")
        return _interpolated(x, sizes, sampling_mode)
    if sampling_mode not in ("DEFAULT", "UNALIGN_CORNERS"):
        raise ValueError(f"which pixel is nearest with sampling_mode {sampling_mode} is not documented")
    return _nearest(x, sizes)


def points(start: Tensor, end: Tensor, target: int, mode: SamplingMode) -> Tensor:
    """Spread points over intervals of pixels.

    Args:
        start: of each interval, float64 [N].
        end: the last pixel of each interval, which belongs to it. Before `start` the points go backwards.
        target: how many points.
        mode: how they lie in the interval.

    Returns:
        Float64 [N, target].

    Raises:
        ValueError: an interval goes backwards in a mode in which that has no meaning.
    """
    i, first, last = torch.arange(target, dtype=torch.float64), start[:, None], end[:, None]
    extent = last - first
    match mode:
        case "ALIGN_CORNERS" if target == 1:
            return (first + last) / 2
        case "STRICT_ALIGN_CORNERS" | "ALIGN_CORNERS":
            return torch.lerp(first, last, i / max(target - 1, 1))
        case "DEFAULT":
            at = i * ((extent + 1) / target)
        case "OFFSET_CORNERS":
            at = (i + 0.5) * (extent.clamp(min=1) / target)
        case "UNALIGN_CORNERS":
            at = (i + 0.5) * ((extent + 1) / target) - 0.5
    if bool((extent < 0).any()):
        raise ValueError(f"what sampling_mode {mode} gives from a point to one before it is not documented")
    return torch.minimum(first + at.clamp_(min=0), last)


def _interpolated(x: Tensor, sizes: tuple[int, ...], mode: SamplingMode) -> Tensor:
    for axis, target in enumerate(sizes, start=x.ndim - len(sizes)):
        last = x.shape[axis] - 1
        (at,) = points(torch.zeros(1).double(), torch.tensor([last]).double(), target, mode)
        below = at.floor().long()
        share = (at - below).to(x.dtype).reshape(-1, *[1] * (x.ndim - 1 - axis))
        above = (below + 1).clamp_(max=last)
        x = torch.lerp(taken(x, axis, below), taken(x, axis, above), share)
    return x


def _nearest(x: Tensor, sizes: tuple[int, ...]) -> Tensor:
    """The pixel below each centre: floor((i + 1/2) * size / target).

    The documentation has no formula. coremltools makes these operators of TensorFlow's ResizeNearestNeighbor with
    half_pixel_centers=True, and compares with what Core ML computes: frontend/tensorflow2/test/test_v2_ops.py, test_raw_ops, and
    frontend/tensorflow/test/test_ops.py, test_ios17_resize_nearest_neighbor_dynamic_shape.
    """
    for axis, target in enumerate(sizes, start=x.ndim - len(sizes)):
        x = taken(x, axis, (torch.arange(target) * 2 + 1) * x.shape[axis] // (2 * target))
    return x


def _scaled(x: Tensor, *scales: float) -> tuple[int, ...]:
    """In float32, in which coremltools works out the declared shape."""
    if not all(0 < scale < 2**31 for scale in scales):
        raise ValueError(f"{list(x.shape)} cannot be resized by {list(scales)}")
    there = x.shape[-2:]
    return _targets(x, [floor(np.float32(scale) * np.float32(size)) for scale, size in zip(scales, there, strict=True)])


def _targets(x: Tensor, sizes: tuple[int, ...] | list[int]) -> tuple[int, ...]:
    kept = x.ndim - len(sizes)
    if min(sizes, default=1) < 1 or kept < 0 or 0 in x.shape[kept:]:
        raise ValueError(f"{list(x.shape)} cannot be resized to {list(sizes)}")
    shape = list(x.shape)
    for axis, size in enumerate(sizes, start=kept):  # one after the other: what is between can be the largest
        shape[axis] = size
        bounded(shape)
    return tuple(sizes)
