"""The same values in another order, and windows of them."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from edgekit_coreml.reference.ops.axis import flipped, resolved
from edgekit_coreml.reference.ops.registry import op
from edgekit_coreml.reference.ops.size import bounded
from edgekit_coreml.reference.ops.spatial import innermost_first


@op("transpose")
def transpose(x: Tensor, perm: tuple[int, ...]) -> Tensor:
    """Axes in another order."""
    order = [resolved(axis, x.ndim) for axis in perm]
    if sorted(order) != list(range(x.ndim)):
        raise ValueError(f"perm {list(perm)} is no order of {x.ndim} axes")
    return x.permute(order)


@op("reverse")
def reverse(x: Tensor, axes: tuple[int, ...] | None = None) -> Tensor:
    """The axes given, or all, from their end to their beginning."""
    for axis in range(x.ndim) if axes is None else axes:
        x = flipped(x, resolved(axis, x.ndim))
    return x


@op("reverse_sequence", own=("lengths",))
def reverse_sequence(x: Tensor, lengths: Tensor, seq_axis: int = 0, batch_axis: int = 0) -> Tensor:
    """Reverse the first elements along seq_axis, as many as `lengths` says for each place of batch_axis.

    Raises:
        ValueError: both axes are the same, as they are where they are left out, or a length is not one of the axis.
    """
    along, batch = resolved(seq_axis, x.ndim), resolved(batch_axis, x.ndim)
    if along == batch:
        raise ValueError(f"seq_axis and batch_axis are both axis {along}")
    size = x.shape[along]
    counts = lengths.long()
    if counts.shape != x.shape[batch : batch + 1] or bool(((counts < 0) | (counts > size)).any()):
        raise ValueError(f"lengths {lengths.tolist()} are not {x.shape[batch]} numbers from 0 to {size}")
    places = torch.arange(size).expand(len(counts), size)
    sources = torch.where(places < counts[:, None], counts[:, None] - 1 - places, places)
    rows = x.movedim((batch, along), (0, 1))
    return rows[torch.arange(len(counts))[:, None], sources].movedim((0, 1), (batch, along))


@op("sliding_windows")
def sliding_windows(x: Tensor, axis: int, size: int, stride: int = 1) -> Tensor:
    """All windows along an axis, each along a new axis after it.

    Raises:
        ValueError: the windows do not fit.
    """
    axis = resolved(axis, x.ndim)
    if not 0 < size <= x.shape[axis] or stride < 1:
        raise ValueError(f"no windows of {size} with stride {stride} along an axis of {x.shape[axis]}")
    windows = x.unfold(axis, size, stride).movedim(-1, axis + 1)
    bounded(windows.shape)
    return windows


@op("depth_to_space")
def depth_to_space(x: Tensor, block_size: int) -> Tensor:
    """Channels become blocks of pixels; the result's channels are the fastest ones within x's, as in TensorFlow.

    Raises:
        ValueError: x has not four axes, its channels cannot be divided so, or the block is smaller than 2.
    """
    # coremltools converts TensorFlow's operator to this one as it is, and PyTorch's PixelShuffle to pixel_shuffle
    size, (batch, channels, height, width) = _block(block_size, x, 2), x.shape
    parts = x.reshape(batch, size, size, _divided(channels, size * size), height, width)
    return parts.permute(0, 3, 4, 1, 5, 2).reshape(batch, -1, height * size, width * size)


@op("space_to_depth")
def space_to_depth(x: Tensor, block_size: int) -> Tensor:
    """Blocks of pixels become channels; the channels of x are the fastest ones within the result's, as in TensorFlow.

    Raises:
        ValueError: x has not four axes, its pixels cannot be divided so, or the block is smaller than 2.
    """
    size, (batch, channels, height, width) = _block(block_size, x, 2), x.shape
    parts = x.reshape(batch, channels, _divided(height, size), size, _divided(width, size), size)
    return parts.permute(0, 3, 5, 1, 2, 4).reshape(batch, channels * size * size, height // size, width // size)


@op("pixel_shuffle")
def pixel_shuffle(x: Tensor, upscale_factor: int) -> Tensor:
    """Channels become blocks of pixels; the pixels of a block are the fastest within x's channels, as in PyTorch.

    Raises:
        ValueError: x has not four axes, or its channels cannot be divided so.
    """
    size, (batch, channels, height, width) = _block(upscale_factor, x, 1), x.shape
    parts = x.reshape(batch, _divided(channels, size * size), size, size, height, width)
    return parts.permute(0, 1, 4, 2, 5, 3).reshape(batch, -1, height * size, width * size)


@op("pixel_unshuffle")
def pixel_unshuffle(x: Tensor, downscale_factor: int) -> Tensor:
    """Blocks of pixels become channels; the pixels of a block are the fastest within the result's, as in PyTorch.

    Raises:
        ValueError: x has not four axes, or its pixels cannot be divided so.
    """
    size, (batch, channels, height, width) = _block(downscale_factor, x, 1), x.shape
    parts = x.reshape(batch, channels, _divided(height, size), size, _divided(width, size), size)
    return parts.permute(0, 1, 3, 5, 2, 4).reshape(batch, channels * size * size, height // size, width // size)


@op("space_to_batch", own=("paddings",))
def space_to_batch(x: Tensor, block_shape: tuple[int, ...], paddings: Tensor) -> Tensor:
    """Pixels at the same place of each block, after padding with zeros, become a picture; the batch of x is the fastest.

    Raises:
        ValueError: x has not four axes, or its padded pixels cannot be divided so.
    """
    (rows, columns), pads = _blocks(block_shape), _pairs(paddings, "paddings")
    batch, channels, height, width = _picture(x)
    height, width = height + sum(pads[0]), width + sum(pads[1])
    bounded([batch, channels, height, width])
    padded = functional.pad(x, innermost_first(pads))
    parts = padded.reshape(batch, channels, _divided(height, rows), rows, _divided(width, columns), columns)
    return parts.permute(3, 5, 0, 1, 2, 4).reshape(rows * columns * batch, channels, height // rows, width // columns)


@op("batch_to_space", own=("crops",))
def batch_to_space(x: Tensor, block_shape: tuple[int, ...], crops: Tensor) -> Tensor:
    """The inverse of space_to_batch: pictures become blocks of pixels, which are cropped.

    Raises:
        ValueError: x has not four axes, its batch cannot be divided so, or nothing is left.
    """
    (rows, columns), ((top, bottom), (left, right)) = _blocks(block_shape), _pairs(crops, "crops")
    batch, channels, height, width = _picture(x)
    parts = x.reshape(rows, columns, _divided(batch, rows * columns), channels, height, width)
    whole = parts.permute(2, 3, 4, 0, 5, 1).reshape(-1, channels, height * rows, width * columns)
    if top + bottom >= height * rows or left + right >= width * columns:
        raise ValueError(f"crops {crops.tolist()} leave nothing of {height * rows} by {width * columns} pixels")
    return whole[:, :, top : height * rows - bottom, left : width * columns - right]


def _picture(x: Tensor) -> torch.Size:
    if x.ndim != 4:
        raise ValueError(f"x has {x.ndim} axes, not the four of N, C, H, W")
    return x.shape


def _block(size: int, x: Tensor, least: int) -> int:
    _picture(x)
    if size < least:
        raise ValueError(f"a block of {size} pixels; {least} are the least")
    return size


def _blocks(shape: tuple[int, ...]) -> tuple[int, ...]:
    if len(shape) != 2 or min(shape) < 1:
        raise ValueError(f"block_shape {list(shape)} is not two numbers from 1")
    return shape


def _pairs(amounts: Tensor, name: str) -> list[tuple[int, int]]:
    if amounts.shape != (2, 2) or bool((amounts < 0).any()):
        raise ValueError(f"{name} {amounts.tolist()} are not two numbers from 0 for each of two axes")
    (top, bottom), (left, right) = amounts.tolist()
    return [(top, bottom), (left, right)]


def _divided(size: int, parts: int) -> int:
    if size % parts:
        raise ValueError(f"{size} cannot be divided by {parts}")
    return size // parts
