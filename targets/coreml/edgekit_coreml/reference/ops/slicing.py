"""Slices: taking them, and putting others in their place."""

from __future__ import annotations

from torch import Tensor

from edgekit_coreml.reference.ops.axis import flipped
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
    """Return x[begin:end:stride, ...]; a mask drops a begin or an end, or picks begin alone and drops the axis.

    Raises:
        ValueError: a picked position is out of range, or both ends count from the same side and cross, which coremltools refuses.
    """
    part, backwards = _part(x, begin, end, stride, (begin_mask, end_mask, squeeze_mask))
    for axis in backwards:
        part = flipped(part, axis)
    return part


@op("slice_update")
def slice_update(
    x: Tensor,
    update: Tensor,
    begin: tuple[int, ...],
    end: tuple[int, ...],
    stride: tuple[int, ...] = (),
    begin_mask: tuple[bool, ...] = (),
    end_mask: tuple[bool, ...] = (),
    squeeze_mask: tuple[bool, ...] = (),
) -> Tensor:
    """Return x with `update` in the place of what slice_by_index takes.

    Raises:
        ValueError: as for slice_by_index, or the update is a scalar or of another shape.
    """
    result = x.clone()
    part, backwards = _part(result, begin, end, stride, (begin_mask, end_mask, squeeze_mask))
    if update.shape != part.shape or not update.ndim:
        raise ValueError(f"an update of shape {list(update.shape)} for a slice of shape {list(part.shape)}")
    for axis in backwards:
        update = flipped(update, axis)
    part.copy_(update)
    return result


@op("slice_by_size")
def slice_by_size(x: Tensor, begin: tuple[int, ...], size: tuple[int, ...]) -> Tensor:
    """Elements from begin on along every axis, `size` of them, or all that are left where it is -1.

    Raises:
        ValueError: the elements are not all there.
    """
    if not len(begin) == len(size) == x.ndim:
        raise ValueError(f"begin and size are not one for each of {x.ndim} axes")
    for axis, (first, count) in enumerate(zip(begin, size, strict=True)):
        there = x.shape[axis]
        start = first + there if first < 0 else first
        length = there - start if count == -1 else count
        if not 0 <= start <= start + length <= there:
            raise ValueError(f"axis {axis} of {there} has no {count} elements from {first} on")
        x = x.narrow(axis, start, length)
    return x


@op("crop")
def crop(x: Tensor, crop_height: tuple[int, ...], crop_width: tuple[int, ...]) -> Tensor:
    """Without so many pixels at the top and bottom, and at the left and right.

    Raises:
        ValueError: nothing is left.
    """
    if x.ndim < 3 or len(crop_height) != 2 or len(crop_width) != 2 or min(crop_height + crop_width) < 0:
        raise ValueError(f"crop_height {list(crop_height)} and crop_width {list(crop_width)} of {x.ndim} axes")
    for axis, (before, after) in ((-2, crop_height), (-1, crop_width)):
        left = x.shape[axis] - before - after
        if left < 1:
            raise ValueError(f"cropping {before} and {after} of {x.shape[axis]} pixels leaves none")
        x = x.narrow(axis, before, left)
    return x


def _part(
    x: Tensor, begin: tuple[int, ...], end: tuple[int, ...], stride: tuple[int, ...], masks: tuple[tuple[bool, ...], ...]
) -> tuple[Tensor, list[int]]:
    """A view of the slice, and which of its axes are in it from their beginning on where the stride says from their end."""
    given = [begin, end, stride or (1,) * x.ndim, *(mask or (False,) * x.ndim for mask in masks)]
    if any(len(each) != x.ndim for each in given):
        raise ValueError(f"begin, end, stride and masks are not one for each of {x.ndim} axes")
    backwards, axis = [], 0
    for first, last, step, from_start, to_end, picked in zip(*given, strict=True):
        if picked:
            x = _picked(x, axis, 0 if from_start else first)
            continue
        positions = range(x.shape[axis])[slice(None if from_start else first, None if to_end else last, step)]
        if not from_start and not to_end:
            _refuse_crossed(first, last, step)
        if step < 0:
            positions = positions[::-1]
            backwards.append(axis)
        stop = positions.start + len(positions) * positions.step
        x = x[(slice(None),) * axis + (slice(positions.start, stop, positions.step),)]
        axis += 1
    return x, backwards


def _picked(x: Tensor, axis: int, position: int) -> Tensor:
    size = x.shape[axis]
    if not -size <= position < size:
        raise ValueError(f"an axis of {size} has no position {position}")
    return x.select(axis, position)


def _refuse_crossed(first: int, last: int, step: int) -> None:
    """coremltools refuses these, where numpy would give nothing; what Core ML gives is not documented."""
    if (min(first, last) >= 0 and last < first and step > 0) or (max(first, last) < 0 and first < last and step < 0):
        raise ValueError(f"a slice from {first} to {last} in steps of {step}")
