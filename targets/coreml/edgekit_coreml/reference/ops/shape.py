"""Reshaping, reordering, joining."""

from __future__ import annotations

from math import prod

import torch
from torch import Tensor

from edgekit_coreml.reference.ops.registry import op


@op("reshape")
def reshape(x: Tensor, shape: tuple[int, ...]) -> Tensor:
    """The same values; -1 is what is left over, 0 the size of x at the same place from the right, or 1."""
    from_right = [*x.shape[::-1], *[1] * len(shape)]
    return x.reshape([size or from_right[len(shape) - 1 - axis] for axis, size in enumerate(shape)])


@op("transpose")
def transpose(x: Tensor, perm: tuple[int, ...]) -> Tensor:
    """Axes in another order."""
    return x.permute(perm)


@op("squeeze")
def squeeze(x: Tensor, axes: tuple[int, ...] | None = None) -> Tensor:
    """Without the axes given, or any, whose size is 1."""
    return x.squeeze() if axes is None else x.squeeze(axes)


@op("expand_dims")
def expand_dims(x: Tensor, axes: tuple[int, ...]) -> Tensor:
    """With axes of size 1 at these places of the result."""
    rank = x.ndim + len(axes)
    for axis in sorted(axis % rank for axis in axes):
        x = x.unsqueeze(axis)
    return x


@op("flatten2d")
def flatten2d(x: Tensor, axis: int = 1) -> Tensor:
    """The axes before the given one as one, and those from it on as another."""
    return x.reshape(prod(x.shape[:axis]), prod(x.shape[axis:]))


@op("concat")
def concat(values: tuple[Tensor, ...], axis: int, interleave: bool = False) -> Tensor:
    """End to end along an axis, or taking one slice of each in turn."""
    if not interleave:
        return torch.cat(values, axis)
    axis %= values[0].ndim
    return torch.stack(values, axis + 1).flatten(axis, axis + 1)


@op("split")
def split(x: Tensor, axis: int, num_splits: int | None = None, split_sizes: tuple[int, ...] | None = None) -> tuple[Tensor, ...]:
    """Consecutive parts along an axis, of the sizes given or of equal size."""
    if split_sizes is None:
        if not num_splits or x.shape[axis] % num_splits:
            raise ValueError(f"{x.shape[axis]} cannot be split into {num_splits} equal parts")
        split_sizes = (x.shape[axis] // num_splits,) * num_splits
    return torch.split(x, list(split_sizes), axis)
