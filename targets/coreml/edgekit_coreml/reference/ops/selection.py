"""Elements chosen by a condition or by their place."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from edgekit_coreml.reference.ops.registry import op
from edgekit_coreml.reference.ops.size import bounded


@op("select", gives=("a",), own=("cond",))
def select(cond: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """Return a where the condition is true, otherwise b, with numpy's broadcasting."""
    if cond.dtype is not torch.bool:
        raise ValueError(f"cond is of {cond.dtype}, not of truth values")
    bounded(np.broadcast_shapes(cond.shape, a.shape, b.shape))
    return torch.where(cond, a, b)


@op("non_zero", gives=("int32",))
def non_zero(x: Tensor) -> Tensor:
    """One row for each element that is not zero, with its position along each axis, in the order of x."""
    return torch.nonzero(x).int()


@op("band_part")
def band_part(x: Tensor, lower: int = -1, upper: int = -1) -> Tensor:
    """Zeros but for so many diagonals below and above the main one of the last two axes; negative is all of them."""
    if x.ndim < 2:
        raise ValueError(f"x has {x.ndim} axes; a matrix has two")
    height, width = x.shape[-2:]
    below = torch.arange(height)[:, None] - torch.arange(width)
    inside = ((below <= lower) | (lower < 0)) & ((-below <= upper) | (upper < 0))
    return torch.where(inside, x, x.new_zeros(()))
