"""The int8 program in exact arithmetic: what all targets are to compute.

torch runs the program with float32 between two roundings. A sum that is a little off can be rounded to the next int8 value, the
next layer sees that as a step of its input, and after fifty layers two correct implementations are 30 dB apart and neither is
right. Here the products and sums are exact, float64 holding every integer that occurs, so that the answer is the same on every
machine, and a runtime that adds up integers comes close to it.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.ao.quantization.fx._decomposed  # registers the operators of an int8 program
from torch import Tensor, nn
from torch.fx import GraphModule, Interpreter, Node

_int8 = torch.ops.quantized_decomposed


class ExactInt8(nn.Module):
    """Runs an int8 program in float64."""

    def __init__(self, module: GraphModule, *, stores_float16: bool = False) -> None:
        """Take a program.

        Args:
            module: as `edgekit.quantization` makes it.
            stores_float16: round every constant and every result that is no integer to float16, as a runtime does that stores
                what lies between two roundings so.
        """
        super().__init__()
        self._interpreter = _StoredAsFloat16(module) if stores_float16 else _Exact(module)

    def forward(self, image_nchw: Tensor) -> tuple[Tensor, ...] | Tensor:
        """Take any floats; return float64."""
        with torch.no_grad():
            answer: tuple[Tensor, ...] | Tensor = self._interpreter.run(image_nchw.double())
        return answer


class _Exact(Interpreter):
    def get_attr(self, target: Any, args: Any, kwargs: Any) -> Any:
        value = super().get_attr(target, args, kwargs)
        return value.double() if isinstance(value, Tensor) and value.is_floating_point() else value

    def call_function(self, target: Any, args: Any, kwargs: Any) -> Any:
        return super().call_function(_EXACT.get(target, target), args, kwargs)


class _StoredAsFloat16(_Exact):
    def run_node(self, n: Node) -> Any:
        return _to_float16(super().run_node(n))

    def call_function(self, target: Any, args: Any, kwargs: Any) -> Any:
        return super().call_function(target, tuple(map(_to_float16, args)) if target in _EXACT else args, kwargs)


def _to_float16(value: Any) -> Any:
    """A scale, or a tensor of floats; anything else as it is."""
    if isinstance(value, float):
        return torch.tensor(value).half().item()
    return value.half().double() if isinstance(value, Tensor) and value.is_floating_point() else value


def _quantize(values: Tensor, scale: float, zero_point: int, low: int, high: int, dtype: torch.dtype) -> Tensor:
    """The nearest step, the even one of two."""
    return (torch.round(values / scale) + zero_point).clamp(low, high).to(dtype)


def _dequantize(steps: Tensor, scale: float, zero_point: int, low: int, high: int, dtype: torch.dtype, **_: object) -> Tensor:
    return (steps.double() - zero_point) * scale


def _dequantize_channels(
    steps: Tensor, scales: Tensor, zero_points: Tensor, axis: int, low: int, high: int, dtype: torch.dtype, **_: object
) -> Tensor:
    sizes = [-1 if i == axis else 1 for i in range(steps.dim())]
    return (steps.double() - zero_points.double().reshape(sizes)) * scales.double().reshape(sizes)


_EXACT: dict[Any, Any] = {
    _int8.quantize_per_tensor.default: _quantize,
    _int8.dequantize_per_tensor.default: _dequantize,
    _int8.dequantize_per_channel.default: _dequantize_channels,
}
