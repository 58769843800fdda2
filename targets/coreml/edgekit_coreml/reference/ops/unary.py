"""Functions of one number, element by element."""

from __future__ import annotations

import torch
from torch import Tensor

from edgekit_coreml.reference.ops.registry import Rounded, op


@op("abs")
def absolute(x: Tensor) -> Tensor:
    """Return |x|."""
    return torch.abs(x)


@op("sign")
def sign(x: Tensor) -> Tensor:
    """Return -1, 0 or 1, and NaN for NaN."""
    return torch.where(x.isnan(), x, torch.sign(x)) if x.is_floating_point() else torch.sign(x)


@op("square")
def square(x: Tensor) -> Tensor:
    """Return x * x."""
    return x * x


@op("sqrt")
def sqrt(x: Tensor) -> Tensor:
    """Return the square root of x."""
    return torch.sqrt(x)


@op("rsqrt")
def rsqrt(x: Tensor, epsilon: float = Rounded(1e-12)) -> Tensor:
    """Return 1 / sqrt(x + epsilon)."""
    return torch.rsqrt(x + epsilon)


@op("inverse")
def inverse(x: Tensor, epsilon: float = Rounded(1e-4)) -> Tensor:
    """Return 1 / (x + epsilon)."""
    return torch.reciprocal(x + epsilon)


@op("exp")
def exp(x: Tensor) -> Tensor:
    """Return e to the power of x."""
    return torch.exp(x)


@op("exp2")
def exp2(x: Tensor) -> Tensor:
    """Return 2 to the power of x.

    Raises:
        ValueError: x is an integer, and the power is not one of its type.
    """
    if x.is_floating_point():
        return torch.exp2(x)
    if ((x < 0) | (x > torch.iinfo(x.dtype).bits - 2)).any():
        raise ValueError(f"2 to the power of one of x is not of the type {str(x.dtype).removeprefix('torch.')}, which is x's")
    return torch.ones_like(x) << x


@op("log")
def log(x: Tensor, epsilon: float = Rounded(1e-45)) -> Tensor:
    """Return the natural logarithm of x + epsilon."""
    return torch.log(x + epsilon)


@op("erf")
def erf(x: Tensor) -> Tensor:
    """Return the Gauss error function of x."""
    return torch.erf(x)


@op("sin")
def sin(x: Tensor) -> Tensor:
    """Return the sine of x, in radians."""
    return torch.sin(x)


@op("cos")
def cos(x: Tensor) -> Tensor:
    """Return the cosine of x, in radians."""
    return torch.cos(x)


@op("tan")
def tan(x: Tensor) -> Tensor:
    """Return the tangent of x, in radians."""
    return torch.tan(x)


@op("asin")
def asin(x: Tensor) -> Tensor:
    """Return the angle in radians whose sine is x, NaN beyond -1 and 1."""
    return torch.asin(x)


@op("acos")
def acos(x: Tensor) -> Tensor:
    """Return the angle in radians whose cosine is x, NaN beyond -1 and 1."""
    return torch.acos(x)


@op("atan")
def atan(x: Tensor) -> Tensor:
    """Return the angle in radians whose tangent is x."""
    return torch.atan(x)


@op("sinh")
def sinh(x: Tensor) -> Tensor:
    """Return the hyperbolic sine of x."""
    return torch.sinh(x)


@op("cosh")
def cosh(x: Tensor) -> Tensor:
    """Return the hyperbolic cosine of x."""
    return torch.cosh(x)


@op("tanh")
def tanh(x: Tensor) -> Tensor:
    """Return the hyperbolic tangent of x."""
    return torch.tanh(x)


@op("atanh")
def atanh(x: Tensor) -> Tensor:
    """Return the number whose hyperbolic tangent is x."""
    return torch.atanh(x)


@op("ceil")
def ceil(x: Tensor) -> Tensor:
    """Return the integer next above x."""
    return torch.ceil(x)


@op("floor")
def floor(x: Tensor) -> Tensor:
    """Return the integer next below x."""
    return torch.floor(x)


@op("round")
def nearest(x: Tensor) -> Tensor:
    """Return the nearest integer, the even one of two.

    Core ML does so on the CPU; its GPU and Neural Engine were seen to round halves in other ways
    (https://github.com/webmachinelearning/webnn/issues/817).
    """
    return torch.round(x)


@op("clip")
def clip(x: Tensor, alpha: float, beta: float, *, opset: int) -> Tensor:
    """Return min(max(x, alpha), beta).

    Raises:
        ValueError: alpha is not less than beta, since iOS 17.
    """
    if opset >= 7 and not alpha < beta:
        raise ValueError(f"alpha {alpha} is not less than beta {beta}, as it has to be since iOS 17")
    return torch.clamp(x, alpha, beta)


@op("threshold")
def threshold(x: Tensor, alpha: float) -> Tensor:
    """Return max(x, alpha)."""
    return torch.clamp(x, min=alpha if x.is_floating_point() else int(alpha))


@op("identity")
def identity(x: Tensor) -> Tensor:
    """Return x."""
    return x
