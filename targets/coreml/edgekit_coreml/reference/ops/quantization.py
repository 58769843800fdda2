"""Affine quantisation of values: 8-bit integers and floats, with a scale and a zero point for all of them or per channel."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from edgekit_coreml.reference.dtype import HELD
from edgekit_coreml.reference.ops.registry import op


@op("quantize", gives=("output_dtype",), own=("zero_point",))
def quantize(
    input: Tensor,
    scale: Tensor,
    output_dtype: Literal["int8", "uint8"],
    zero_point: Tensor | None = None,
    axis: int | None = None,
) -> Tensor:
    """Return clip(round(input / scale) + zero_point), with halves rounded to even.

    The documentation says "round" and no more; to even is what coremltools computes for constants, and what ONNX and
    PyTorch define.
    """
    dtype = HELD[output_dtype]
    limits = torch.iinfo(dtype)
    steps = torch.round(input / per_channel(scale, input, axis))
    if torch.isnan(steps).any():
        raise ValueError("the input divided by the scale has NaN in it, which no integer can hold")
    if zero_point is not None:
        steps = steps + per_channel(zero_point, input, axis)
    return torch.clamp(steps, limits.min, limits.max).to(dtype)


@op("dequantize", gives=("scale",), own=("scale",))
def dequantize(
    input: Tensor,
    scale: Tensor,
    zero_point: Tensor | None = None,
    axis: int | None = None,
) -> Tensor:
    """Return scale * (input - zero_point). The difference of two 8-bit integers is exact in float32."""
    steps = input.float()
    if zero_point is not None:
        steps = steps - per_channel(zero_point, input, axis)
    return per_channel(scale, input, axis) * steps


def per_channel(parameter: Tensor, data: Tensor, axis: int | None) -> Tensor:
    """Shape a scale or zero point, one for all or one per channel along `axis`, so that it broadcasts to the data as float32.

    Raises:
        ValueError: a vector without an axis, an axis that the data has not, or a vector of another length.
    """
    if parameter.ndim == 0:
        return parameter.float()
    if axis is None or not -data.ndim <= axis < data.ndim:
        raise ValueError(f"axis is {axis}, for data of rank {data.ndim} with a scale or zero point per channel")
    if parameter.shape != data.shape[axis : axis + 1 or None]:
        raise ValueError(f"{list(parameter.shape)} scales or zero points along axis {axis} of data of {list(data.shape)}")
    sizes = [1] * data.ndim
    sizes[axis] = -1
    return parameter.float().reshape(sizes)
