"""Convolutions over one, two or three axes of [N, C, ...]."""

from __future__ import annotations

from math import ceil

import torch
from torch import Tensor
from torch.nn import functional

from edgekit_coreml.reference.ops.registry import op
from edgekit_coreml.reference.ops.size import bounded
from edgekit_coreml.reference.ops.spatial import Pads, PadType, innermost_first, pads_of

_CONVOLUTIONS = {1: torch.conv1d, 2: torch.conv2d, 3: torch.conv3d}
_TRANSPOSED = {1: torch.conv_transpose1d, 2: torch.conv_transpose2d, 3: torch.conv_transpose3d}


@op("conv", own=("weight", "bias"))
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
    """Convolution with a weight of [C_out, C_in / groups, ...].

    Raises:
        ValueError: x has no or more than three axes besides N and C, or the attributes are not of as many axes.
    """
    axes = _axes(x)
    strides, dilations = strides or (1,) * axes, dilations or (1,) * axes
    pads = pads_of(pad_type, pad, x.shape[2:], _reach(weight, dilations), strides)
    padding = [before for before, _ in pads]
    if any(before != after for before, after in pads):
        x, padding = functional.pad(x, innermost_first(pads)), [0] * axes
    return _CONVOLUTIONS[axes](x, weight, bias, strides, padding, dilations, groups)


@op("conv_transpose", own=("weight", "bias"))
def conv_transpose(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    pad: tuple[int, ...] = (),
    output_shape: tuple[int, ...] | None = None,
    pad_type: PadType = "valid",
    strides: tuple[int, ...] = (),
    dilations: tuple[int, ...] = (),
    groups: int = 1,
) -> Tensor:
    """Spread each pixel with a weight of [C_in, C_out / groups, ...]: the gradient of a convolution.

    Raises:
        ValueError: as `conv`, or the output_shape is not one that a convolution with these attributes takes to the shape of x.
            With pad_type "valid" and "custom" it has to be the one that the documentation works out from the others: Core ML's
            result depends on the device otherwise (https://github.com/apple/coremltools/issues/2281).
    """
    axes = _axes(x)
    strides, dilations = strides or (1,) * axes, dilations or (1,) * axes
    reach = _reach(weight, dilations)
    made = [(size - 1) * stride + span for size, stride, span in zip(x.shape[2:], strides, reach, strict=True)]
    bounded((x.shape[0], weight.shape[1] * groups, *made))
    full = _TRANSPOSED[axes](x, weight, None, strides, 0, 0, groups, dilations)
    if output_shape is not None and output_shape[:2] != full.shape[:2]:
        raise ValueError(f"output_shape is {list(output_shape)}, but N and C are {list(full.shape[:2])}")
    sizes = None if output_shape is None else output_shape[2:]
    crop = _crop(x, full, pad_type, pad, sizes, reach, strides)
    result = functional.pad(full, innermost_first([(-before, -after) for before, after in crop]))
    return result if bias is None else result + bias.reshape(-1, *[1] * axes)


def _crop(
    x: Tensor,
    full: Tensor,
    pad_type: PadType,
    pad: tuple[int, ...],
    sizes: tuple[int, ...] | None,
    reach: list[int],
    strides: tuple[int, ...],
) -> Pads:
    """How much the padding of the convolution takes off before and after each axis, less than nothing where zeros are added."""
    if pad_type == "same_lower":
        raise ValueError("pad_type same_lower is not documented for conv_transpose")
    if pad_type != "same":
        crop = pads_of(pad_type, pad, x.shape[2:], reach, strides)
        made = tuple(size - before - after for size, (before, after) in zip(full.shape[2:], crop, strict=True))
        if sizes is not None and sizes != made:
            raise ValueError(f"output_shape is {list(sizes)}, but pad_type {pad_type} gives {list(made)}")
        return crop
    if sizes is None:
        sizes = tuple(size * stride for size, stride in zip(x.shape[2:], strides, strict=True))
    if [ceil(size / stride) for size, stride in zip(sizes, strides, strict=True)] != list(x.shape[2:]):
        raise ValueError(f"output_shape is {list(sizes)}, which a convolution does not take to {list(x.shape[2:])}")
    pads = pads_of("same", (), sizes, reach, strides)
    return [
        (before, full.shape[axis] - before - size) for axis, ((before, _), size) in enumerate(zip(pads, sizes, strict=True), 2)
    ]


def _axes(x: Tensor) -> int:
    if x.ndim - 2 not in _CONVOLUTIONS:
        raise ValueError(f"x has {x.ndim} axes; three to five are possible")
    return x.ndim - 2


def _reach(weight: Tensor, dilations: tuple[int, ...]) -> list[int]:
    """How many pixels the kernel spans along each axis."""
    return [(size - 1) * dilation + 1 for size, dilation in zip(weight.shape[2:], dilations, strict=True)]
