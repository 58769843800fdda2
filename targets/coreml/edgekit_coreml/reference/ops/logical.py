"""Comparisons and logic element by element, with numpy's broadcasting.

Nothing is equal to, less or greater than NaN.
"""

from __future__ import annotations

import torch
from torch import Tensor

from edgekit_coreml.reference.ops.registry import op


@op("equal", gives=("bool",))
def equal(x: Tensor, y: Tensor) -> Tensor:
    """Return x == y."""
    return x == y


@op("not_equal", gives=("bool",))
def not_equal(x: Tensor, y: Tensor) -> Tensor:
    """Return x != y."""
    return x != y


@op("less", gives=("bool",))
def less(x: Tensor, y: Tensor) -> Tensor:
    """Return x < y."""
    return x < y


@op("less_equal", gives=("bool",))
def less_equal(x: Tensor, y: Tensor) -> Tensor:
    """Return x <= y."""
    return x <= y


@op("greater", gives=("bool",))
def greater(x: Tensor, y: Tensor) -> Tensor:
    """Return x > y."""
    return x > y


@op("greater_equal", gives=("bool",))
def greater_equal(x: Tensor, y: Tensor) -> Tensor:
    """Return x >= y."""
    return x >= y


@op("logical_and", gives=("bool",))
def logical_and(x: Tensor, y: Tensor) -> Tensor:
    """Say where both are true."""
    return torch.logical_and(x, y)


@op("logical_or", gives=("bool",))
def logical_or(x: Tensor, y: Tensor) -> Tensor:
    """Say where at least one is true."""
    return torch.logical_or(x, y)


@op("logical_xor", gives=("bool",))
def logical_xor(x: Tensor, y: Tensor) -> Tensor:
    """Say where exactly one is true."""
    return torch.logical_xor(x, y)


@op("logical_not", gives=("bool",))
def logical_not(x: Tensor) -> Tensor:
    """Say where x is false."""
    return torch.logical_not(x)
