"""What operators along an axis share."""

from __future__ import annotations

import torch
from torch import Tensor


def resolved(axis: int, rank: int) -> int:
    """Count an axis from the front.

    Raises:
        ValueError: there is no such axis.
    """
    if not -rank <= axis < rank:
        raise ValueError(f"there is no axis {axis} in {rank} axes")
    return axis % rank


def taken(x: Tensor, axis: int, positions: Tensor) -> Tensor:
    """Return the elements of x at these positions of an axis, counted from the front. Positions are int64, of one axis."""
    if x.dtype is torch.uint16:  # for which PyTorch has no index_select
        return x[(slice(None),) * axis + (positions,)]
    return x.index_select(axis, positions)


def flipped(x: Tensor, axis: int) -> Tensor:
    """Return x with the order along an axis reversed."""
    return taken(x, axis, torch.arange(x.shape[axis] - 1, -1, -1))
