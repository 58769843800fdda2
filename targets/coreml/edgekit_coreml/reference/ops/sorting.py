"""The order of elements along an axis.

Where elements are equal, the first one comes first. The documentation is silent about that, and about NaN, which is the
greatest here.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from edgekit_coreml.reference.dtype import HELD
from edgekit_coreml.reference.ops.axis import flipped, resolved
from edgekit_coreml.reference.ops.registry import op


@op("argsort", gives=("int32",))
def argsort(x: Tensor, axis: int = -1, ascending: bool = False) -> Tensor:
    """The positions of the elements from the greatest to the smallest, or the other way."""
    return torch.argsort(x, dim=resolved(axis, x.ndim), descending=not ascending, stable=True).int()


@op("topk", gives=("x", "output_indices_dtype"))
def topk(
    x: Tensor,
    k: int = 1,
    axis: int = -1,
    ascending: bool = False,
    sort: bool = True,
    return_indices: bool = True,
    output_indices_dtype: Literal["int32", "uint16"] = "int32",
) -> Tensor | tuple[Tensor, ...]:
    """The k greatest elements, or smallest, and where they are; -1 is all of them.

    Without `sort` no order is promised; here it is the same.

    Raises:
        ValueError: there are fewer than k elements.
    """
    axis = resolved(axis, x.ndim)
    if k != -1 and not 0 < k <= x.shape[axis]:
        raise ValueError(f"an axis of {x.shape[axis]} has no {k} greatest elements")
    values, indices = torch.sort(x, dim=axis, descending=not ascending, stable=True)
    count = x.shape[axis] if k == -1 else k
    greatest = values.narrow(axis, 0, count)
    return (greatest, indices.narrow(axis, 0, count).to(HELD[output_indices_dtype])) if return_indices else greatest


@op("cumsum")
def cumsum(x: Tensor, axis: int = 0, exclusive: bool = False, reverse: bool = False) -> Tensor:
    """The sum of all elements up to each one, without it where exclusive, from the end where reverse.

    Raises:
        ValueError: the axis is less than -1, as coremltools checks it.
    """
    if axis < -1:  # as coremltools checks it
        raise ValueError(f"axis {axis} is not -1 or from 0")
    axis = resolved(axis, x.ndim)
    if reverse:
        return flipped(cumsum(flipped(x, axis), axis, exclusive), axis)
    sums = torch.cumsum(x, axis, dtype=x.dtype)
    if not exclusive or not x.shape[axis]:
        return sums
    return torch.cat([torch.zeros_like(sums.narrow(axis, 0, 1)), sums.narrow(axis, 0, x.shape[axis] - 1)], axis)
