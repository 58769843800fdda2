"""Slices."""

from __future__ import annotations

import torch
from torch import Tensor

from edgekit_coreml.reference.ops.registry import op


@op("slice_by_index")
def slice_by_index(
    x: Tensor,
    begin: tuple[int, ...],
    end: tuple[int, ...],
    stride: tuple[int, ...] = (),
    begin_mask: tuple[bool, ...] = (),
    end_mask: tuple[bool, ...] = (),
    squeeze_mask: tuple[bool, ...] = (),
) -> Tensor:
    """Return x[begin:end:stride, ...]; a mask drops a begin or an end, or picks begin alone and drops the axis."""
    stride = stride or (1,) * x.ndim
    open_begin, open_end, squeezed = (mask or (False,) * x.ndim for mask in (begin_mask, end_mask, squeeze_mask))
    per_axis = zip(range(x.ndim), begin, end, stride, open_begin, open_end, squeezed, strict=True)
    for axis, first, last, step, from_start, to_end, picked in reversed(list(per_axis)):
        start = None if from_start else first
        if picked:
            x = x.select(axis, start or 0)
        else:
            positions = range(x.shape[axis])[slice(start, None if to_end else last, step)]
            x = _strided(x, axis, positions)
    return x


@op("slice_by_size")
def slice_by_size(x: Tensor, begin: tuple[int, ...], size: tuple[int, ...]) -> Tensor:
    """Elements from begin on along every axis, `size` of them, or all that are left where it is -1."""
    for axis, first, count in zip(range(x.ndim), begin, size, strict=True):
        start = first + x.shape[axis] if first < 0 else first
        x = x.narrow(axis, start, x.shape[axis] - start if count == -1 else count)
    return x


def _strided(x: Tensor, axis: int, positions: range) -> Tensor:
    if positions.step == 1:
        return x.narrow(axis, positions.start, len(positions))
    return x.index_select(axis, torch.tensor(positions, dtype=torch.int64))
