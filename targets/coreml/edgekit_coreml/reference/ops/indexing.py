"""Gathering elements at computed positions, and scattering others to them.

Negative positions count from the end up to iOS 16. Since iOS 17 they are out of range, and what Core ML then gives is undefined
unless `validate_indices` is set: here a position out of range is always an error.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import prod
from typing import Literal

import torch
from torch import Tensor

from edgekit_coreml.reference.ops.axis import resolved
from edgekit_coreml.reference.ops.registry import op
from edgekit_coreml.reference.ops.size import bounded

Mode = Literal["add", "div", "max", "min", "mul", "sub", "update"]


@op("gather", own=("indices",))
def gather(
    x: Tensor, indices: Tensor, axis: int = 0, batch_dims: int = 0, validate_indices: bool = False, *, opset: int
) -> Tensor:
    """The slices of x at these positions of an axis; the first batch_dims axes of x and of the positions go together.

    Raises:
        ValueError: a position is out of range.
    """
    axis = resolved(axis, x.ndim)
    if axis < batch_dims:
        raise ValueError(f"axis {axis} is one of the first {batch_dims} axes, which are the batch")
    batch, wanted = _batch(x, indices, batch_dims), indices.shape[batch_dims:]
    shape = bounded([*x.shape[:axis], *wanted, *x.shape[axis + 1 :]])
    positions = _positions(indices, x.shape[axis], opset).reshape(batch, prod(wanted))
    rows = x.reshape(batch, *x.shape[batch_dims:]).movedim(axis - batch_dims + 1, 1)
    return rows[torch.arange(batch)[:, None], positions].movedim(1, axis - batch_dims + 1).reshape(shape)


@op("gather_along_axis", own=("indices",))
def gather_along_axis(x: Tensor, indices: Tensor, axis: int = 0, validate_indices: bool = False, *, opset: int) -> Tensor:
    """The element at this position of an axis, for each element of `indices` and the same position of all other axes.

    Raises:
        ValueError: a position is out of range.
    """
    return x[_along(indices, x.shape, resolved(axis, x.ndim), opset)]


@op("gather_nd", own=("indices",))
def gather_nd(x: Tensor, indices: Tensor, batch_dims: int = 0, validate_indices: bool = False, *, opset: int) -> Tensor:
    """The slices of x whose positions on its first axes are the last axis of `indices`; batch_dims as in gather.

    Raises:
        ValueError: a position is out of range.
    """
    batch, wanted = _batch(x, indices, batch_dims), indices.shape[batch_dims:-1]
    depth = _depth(indices, x.ndim - batch_dims)
    rest = x.shape[batch_dims + depth :]
    shape = bounded([*indices.shape[:-1], *rest])
    places = indices.reshape(batch, prod(wanted), depth)
    flat = _flat(places, x.shape[batch_dims : batch_dims + depth], opset)
    rows = x.reshape(batch, prod(x.shape[batch_dims : batch_dims + depth]), *rest)
    return rows[torch.arange(batch)[:, None], flat].reshape(shape)


# The documentation of the operators below says that `mode` is "update" where it is left out, the one of scatter_nd that it is
# "add". It is "add": coremltools fills it in, and its tests compare with what Core ML computes,
# https://github.com/apple/coremltools/blob/9.0/coremltools/converters/mil/mil/ops/tests/iOS14/test_scatter_gather.py


@op("scatter", own=("indices",))
def scatter(
    data: Tensor,
    indices: Tensor,
    updates: Tensor,
    axis: int = 0,
    mode: Mode = "add",
    validate_indices: bool = False,
    *,
    opset: int,
) -> Tensor:
    """Combine slices with those at these positions of an axis.

    Raises:
        ValueError: a position is out of range, or mode is div and the data are integers, whose rounding is not documented.
    """
    axis = resolved(axis, data.ndim)
    _expect(updates, [*data.shape[:axis], *indices.shape, *data.shape[axis + 1 :]])
    rest = [*data.shape[:axis], *data.shape[axis + 1 :]]
    changes = updates.flatten(axis, axis + indices.ndim - 1) if indices.ndim else updates.unsqueeze(axis)
    rows = data.movedim(axis, 0).reshape(data.shape[axis], prod(rest))
    positions = _positions(indices, data.shape[axis], opset).reshape(-1)
    combined = _combined(rows, positions, changes.movedim(axis, 0).reshape(len(positions), prod(rest)), mode)
    return combined.reshape(data.shape[axis], *rest).movedim(0, axis)


@op("scatter_along_axis", own=("indices",))
def scatter_along_axis(
    data: Tensor,
    indices: Tensor,
    updates: Tensor,
    axis: int = 0,
    mode: Mode = "add",
    validate_indices: bool = False,
    *,
    opset: int,
) -> Tensor:
    """Combine each element with the one at its position of an axis, and the same position of all other axes.

    Raises:
        ValueError: as for scatter.
    """
    _expect(updates, indices.shape)
    places = torch.arange(data.numel()).reshape(data.shape)[_along(indices, data.shape, resolved(axis, data.ndim), opset)]
    return _combined(data.flatten(), places.flatten(), updates.flatten(), mode).reshape(data.shape)


@op("scatter_nd", own=("indices",))
def scatter_nd(
    data: Tensor, indices: Tensor, updates: Tensor, mode: Mode = "add", validate_indices: bool = False, *, opset: int
) -> Tensor:
    """Combine slices with those whose positions on the first axes of `data` are the last axis of `indices`.

    Raises:
        ValueError: as for scatter.
    """
    depth = _depth(indices, data.ndim)
    places, rest = indices.shape[:-1], data.shape[depth:]
    _expect(updates, [*places, *rest])
    rows = data.reshape(prod(data.shape[:depth]), prod(rest))
    flat = _flat(indices.reshape(prod(places), depth), data.shape[:depth], opset)
    return _combined(rows, flat, updates.reshape(prod(places), prod(rest)), mode).reshape(data.shape)


def _positions(indices: Tensor, size: int, opset: int) -> Tensor:
    """Positions on an axis of this size, counted from the front."""
    positions = indices.long()
    if opset < 7:
        positions = torch.where(positions < 0, positions + size, positions)
    wrong = (positions < 0) | (positions >= size)
    if bool(wrong.any()):
        raise ValueError(f"position {int(indices[wrong].flatten()[0])} is out of range for an axis of {size}")
    return positions


def _along(indices: Tensor, shape: Sequence[int], axis: int, opset: int) -> tuple[Tensor, ...]:
    """Positions on every axis, of which one is given."""
    rank = len(shape)
    if indices.ndim != rank or any(indices.shape[i] != shape[i] for i in range(rank) if i != axis):
        raise ValueError(f"indices of shape {list(indices.shape)} for a tensor of shape {list(shape)}, along axis {axis}")
    places = [torch.arange(size).reshape(-1, *[1] * (rank - 1 - i)) for i, size in enumerate(shape)]
    places[axis] = _positions(indices, shape[axis], opset)
    return tuple(places)


def _flat(places: Tensor, sizes: Sequence[int], opset: int) -> Tensor:
    """Positions on several axes as positions on these axes made one."""
    flat = torch.zeros(places.shape[:-1], dtype=torch.int64)
    for place, size in zip(places.unbind(-1), sizes, strict=True):
        flat = flat * size + _positions(place, size, opset)
    return flat


def _batch(x: Tensor, indices: Tensor, batch_dims: int) -> int:
    if not 0 <= batch_dims <= min(x.ndim, indices.ndim) or x.shape[:batch_dims] != indices.shape[:batch_dims]:
        raise ValueError(f"shapes {list(x.shape)} and {list(indices.shape)} have not the same {batch_dims} axes in front")
    return prod(x.shape[:batch_dims])


def _depth(indices: Tensor, limit: int) -> int:
    if not indices.ndim or not 0 < indices.shape[-1] <= limit:
        raise ValueError(f"the last axis of indices of shape {list(indices.shape)} is not of 1 to {limit} positions")
    return indices.shape[-1]


def _expect(updates: Tensor, shape: Sequence[int]) -> None:
    if list(updates.shape) != list(shape):
        raise ValueError(f"updates have shape {list(updates.shape)}, not {list(shape)}")


def _combined(rows: Tensor, positions: Tensor, changes: Tensor, mode: Mode) -> Tensor:
    """Rows, changed one after the other."""
    if mode == "div" and not rows.is_floating_point():
        raise ValueError("how integers are divided is not documented")
    result = rows.clone()
    for turn in _turns(positions):
        at = positions[turn]
        result[at] = _change(result[at], changes[turn], mode)
    return result


def _turns(positions: Tensor) -> Iterator[Tensor]:
    """Where each position stands for the first time, then where for the second time, and so on."""
    ordered, order = torch.sort(positions, stable=True)
    count = torch.arange(len(ordered)) - torch.searchsorted(ordered, ordered)
    for turn in range(int(count.max()) + 1 if len(count) else 0):
        yield order[count == turn]


def _change(old: Tensor, change: Tensor, mode: Mode) -> Tensor:
    match mode:
        case "add":
            return old + change
        case "sub":
            return old - change
        case "mul":
            return old * change
        case "div":
            return old / change
        case "max":
            return torch.maximum(old, change)
        case "min":
            return torch.minimum(old, change)
        case "update":
            return change
