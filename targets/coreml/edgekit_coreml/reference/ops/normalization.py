"""Normalizations."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

from edgekit_coreml.reference.ops.registry import op


@op("batch_norm")
def batch_norm(
    x: Tensor,
    mean: Tensor,
    variance: Tensor,
    gamma: Tensor | None = None,
    beta: Tensor | None = None,
    epsilon: float = 1e-5,
) -> Tensor:
    """Return gamma * (x - mean) / sqrt(variance + epsilon) + beta, by channel."""
    return functional.batch_norm(x, mean, variance, gamma, beta, eps=epsilon)
