"""Sums of products, one product at a time: where the model of a device takes over from PyTorch's kernels.

An operator keeps its one implementation in `edgekit_coreml.reference.ops`, with its paddings, layouts and transposes. PyTorch
breaks whatever that does into a handful of primitives, and only these are computed here.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import product
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.utils._python_dispatch import TorchDispatchMode

from edgekit_coreml.reference.ops import OPS, Compute, Op

SUMMED = ("conv", "conv_transpose", "einsum", "linear", "matmul")
"""MIL's operators that are sums of products, and that a device's multiply-accumulate computes."""

Pairs = Iterator[tuple[Tensor, Tensor]]
"""What is multiplied, in order: two tensors each, float32 of float16 values, that broadcast to the result's shape."""

Index = tuple[int | slice, ...]

_aten = torch.ops.aten


class SumOfProducts(ABC):
    """One way to add up products.

    Their order: input channel by input channel, and in each the pixels under the kernel, row by row.

    Attributes:
        limit: the absolute value from which a sum is infinite.
        peak: largest absolute value that a sum has had on its way since this was set to 0.
    """

    limit: float

    def __init__(self) -> None:
        """Start with a peak of 0."""
        self.peak = 0.0

    @abstractmethod
    def add_up(self, pairs: Pairs, start: Tensor) -> Tensor:
        """Add the products of all pairs to `start`.

        Args:
            pairs: the factors.
            start: float32 of float16 values, of the result's shape: the bias, or 0.

        Returns:
            float32 of float16 values.
        """

    def take_over(self, names: Sequence[str] = SUMMED) -> dict[str, Op]:
        """Return the operators of these names, as far as they are implemented, computed by this."""
        return {name: replace(OPS[name], compute=self._inside(OPS[name].compute)) for name in names if name in OPS}

    def _inside(self, compute: Compute) -> Compute:
        def run(**inputs: Any) -> Any:
            with _TakenOver(self.add_up) as taken:
                result = compute(**inputs)
            if not taken.over:  # PyTorch has found a way that is not known here: its float32 would pass as the device's
                raise ValueError("the model of the device does not know how PyTorch computes this")
            return result

        return run


AddUp = Callable[[Pairs, Tensor], Tensor]


class _TakenOver(TorchDispatchMode):  # type: ignore[no-untyped-call]  # its __init_subclass__ has no types
    """While it is entered, sums of products are computed by `add_up`.

    Attributes:
        over: how many were.
    """

    def __init__(self, add_up: AddUp) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # untyped in torch
        self._add_up = add_up
        self.over = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Compute a sum of products; break up what is none."""
        if primitive := _PRIMITIVES.get(func):
            self.over += 1
            return primitive(self._add_up, *args, **(kwargs or {}))
        with self:
            composed = func.decompose(*args, **(kwargs or {}))
        return func(*args, **(kwargs or {})) if composed is NotImplemented else composed


def _convolution(  # noqa: PLR0913, PLR0917  # PyTorch's signature
    add_up: AddUp,
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    strides: Sequence[int],
    padding: Sequence[int],
    dilations: Sequence[int],
    transposed: bool,
    output_padding: Sequence[int],
    groups: int,
) -> Tensor:
    """Convolve x [N, C, ...] with weight [K, C / groups, ...], or [C, K / groups, ...] where it is transposed."""
    pads = [(amount, amount) for amount in padding]
    if transposed:
        kernel = [(size - 1) * dilation for size, dilation in zip(weight.shape[2:], dilations, strict=True)]
        pads = [
            (reach - amount, reach - amount + extra) for reach, amount, extra in zip(kernel, padding, output_padding, strict=True)
        ]
        x, weight, strides = _spread(x, strides), _turned(weight, groups), [1] * len(strides)
    x = functional.pad(x, [amount for pair in reversed(pads) for amount in pair])  # a negative amount crops
    sizes = [
        (size - (window - 1) * dilation - 1) // stride + 1
        for size, window, dilation, stride in zip(x.shape[2:], weight.shape[2:], dilations, strides, strict=True)
    ]
    batch, filters = x.shape[0], weight.shape[0] // groups
    channels = x.reshape(batch, groups, -1, 1, *x.shape[2:])
    filtered = weight.reshape(groups, filters, *weight.shape[1:])

    def pairs() -> Pairs:
        for channel in range(weight.shape[1]):
            for offset in product(*map(range, weight.shape[2:])):
                taps: Index = tuple(
                    slice(at * dilation, at * dilation + (size - 1) * stride + 1, stride)
                    for at, dilation, size, stride in zip(offset, dilations, sizes, strides, strict=True)
                )
                weights: Index = (slice(None), slice(None), channel, *offset)
                values: Index = (slice(None), slice(None), channel, slice(None), *taps)
                yield channels[values], _column(filtered[weights], len(sizes))

    start = x.new_zeros(batch, groups, filters, *sizes)
    if bias is not None:
        start += _column(bias.reshape(groups, filters), len(sizes))
    return add_up(pairs(), start).reshape(batch, groups * filters, *sizes)


def _column(factors: Tensor, axes: int) -> Tensor:
    return factors.reshape(*factors.shape, *[1] * axes)


def _spread(x: Tensor, strides: Sequence[int]) -> Tensor:
    """Put stride - 1 zeros between neighbours: a transposed convolution is a convolution of that."""
    sizes = [(size - 1) * stride + 1 for size, stride in zip(x.shape[2:], strides, strict=True)]
    spread = x.new_zeros(*x.shape[:2], *sizes)
    spread[(slice(None), slice(None), *(slice(None, None, stride) for stride in strides))] = x
    return spread


def _turned(weight: Tensor, groups: int) -> Tensor:
    """[C, K / groups, ...] as a convolution's [K, C / groups, ...], each kernel turned round."""
    channels, filters = weight.shape[0] // groups, weight.shape[1]
    grouped = weight.reshape(groups, channels, filters, *weight.shape[2:]).transpose(1, 2)
    return grouped.reshape(groups * filters, channels, *weight.shape[2:]).flip(*range(2, weight.ndim))


def _matrices(add_up: AddUp, x: Tensor, y: Tensor, start: Tensor | None = None) -> Tensor:
    """Multiply x [..., M, K] by y [..., K, N]."""
    shape = (*x.shape[:-1], y.shape[-1])
    columns, rows = x.mT.unsqueeze(-1), y.unsqueeze(-2)  # [..., K, M, 1] and [..., K, 1, N]
    pairs = ((columns.select(-3, k), rows.select(-3, k)) for k in range(x.shape[-1]))
    return add_up(pairs, x.new_zeros(shape) if start is None else start.expand(shape).clone())


def _plus_matrices(add_up: AddUp, start: Tensor, x: Tensor, y: Tensor, **scales: float) -> Tensor:
    if scales:
        raise ValueError(f"a matrix product with {scales} is not implemented")
    return _matrices(add_up, x, y, start)


def _matrix_vector(add_up: AddUp, x: Tensor, y: Tensor) -> Tensor:
    return _matrices(add_up, x, y[:, None])[:, 0]


def _vectors(add_up: AddUp, x: Tensor, y: Tensor) -> Tensor:
    return _matrices(add_up, x[None], y[:, None])[0, 0]


_PRIMITIVES: dict[Any, Callable[..., Tensor]] = {
    _aten.convolution.default: _convolution,
    _aten.mm.default: _matrices,
    _aten.bmm.default: _matrices,
    _aten.addmm.default: _plus_matrices,
    _aten.mv.default: _matrix_vector,
    _aten.dot.default: _vectors,
}
