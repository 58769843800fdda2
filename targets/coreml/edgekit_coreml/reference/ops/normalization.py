"""Normalizations."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from edgekit_coreml.reference.ops.registry import op


@op("batch_norm", own=("mean", "variance", "gamma", "beta"))
def batch_norm(
    x: Tensor,
    mean: Tensor,
    variance: Tensor,
    gamma: Tensor | None = None,
    beta: Tensor | None = None,
    epsilon: float = 1e-5,
) -> Tensor:
    """Return gamma * (x - mean) / sqrt(variance + epsilon) + beta, by channel of [N, C, ...].

    Raises:
        ValueError: x has not three to five axes.
    """
    _check_rank(x, 3, 4, 5)
    return functional.batch_norm(x, mean, variance, gamma, beta, eps=epsilon)


@op("instance_norm", own=("gamma", "beta"))
def instance_norm(x: Tensor, gamma: Tensor | None = None, beta: Tensor | None = None, epsilon: float = 1e-5) -> Tensor:
    """Normalize each channel of each picture of [N, C, W] or [N, C, H, W] by its own mean and variance.

    Raises:
        ValueError: x has other axes, or gamma or beta have not one number per channel.
    """
    _check_rank(x, 3, 4)
    spatial = range(2, x.ndim)
    return _scaled(_normalized(x, spatial, epsilon), gamma, beta, (1,))


@op("layer_norm", own=("gamma", "beta"))
def layer_norm(
    x: Tensor,
    axes: tuple[int, ...] | None = None,
    gamma: Tensor | None = None,
    beta: Tensor | None = None,
    epsilon: float = 1e-5,
) -> Tensor:
    """Normalize along axes, all of them where none are named; gamma and beta have the sizes of these axes.

    Raises:
        ValueError: an axis is not one of x, the axes are not in order, or gamma or beta have other sizes.
    """
    if axes is None:
        axes = tuple(range(x.ndim))
    if not axes or any(not -x.ndim <= axis < x.ndim for axis in axes):
        raise ValueError(f"axes {list(axes)} are not axes of shape {list(x.shape)}")
    axes = tuple(axis % x.ndim for axis in axes)
    if axes != tuple(sorted(set(axes))):
        raise ValueError(f"axes {list(axes)} are not in order: the documentation does not say how gamma is then laid out")
    return _scaled(_normalized(x, axes, epsilon), gamma, beta, axes)


@op("l2_norm")
def l2_norm(x: Tensor, epsilon: float = 1e-6) -> Tensor:
    """Return x / sqrt(the sum of squares along the last three axes + epsilon).

    Raises:
        ValueError: x has less than three axes.
    """
    if x.ndim < 3:
        raise ValueError(f"x has {x.ndim} axes; at least three are needed")
    return x / torch.sqrt(torch.sum(x * x, (-3, -2, -1), keepdim=True) + epsilon)


@op("local_response_norm")
def local_response_norm(x: Tensor, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0) -> Tensor:
    """Return x / (k + alpha / size * the sum of squares in `size` channels around its own) ** beta.

    Raises:
        ValueError: x is not [N, C, H, W]. With three axes, coremltools' own test (mil/ops/tests/iOS14/test_normalization.py)
            expects of Core ML that the first one is the channel; the documentation says, the second. Or the size is even, for
            which the documentation does not say on which side the odd channel is.
    """
    _check_rank(x, 4)
    if size < 1 or size % 2 == 0:
        raise ValueError(f"size {size} is not odd: the documentation does not say which channels are meant")
    reach = size // 2
    squares = functional.pad(x * x, (0, 0, 0, 0, reach, reach))
    return x / (k + alpha / size * squares.unfold(1, size, 1).sum(-1)) ** beta


def _check_rank(x: Tensor, *ranks: int) -> None:
    if x.ndim not in ranks:
        raise ValueError(f"x has {x.ndim} axes; the documentation allows {' or '.join(map(str, ranks))}")


def _normalized(x: Tensor, axes: Sequence[int], epsilon: float) -> Tensor:
    centred = x - torch.mean(x, list(axes), keepdim=True)
    return centred / torch.sqrt(torch.mean(centred * centred, list(axes), keepdim=True) + epsilon)


def _scaled(x: Tensor, gamma: Tensor | None, beta: Tensor | None, axes: Sequence[int]) -> Tensor:
    """Apply a scale and an offset that have these axes of x."""
    sizes = [size if axis in axes else 1 for axis, size in enumerate(x.shape)]
    for name, parameter in (("gamma", gamma), ("beta", beta)):
        if parameter is not None and parameter.shape != tuple(x.shape[axis] for axis in axes):
            raise ValueError(f"{name} has shape {list(parameter.shape)} for axes {list(axes)} of {list(x.shape)}")
    if gamma is not None:
        x = x * gamma.reshape(sizes)
    return x if beta is None else x + beta.reshape(sizes)
