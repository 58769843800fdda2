"""Arithmetic of two tensors element by element, with numpy's broadcasting. Integers wrap around where they overflow."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from edgekit_coreml.reference.ops.registry import op


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
    """Return x / y, for integers rounded towards zero.

    ML programs give two integers an integer (coremltools, mil/ops/tests/iOS14/test_elementwise_binary.py, which compares
    with Core ML for positive numbers); coremltools itself casts the quotient, which drops its fraction.

    Raises:
        ValueError: an integer is divided by zero.
    """
    return x / y if x.is_floating_point() else _divided(x, y, "trunc")


@op("floor_div")
def floor_div(x: Tensor, y: Tensor) -> Tensor:
    """Return the integer next below the exact quotient x / y: 1 // 0.1 is 9, for the float 0.1 is more than a tenth.

    Raises:
        ValueError: an integer is divided by zero.
    """
    return torch.div(x, y, rounding_mode="floor") if x.is_floating_point() else _divided(x, y, "floor")


@op("mod")
def mod(x: Tensor, y: Tensor) -> Tensor:
    """Return the remainder of x / y where both have one sign.

    coremltools computes Python's remainder, which has the sign of y. Core ML was seen to compute C's, which has that of x
    (https://github.com/kasper0406/stablehlo-coreml/pull/70).

    Raises:
        ValueError: these two differ, or an integer is divided by zero.
    """
    remainder = torch.fmod(x, y if x.is_floating_point() else _divisor(y))
    if ((remainder != 0) & ((remainder < 0) != (y < 0))).any():
        raise ValueError("x and y have different signs: Core ML and its documentation disagree about the sign of the remainder")
    return remainder


@op("pow")
def power(x: Tensor, y: Tensor) -> Tensor:
    """Return x to the power of y.

    Raises:
        ValueError: an integer has a negative power, which is a fraction.
    """
    if not x.is_floating_point() and (y < 0).any():
        raise ValueError("a negative power of an integer is no integer")
    return torch.pow(x, y)


@op("maximum")
def maximum(x: Tensor, y: Tensor) -> Tensor:
    """Return the greater of x and y, and NaN where either is NaN, as coremltools does; the documentation's formula gives y."""
    return torch.maximum(x, y)


@op("minimum")
def minimum(x: Tensor, y: Tensor) -> Tensor:
    """Return the smaller of x and y; NaN as in `maximum`."""
    return torch.minimum(x, y)


def _divided(x: Tensor, y: Tensor, rounding: Literal["trunc", "floor"]) -> Tensor:
    quotient = torch.div(x, _divisor(y), rounding_mode=rounding)
    return torch.where(y == -1, -quotient, quotient)


def _divisor(y: Tensor) -> Tensor:
    """A processor traps a division by zero, and that of the lowest integer by -1: 1 stands for -1."""
    if (y == 0).any():
        raise ValueError("an integer is divided by zero")
    return torch.where(y == -1, torch.ones_like(y), y)
