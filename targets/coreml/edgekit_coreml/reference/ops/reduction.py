"""Reductions along axes. No axes means all of them, an empty list none.

What is no integer of integers loses its fraction, as in coremltools' own computation; sums and products of integers wrap around
where they overflow.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor

from edgekit_coreml.reference.dtype import HELD
from edgekit_coreml.reference.ops.registry import op

_Reduce = Callable[[Tensor, tuple[int, ...], bool], Tensor]


@op("reduce_mean")
def reduce_mean(x: Tensor, axes: tuple[int, ...] | None = None, keep_dims: bool = False) -> Tensor:
    """The mean."""
    return _through_float(torch.mean, x, axes, keep_dims)


@op("reduce_sum")
def reduce_sum(x: Tensor, axes: tuple[int, ...] | None = None, keep_dims: bool = False) -> Tensor:
    """The sum."""
    return _reduced(_sum, x, axes, keep_dims)


@op("reduce_prod")
def reduce_prod(x: Tensor, axes: tuple[int, ...] | None = None, keep_dims: bool = False) -> Tensor:
    """The product."""
    return _reduced(_product, x, axes, keep_dims)


@op("reduce_max")
def reduce_max(x: Tensor, axes: tuple[int, ...] | None = None, keep_dims: bool = False) -> Tensor:
    """The maximum."""
    return _reduced(torch.amax, x, axes, keep_dims)


@op("reduce_min")
def reduce_min(x: Tensor, axes: tuple[int, ...] | None = None, keep_dims: bool = False) -> Tensor:
    """The minimum."""
    return _reduced(torch.amin, x, axes, keep_dims)


@op("reduce_l1_norm")
def reduce_l1_norm(x: Tensor, axes: tuple[int, ...] | None = None, keep_dims: bool = False) -> Tensor:
    """The sum of the absolute values."""
    return _reduced(_sum, x.abs(), axes, keep_dims)


@op("reduce_l2_norm")
def reduce_l2_norm(x: Tensor, axes: tuple[int, ...] | None = None, keep_dims: bool = False) -> Tensor:
    """The square root of the sum of the squares.

    Raises:
        ValueError: x is of integers, and the result is none of its type.
    """
    return _through_float(lambda x, axes, keep: _sum(x * x, axes, keep).sqrt(), x, axes, keep_dims)


@op("reduce_sum_square")
def reduce_sum_square(x: Tensor, axes: tuple[int, ...] | None = None, keep_dims: bool = False) -> Tensor:
    """The sum of the squares."""
    return _reduced(_sum, x * x, axes, keep_dims)


@op("reduce_log_sum")
def reduce_log_sum(x: Tensor, axes: tuple[int, ...] | None = None, keep_dims: bool = False) -> Tensor:
    """The natural logarithm of the sum.

    Raises:
        ValueError: x is of integers, and the result is none of its type.
    """
    return _through_float(lambda x, axes, keep: _sum(x, axes, keep).log(), x, axes, keep_dims)


@op("reduce_log_sum_exp")
def reduce_log_sum_exp(x: Tensor, axes: tuple[int, ...] | None = None, keep_dims: bool = False) -> Tensor:
    """The natural logarithm of the sum of the exponentials, without their overflow.

    Raises:
        ValueError: x is of integers, and the result is none of its type.
    """
    return _through_float(torch.logsumexp, x, axes, keep_dims)


@op("reduce_argmax", gives=("output_dtype",))
def reduce_argmax(
    x: Tensor, axis: int = -1, keep_dims: bool = False, output_dtype: Literal["int32", "uint16"] = "int32"
) -> Tensor:
    """The position of the maximum, of the first where there are several: Core ML promises none of these.

    Raises:
        ValueError: the axis is too long for uint16.
    """
    return _position(torch.argmax(x, axis, keep_dims), x.shape[axis], output_dtype)


@op("reduce_argmin", gives=("output_dtype",))
def reduce_argmin(
    x: Tensor, axis: int = -1, keep_dims: bool = False, output_dtype: Literal["int32", "uint16"] = "int32"
) -> Tensor:
    """The position of the minimum, of the first where there are several: Core ML promises none of these.

    Raises:
        ValueError: the axis is too long for uint16.
    """
    return _position(torch.argmin(x, axis, keep_dims), x.shape[axis], output_dtype)


def _reduced(reduce: _Reduce, x: Tensor, axes: tuple[int, ...] | None, keep_dims: bool) -> Tensor:
    if axes == ():  # which PyTorch takes for all axes
        return reduce(x.unsqueeze(-1), (-1,), False)
    return reduce(x, tuple(range(x.ndim)) if axes is None else axes, keep_dims)


def _through_float(reduce: _Reduce, x: Tensor, axes: tuple[int, ...] | None, keep_dims: bool) -> Tensor:
    """For integers, compute in float64 and drop the fraction."""
    if x.is_floating_point():
        return _reduced(reduce, x, axes, keep_dims)
    result = _reduced(reduce, x.double(), axes, keep_dims).trunc()
    limits = torch.iinfo(x.dtype)
    if not ((result >= limits.min) & (result <= limits.max)).all():
        raise ValueError(f"its result is no {str(x.dtype).removeprefix('torch.')}, which is x's type")
    return result.to(x.dtype)


def _sum(x: Tensor, axes: tuple[int, ...], keep_dims: bool) -> Tensor:
    return torch.sum(x, axes, keep_dims, dtype=x.dtype)


def _product(x: Tensor, axes: tuple[int, ...], keep_dims: bool) -> Tensor:
    axes = tuple(axis + x.ndim if axis < 0 else axis for axis in axes)
    if len(set(axes)) < len(axes):
        raise ValueError(f"axes {list(axes)} has one twice")
    for axis in sorted(axes, reverse=True):  # from the last, so that the others stay where they are
        x = torch.prod(x, axis, keep_dims, dtype=x.dtype)
    return x


def _position(index: Tensor, size: int, output_dtype: Literal["int32", "uint16"]) -> Tensor:
    if output_dtype == "uint16" and size > 1 << 16:
        raise ValueError(f"positions on an axis of {size} do not fit uint16")
    return index.to(HELD[output_dtype])
