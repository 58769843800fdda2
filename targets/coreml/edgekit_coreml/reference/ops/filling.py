"""Tensors made of a few numbers."""

from __future__ import annotations

from math import isfinite

import numpy as np
import torch
from torch import Tensor

from edgekit_coreml.reference.ops.axis import resolved
from edgekit_coreml.reference.ops.registry import op
from edgekit_coreml.reference.ops.size import bounded

_ZERO, _NONE, _ONE = torch.tensor(0.0), torch.tensor(0, dtype=torch.int32), torch.tensor(1, dtype=torch.int32)


@op("fill", gives=("value",))
def fill(shape: tuple[int, ...], value: Tensor = _ZERO) -> Tensor:
    """One value everywhere.

    Raises:
        ValueError: a size is less than 1.
    """
    if min(shape, default=1) < 1:
        raise ValueError(f"shape {list(shape)} is not of numbers from 1")
    return _scalar("value", value).repeat(bounded(shape))


@op("fill_like", gives=("value",), own=("ref_tensor",))
def fill_like(ref_tensor: Tensor, value: Tensor = _ZERO) -> Tensor:
    """One value everywhere, in the shape of another tensor."""
    return _scalar("value", value).repeat(ref_tensor.shape)


@op("one_hot", gives=("on_value",), own=("indices",))
def one_hot(
    indices: Tensor, one_hot_vector_size: int, axis: int = -1, on_value: Tensor = _ONE, off_value: Tensor = _NONE
) -> Tensor:
    """One value where the position on a new axis is the index, another one elsewhere.

    Raises:
        ValueError: an index is out of range.
    """
    on, off = _scalar("on_value", on_value), _scalar("off_value", off_value)
    axis = resolved(axis, indices.ndim + 1)
    bounded([*indices.shape, one_hot_vector_size])
    # MIL's documentation does not say what an index outside gives; in TensorFlow, from which it comes, it is off_value
    if bool(((indices < 0) | (indices >= one_hot_vector_size)).any()):
        raise ValueError(f"an index is not from 0 to {one_hot_vector_size - 1}")
    positions = torch.arange(one_hot_vector_size, dtype=indices.dtype).reshape(-1, *[1] * (indices.ndim - axis))
    return torch.where(indices.unsqueeze(axis) == positions, on, off)


@op("range_1d", gives=("start",))
def range_1d(end: Tensor, start: Tensor, step: Tensor) -> Tensor:
    """Return start, start + step, and so on, before `end`.

    Raises:
        ValueError: the step is 0, or something is infinite or NaN.
    """
    first, last, stride = (_scalar(name, each).item() for name, each in (("start", start), ("end", end), ("step", step)))
    if not stride:
        raise ValueError("step is 0")
    if start.is_floating_point():  # coremltools infers the shape in this type
        with np.errstate(over="ignore", invalid="ignore"):
            steps = float(np.ceil((np.float32(last) - np.float32(first)) / np.float32(stride)))
        if not isfinite(steps):
            raise ValueError(f"there is no range from {first} to {last} in steps of {stride}")
        count = int(steps)
    else:
        count = int(-((first - last) // stride))
    (count,) = bounded([max(count, 0)])
    return (torch.arange(count, dtype=torch.float64) * stride + first).to(start.dtype)


def _scalar(name: str, value: Tensor) -> Tensor:
    if value.ndim:
        raise ValueError(f"{name} has shape {list(value.shape)}, where one value is needed")
    return value
