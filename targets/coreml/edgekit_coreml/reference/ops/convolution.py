"""Convolutions."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from edgekit_coreml.reference.ops.registry import op
from edgekit_coreml.reference.ops.spatial import PadType, innermost_first, pads_of

_CONVOLUTIONS = {1: torch.conv1d, 2: torch.conv2d, 3: torch.conv3d}


@op("conv")
def conv(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    strides: tuple[int, ...] = (),
    pad_type: PadType = "valid",
    pad: tuple[int, ...] = (),
    dilations: tuple[int, ...] = (),
    groups: int = 1,
) -> Tensor:
    """Convolution over one, two or three axes of NC..."""
    axes = x.ndim - 2
    if axes not in _CONVOLUTIONS:
        raise ValueError(f"x has {x.ndim} axes; three to five are possible")
    strides, dilations = strides or (1,) * axes, dilations or (1,) * axes
    kernel = [(size - 1) * dilation + 1 for size, dilation in zip(weight.shape[2:], dilations, strict=True)]
    pads = pads_of(pad_type, pad, x.shape[2:], kernel, strides)
    padding = [before for before, _ in pads]
    if any(before != after for before, after in pads):
        x, padding = functional.pad(x, innermost_first(pads)), [0] * axes
    return _CONVOLUTIONS[axes](x, weight, bias, strides, padding, dilations, groups)
