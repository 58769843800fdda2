"""Conversion to another type."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from edgekit_coreml.reference.dtype import HELD, full_name
from edgekit_coreml.reference.ops.registry import op

_Dtype = Literal["fp16", "fp32", "int8", "uint8", "int16", "uint16", "int32", "bool"]


@op("cast", gives=("dtype",))
def cast(x: Tensor, dtype: _Dtype) -> Tensor:
    """Return x in another type: no fraction in integers, the lowest bits of an integer that is too long, false for zero.

    Raises:
        ValueError: a float has no neighbour in the integer type, or is NaN: what a processor makes of it is its own affair, and
            Core ML does not say.
    """
    held = HELD[full_name(dtype)]
    if x.is_floating_point() and not held.is_floating_point and held != torch.bool and x.numel():
        limits = torch.iinfo(held)
        lowest, highest = (limit.item() for limit in torch.aminmax(x))
        if not (lowest > limits.min - 1 and highest < limits.max + 1):
            raise ValueError(f"x has values from {lowest:g} to {highest:g}, which {dtype} cannot hold")
    return x.to(held)
