"""Other shapes for the same values in the same order."""

from __future__ import annotations

from math import prod

import torch
from torch import Tensor

from edgekit_coreml.reference.ops.axis import resolved
from edgekit_coreml.reference.ops.registry import op


@op("reshape")
def reshape(x: Tensor, shape: tuple[int, ...], *, opset: int) -> Tensor:
    """The same values; -1 is what is left over, 0 the size of x at the same place, since iOS 17 from the right, or 1.

    Raises:
        ValueError: the number of values is another, or a 0 stands where x has no axis, before iOS 17.
    """
    if opset < 7 and 0 in shape and len(shape) != x.ndim:
        raise ValueError(f"a 0 in shape {list(shape)} needs as many axes in x, which has {x.ndim}, before iOS 17")
    from_right = [*x.shape[::-1], *[1] * len(shape)]
    sizes = [size or from_right[len(shape) - 1 - axis] for axis, size in enumerate(shape)]
    known = prod(size for size in sizes if size != -1)
    if min(sizes, default=0) < -1 or sizes.count(-1) > 1 or (not known and -1 in sizes):
        raise ValueError(f"shape {list(shape)} does not say which sizes {list(x.shape)} is to have")
    if x.numel() % known if -1 in sizes else x.numel() != known:
        raise ValueError(f"{list(x.shape)} does not fit in shape {list(shape)}")
    return x.reshape(sizes)


@op("reshape_like", own=("ref_tensors",))
def reshape_like(
    x: Tensor,
    ref_tensors: tuple[Tensor, ...],
    begins: tuple[int, ...],
    ends: tuple[int, ...],
    end_masks: tuple[bool, ...],
) -> Tensor:
    """The same values; the sizes are those of each reference tensor from its begin to its end, or to the last where masked.

    Raises:
        ValueError: the number of values is another.
    """
    if not len(begins) == len(ends) == len(end_masks) == len(ref_tensors):
        raise ValueError(f"begins, ends and end_masks are not one for each of {len(ref_tensors)} reference tensors")
    sizes: list[int] = []
    for reference, begin, end, to_last in zip(ref_tensors, begins, ends, end_masks, strict=True):
        sizes += reference.shape[begin : None if to_last else end]
    if prod(sizes) != x.numel():
        raise ValueError(f"{list(x.shape)} does not fit in the shape {sizes} of the references")
    return x.reshape(sizes)


@op("squeeze")
def squeeze(x: Tensor, axes: tuple[int, ...] | None = None) -> Tensor:
    """Without those of the axes given, or of all, whose size is 1."""
    chosen = range(x.ndim) if axes is None else [resolved(axis, x.ndim) for axis in axes]
    return x.squeeze(tuple(dict.fromkeys(chosen)))


@op("expand_dims")
def expand_dims(x: Tensor, axes: tuple[int, ...]) -> Tensor:
    """With axes of size 1 at these places of the result.

    Raises:
        ValueError: an axis is named twice.
    """
    rank = x.ndim + len(axes)
    places = sorted(resolved(axis, rank) for axis in axes)
    if len(set(places)) < len(places):
        raise ValueError(f"axes {list(axes)} of a result of {rank} axes name one of them twice")
    for place in places:
        x = x.unsqueeze(place)
    return x


@op("flatten2d")
def flatten2d(x: Tensor, axis: int = 1) -> Tensor:
    """The axes before the given one as one, and those from it on as another."""
    if not -x.ndim <= axis <= x.ndim:
        raise ValueError(f"axis {axis} is not between the {x.ndim} axes of x")
    return x.reshape(prod(x.shape[:axis]), prod(x.shape[axis:]))


@op("shape", gives=("int32",))
def shape(x: Tensor) -> Tensor:
    """The sizes of x."""
    return torch.tensor(x.shape, dtype=torch.int32)
