"""Resizing of the last two axes."""

from __future__ import annotations

from math import floor

import numpy as np
import torch
from torch import Tensor

from edgekit_coreml.reference.ops.registry import op


@op("upsample_nearest_neighbor")
def upsample_nearest_neighbor(x: Tensor, scale_factor_height: float = 1, scale_factor_width: float = 1) -> Tensor:
    """Each pixel of the result is the one of x below its top left corner."""
    for axis, scale in ((-2, scale_factor_height), (-1, scale_factor_width)):
        size, target = x.shape[axis], _scaled(x.shape[axis], scale)
        x = x.index_select(axis, torch.arange(target) * size // target)
    return x


@op("upsample_bilinear")
def upsample_bilinear(
    x: Tensor,
    scale_factor_height: float = 1,
    scale_factor_width: float = 1,
    align_corners: bool = True,
    half_pixel_centers: bool | None = None,
) -> Tensor:
    """Linear interpolation along one axis after the other."""
    centred = not align_corners if half_pixel_centers is None else half_pixel_centers
    if align_corners and centred:
        raise ValueError("align_corners and half_pixel_centers exclude each other")
    for axis, scale in ((-2, scale_factor_height), (-1, scale_factor_width)):
        size = x.shape[axis]
        points = _grid(size, _scaled(size, scale), align_corners=align_corners, centred=centred)
        below = points.floor().long()
        share = (points - below).to(x.dtype).reshape(-1, *[1] * (-1 - axis))
        above = (below + 1).clamp_(max=size - 1)
        x = torch.lerp(x.index_select(axis, below), x.index_select(axis, above), share)
    return x


def _scaled(size: int, scale: float) -> int:
    """In float32, in which coremltools works out the declared shape."""
    return floor(np.float32(scale) * np.float32(size))


def _grid(size: int, target: int, *, align_corners: bool, centred: bool) -> Tensor:
    """Where on an axis of `size` pixels each of `target` pixels lies."""
    positions = torch.arange(target, dtype=torch.float64)
    if align_corners:
        return positions * ((size - 1) / max(target - 1, 1))
    points = (positions + 0.5) * (size / target) - 0.5 if centred else positions * (size / target)
    return points.clamp_(0, size - 1)
