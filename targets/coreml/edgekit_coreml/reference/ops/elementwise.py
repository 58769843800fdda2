"""Arithmetic element by element, with numpy's broadcasting."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from edgekit_coreml.reference.dtype import HELD, full_name
from edgekit_coreml.reference.ops.registry import op

_Dtype = Literal["fp16", "fp32", "int8", "uint8", "int16", "uint16", "int32", "bool"]


@op("add")
def add(x: Tensor, y: Tensor) -> Tensor:
    """Return x + y."""
    return x + y


@op("sub")
def sub(x: Tensor, y: Tensor) -> Tensor:
    """Return x - y."""
    return x - y


@op("mul")
def mul(x: Tensor, y: Tensor) -> Tensor:
    """Return x * y."""
    return x * y


@op("real_div")
def real_div(x: Tensor, y: Tensor) -> Tensor:
    """Return x / y."""
    return x / y


@op("pow")
def power(x: Tensor, y: Tensor) -> Tensor:
    """Return x to the power of y."""
    return torch.pow(x, y)


@op("maximum")
def maximum(x: Tensor, y: Tensor) -> Tensor:
    """Return the greater of x and y."""
    return torch.maximum(x, y)


@op("minimum")
def minimum(x: Tensor, y: Tensor) -> Tensor:
    """Return the smaller of x and y."""
    return torch.minimum(x, y)


@op("abs")
def absolute(x: Tensor) -> Tensor:
    """Return |x|."""
    return torch.abs(x)


@op("square")
def square(x: Tensor) -> Tensor:
    """Return x * x."""
    return x * x


@op("sqrt")
def sqrt(x: Tensor) -> Tensor:
    """Return the square root of x."""
    return torch.sqrt(x)


@op("rsqrt")
def rsqrt(x: Tensor, epsilon: float = 1e-12) -> Tensor:
    """Return 1 / sqrt(x + epsilon)."""
    return torch.rsqrt(x + epsilon)


@op("inverse")
def inverse(x: Tensor, epsilon: float = 1e-4) -> Tensor:
    """Return 1 / (x + epsilon)."""
    return torch.reciprocal(x + epsilon)


@op("exp")
def exp(x: Tensor) -> Tensor:
    """Return e to the power of x."""
    return torch.exp(x)


@op("log")
def log(x: Tensor, epsilon: float = 1e-45) -> Tensor:
    """Return the natural logarithm of x + epsilon."""
    return torch.log(x + epsilon)


@op("tanh")
def tanh(x: Tensor) -> Tensor:
    """Return the hyperbolic tangent of x."""
    return torch.tanh(x)


@op("erf")
def erf(x: Tensor) -> Tensor:
    """Return the Gauss error function of x."""
    return torch.erf(x)


@op("clip")
def clip(x: Tensor, alpha: float, beta: float) -> Tensor:
    """Return min(max(x, alpha), beta)."""
    return torch.clamp(x, alpha, beta)


@op("threshold")
def threshold(x: Tensor, alpha: float) -> Tensor:
    """Return max(x, alpha)."""
    return torch.clamp(x, min=alpha)


@op("identity")
def identity(x: Tensor) -> Tensor:
    """Return x."""
    return x


@op("cast", gives=("dtype",))
def cast(x: Tensor, dtype: _Dtype) -> Tensor:
    """Return x in another type, floats truncated towards zero where that is an integer."""
    return x.to(HELD[full_name(dtype)])
