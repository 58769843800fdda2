"""Activations."""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from edgekit_coreml.reference.ops.registry import op


@op("relu")
def relu(x: Tensor) -> Tensor:
    """Return max(x, 0)."""
    return functional.relu(x)


@op("relu6")
def relu6(x: Tensor) -> Tensor:
    """Return min(max(x, 0), 6)."""
    return torch.clamp(x, 0, 6)


@op("leaky_relu")
def leaky_relu(x: Tensor, alpha: float) -> Tensor:
    """Return x where x >= 0, otherwise alpha * x."""
    return functional.leaky_relu(x, alpha)


@op("prelu", own=("alpha",))
def prelu(x: Tensor, alpha: Tensor) -> Tensor:
    """Return x where x > 0, otherwise alpha[channel] * x.

    Raises:
        ValueError: the channels of x, which has three to five axes, are not those of alpha; or alpha differs between them and x
            has not four axes, for which Core ML fails (rdar://91442339 in coremltools' mil/ops/tests/iOS14/test_activation.py).
    """
    _check_channels(x, alpha, "alpha")
    if x.ndim != 4 and (alpha != alpha[0]).any():
        raise ValueError(f"alpha differs between channels, and x has {x.ndim} axes: Core ML allows that for four alone")
    return functional.prelu(x, alpha)


@op("clamped_relu")
def clamped_relu(x: Tensor, alpha: float, beta: float) -> Tensor:
    """Return min(beta, x) where x >= 0, otherwise min(beta, alpha * x). coremltools itself counts a beta below 0 twice."""
    return functional.leaky_relu(x, alpha).clamp_(max=beta)


@op("thresholded_relu")
def thresholded_relu(x: Tensor, alpha: float) -> Tensor:
    """Return x where x >= alpha, otherwise 0."""
    # PyTorch keeps what is greater, so the number before alpha; a mask would be ten times slower
    below = np.nextafter(np.float32(alpha), np.float32("-inf"))
    return functional.threshold(x, float(below), 0)


@op("linear_activation")
def linear_activation(x: Tensor, alpha: float, beta: float) -> Tensor:
    """Return alpha * x + beta."""
    return (x * alpha).add_(beta)


@op("sigmoid")
def sigmoid(x: Tensor) -> Tensor:
    """Return 1 / (1 + e^-x)."""
    return torch.sigmoid(x)


@op("sigmoid_hard")
def sigmoid_hard(x: Tensor, alpha: float, beta: float) -> Tensor:
    """Return min(max(alpha * x + beta, 0), 1)."""
    return torch.add(x.new_tensor(beta), x, alpha=alpha).clamp_(0, 1)


@op("scaled_tanh")
def scaled_tanh(x: Tensor, alpha: float, beta: float) -> Tensor:
    """Return alpha * tanh(beta * x)."""
    return (x * beta).tanh_().mul_(alpha)


@op("elu")
def elu(x: Tensor, alpha: float) -> Tensor:
    """Return x where x > 0, otherwise alpha * (e^x - 1)."""
    return functional.elu(x, alpha)


@op("gelu")
def gelu(x: Tensor, mode: Literal["EXACT", "TANH_APPROXIMATION", "SIGMOID_APPROXIMATION"] = "EXACT") -> Tensor:
    """Return x * Phi(x), exactly or by one of two approximations."""
    match mode:
        case "EXACT":
            return functional.gelu(x)
        case "TANH_APPROXIMATION":
            return functional.gelu(x, approximate="tanh")
        case "SIGMOID_APPROXIMATION":
            return x * torch.sigmoid(1.702 * x)


@op("silu")
def silu(x: Tensor) -> Tensor:
    """Return x * sigmoid(x)."""
    return functional.silu(x)


@op("softplus")
def softplus(x: Tensor) -> Tensor:
    """Return log(1 + e^x)."""
    return torch.logaddexp(x, x.new_zeros(()))


@op("softplus_parametric", own=("alpha", "beta"))
def softplus_parametric(x: Tensor, alpha: Tensor, beta: Tensor) -> Tensor:
    """Return alpha[channel] * log(1 + e^(beta[channel] * x)).

    Raises:
        ValueError: the channels of x, which has three to five axes, are not those of alpha and beta.
    """
    for name, parameter in (("alpha", alpha), ("beta", beta)):
        _check_channels(x, parameter, name)
    sizes = (-1, *[1] * (x.ndim - 2))
    return alpha.reshape(sizes) * softplus(x * beta.reshape(sizes))


@op("softsign")
def softsign(x: Tensor) -> Tensor:
    """Return x / (1 + |x|)."""
    return functional.softsign(x)


@op("softmax")
def softmax(x: Tensor, axis: int = -1) -> Tensor:
    """Return e^x / sum(e^x) along an axis."""
    return functional.softmax(x, axis)


def _check_channels(x: Tensor, parameter: Tensor, name: str) -> None:
    if not 3 <= x.ndim <= 5 or parameter.shape != x.shape[1:2]:
        raise ValueError(f"{name} has shape {list(parameter.shape)} for x of {list(x.shape)}: it needs one number per channel")
