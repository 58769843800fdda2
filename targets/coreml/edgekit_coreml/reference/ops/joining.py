"""Joining tensors, taking them apart, repeating them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from edgekit_coreml.reference.ops.axis import resolved
from edgekit_coreml.reference.ops.registry import op
from edgekit_coreml.reference.ops.size import bounded


@op("concat")
def concat(values: tuple[Tensor, ...], axis: int, interleave: bool = False) -> Tensor:
    """End to end along an axis, or taking one slice of each in turn; scalars become a vector.

    Raises:
        ValueError: shapes do not fit together.
    """
    if all(value.ndim == 0 for value in values):
        return stack(values, resolved(axis, 1))
    axis = resolved(axis, values[0].ndim)
    _alike(values, but=None if interleave else axis)
    sizes = [*values[0].shape]
    sizes[axis] = sum(value.shape[axis] for value in values)
    bounded(sizes)
    return torch.stack(values, axis + 1).flatten(axis, axis + 1) if interleave else torch.cat(values, axis)


@op("stack")
def stack(values: tuple[Tensor, ...], axis: int) -> Tensor:
    """One after the other along a new axis.

    Raises:
        ValueError: shapes differ.
    """
    _alike(values)
    bounded([len(values), *values[0].shape])
    return torch.stack(values, resolved(axis, values[0].ndim + 1))


@op("split")
def split(x: Tensor, axis: int, num_splits: int | None = None, split_sizes: tuple[int, ...] | None = None) -> tuple[Tensor, ...]:
    """Consecutive parts along an axis, of the sizes given or of equal size.

    Raises:
        ValueError: the parts are not those of the axis.
    """
    axis = resolved(axis, x.ndim)
    size = x.shape[axis]
    if split_sizes is None:
        if num_splits is None or not 0 < num_splits <= max(size, 1) or size % num_splits:
            raise ValueError(f"{size} cannot be split into {num_splits} equal parts")
        split_sizes = (size // num_splits,) * num_splits
    if min(split_sizes, default=0) < 0 or sum(split_sizes) != size or num_splits not in (None, len(split_sizes)):
        raise ValueError(f"{size} cannot be split into {num_splits or len(split_sizes)} parts of {list(split_sizes)}")
    return torch.split(x, list(split_sizes), axis)


@op("tile")
def tile(x: Tensor, reps: tuple[int, ...]) -> Tensor:
    """Each axis as many times over as `reps` says.

    Raises:
        ValueError: a number is less than 1.
    """
    if not reps or len(reps) != x.ndim or min(reps) < 1:
        raise ValueError(f"reps {list(reps)} are not a number from 1 for each of {x.ndim} axes")
    bounded(size * times for size, times in zip(x.shape, reps, strict=True))
    return x.repeat(reps)


def _alike(values: Sequence[Tensor], but: int | None = None) -> None:
    shapes = [[size for axis, size in enumerate(value.shape) if axis != but] for value in values]
    if any(shape != shapes[0] for shape in shapes):
        raise ValueError(f"shapes {', '.join(str(list(value.shape)) for value in values)} do not fit together")
