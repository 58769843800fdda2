"""Padding."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

from edgekit_coreml.reference.ops.axis import taken
from edgekit_coreml.reference.ops.registry import op
from edgekit_coreml.reference.ops.size import bounded
from edgekit_coreml.reference.ops.spatial import innermost_first


@op("pad")
def pad(
    x: Tensor,
    pad: tuple[int, ...],
    mode: Literal["constant", "reflect", "replicate"] = "constant",
    constant_val: float = 0.0,
) -> Tensor:
    """Elements before and after each of the last axes.

    Raises:
        ValueError: reflect pads by more than size - 1 pixels, or replicate by more than size, as documented.
    """
    if len(pad) % 2 or len(pad) > 2 * x.ndim or any(amount < 0 for amount in pad):
        raise ValueError(f"pad {list(pad)} is not two numbers from 0 for each of at most {x.ndim} axes")
    pads = list(zip(pad[::2], pad[1::2], strict=True))
    padded = list(enumerate(pads, start=x.ndim - len(pads)))
    sizes = list(x.shape)
    for axis, amounts in padded:
        sizes[axis] += sum(amounts)
    bounded(sizes)
    if mode == "constant":
        return functional.pad(x, innermost_first(pads), value=constant_val)
    for axis, (before, after) in padded:
        x = taken(x, axis, _mirrored(x.shape[axis], before, after, mode))
    return x


def _mirrored(size: int, before: int, after: int, mode: Literal["reflect", "replicate"]) -> Tensor:
    """Positions on an axis that its padded version repeats."""
    limit = size - 1 if mode == "reflect" else size
    if max(before, after) > limit:
        raise ValueError(f"an axis of {size} can be padded by {limit} with mode {mode}, not by {max(before, after)}")
    positions = torch.arange(-before, size + after)
    if mode == "replicate":
        return positions.clamp_(0, size - 1)
    return (size - 1) - ((size - 1) - positions.abs()).abs()
