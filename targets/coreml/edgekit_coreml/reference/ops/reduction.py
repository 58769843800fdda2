"""Reductions along axes. No axes means all of them."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from edgekit_coreml.reference.dtype import HELD
from edgekit_coreml.reference.ops.registry import op


@op("reduce_mean")
def reduce_mean(x: Tensor, axes: tuple[int, ...] | None = None, keep_dims: bool = False) -> Tensor:
    """The mean."""
    return torch.mean(x, axes, keep_dims)


@op("reduce_sum")
def reduce_sum(x: Tensor, axes: tuple[int, ...] | None = None, keep_dims: bool = False) -> Tensor:
    """The sum."""
    return torch.sum(x, axes, keep_dims, dtype=x.dtype)


@op("reduce_max")
def reduce_max(x: Tensor, axes: tuple[int, ...] = (), keep_dims: bool = False) -> Tensor:
    """The maximum."""
    return torch.amax(x, axes, keep_dims)


@op("reduce_min")
def reduce_min(x: Tensor, axes: tuple[int, ...] = (), keep_dims: bool = False) -> Tensor:
    """The minimum."""
    return torch.amin(x, axes, keep_dims)


@op("reduce_argmax", gives=("output_dtype",))
def reduce_argmax(
    x: Tensor, axis: int = -1, keep_dims: bool = False, output_dtype: Literal["int32", "uint16"] = "int32"
) -> Tensor:
    """The position of the maximum, of the first where there are several."""
    return torch.argmax(x, axis, keep_dims).to(HELD[output_dtype])


@op("reduce_argmin", gives=("output_dtype",))
def reduce_argmin(
    x: Tensor, axis: int = -1, keep_dims: bool = False, output_dtype: Literal["int32", "uint16"] = "int32"
) -> Tensor:
    """The position of the minimum, of the first where there are several."""
    return torch.argmin(x, axis, keep_dims).to(HELD[output_dtype])
