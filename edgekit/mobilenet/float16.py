"""The float16 model: one rounding of the weights, the same on every target.

Left to themselves the four SDKs would each round every weight to the nearest float16. For a depthwise filter that is not the best
choice: its nine (or twenty-five) weights see nearly the same value, because pictures are smooth, so what counts is the error of
their *sum*, and nine independent roundings leave three times that of one. Rounding from the largest weight to the smallest, and
handing each error on to the next, leaves a sum that is right to the last place of the smallest weight. No data is needed. It is
error diffusion, as in halftoning (Floyd and Steinberg, 1976). Worst of eight photographs, all else alike: 40.6 -> 43.5 dB on
MobileNet V1 0.25/128, 48.5 -> 49.9 on V1 1.0/224, 47.0 unchanged on V2.
"""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, nn
from torch.export import ExportedProgram
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from edgekit.target import Program


def round_weights(exported: ExportedProgram) -> ExportedProgram:
    """Return a copy whose weights are float16 values, held as float32. Converting it to float16 changes nothing more."""
    rounded = copy.deepcopy(exported)
    for tensor in rounded.state_dict.values():
        if tensor.is_floating_point():
            tensor.data = _round(tensor.data)
    return rounded


class StoredAsFloat16(nn.Module):
    """A network whose weights and results are float16 and whose arithmetic is float64: what storing float16 costs anyone."""

    def __init__(self, network: nn.Module) -> None:
        """Copy a network.

        Args:
            network: float32, batch norm folded, as it is converted.
        """
        super().__init__()
        self.network = copy.deepcopy(network)
        for tensor in (*self.network.parameters(), *self.network.buffers()):
            if tensor.is_floating_point():
                tensor.data = _round(tensor.data).double()

    def forward(self, image_nchw: Tensor) -> tuple[Tensor, ...] | Tensor:
        """Take any floats; return float64 of float16 values."""
        with _Float16Results():  # type: ignore[no-untyped-call]  # untyped in torch
            answer: tuple[Tensor, ...] | Tensor = self.network(image_nchw.half().double())
        return answer


def to_float16(program: Program) -> ExportedProgram:
    """Turn every weight and every tensor of a program into float16; its inputs and outputs stay float32."""
    examples = tuple(torch.zeros(tensor.shape) for tensor in program.inputs)
    with torch.no_grad():
        return torch.export.export(_Float16(round_weights(program.exported).module()), examples)


def round_filters(filters: Tensor) -> Tensor:
    """Round to float16 so that each filter's sum is kept.

    Args:
        filters: float32 (C, ...), one filter per channel.

    Returns:
        The same shape, float32, of float16 values.
    """
    flat = filters.reshape(len(filters), -1).double()
    order = flat.abs().argsort(dim=1, descending=True)
    values, rounded = flat.gather(1, order), torch.empty_like(flat)
    error = torch.zeros(len(flat), dtype=torch.float64)
    for i in range(values.shape[1]):
        wanted = values[:, i] + error
        rounded[:, i] = wanted.half().double()
        error = wanted - rounded[:, i]
    return torch.empty_like(flat).scatter(1, order, rounded).reshape(filters.shape).float()


def _round(tensor: Tensor) -> Tensor:
    return round_filters(tensor) if _sees_one_channel(tensor) else tensor.half().float()


def _sees_one_channel(tensor: Tensor) -> bool:
    """Depthwise filters, and the first layer's of a grey model: one input channel, more than one pixel."""
    return tensor.dim() == 4 and tensor.shape[1] == 1 and tensor.shape[2:].numel() > 1


class _Float16Results(TorchDispatchMode):  # type: ignore[no-untyped-call]  # its __init_subclass__ has no types
    """Rounds the result of every operation to float16."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(result):
            if isinstance(tensor, Tensor) and tensor.is_floating_point():
                tensor.copy_(tensor.half())  # in place, for some operations return their input: it is rounded already
        return result


class _Float16(nn.Module):
    """A network in float16 between its inputs and outputs."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network.half()

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...] | Tensor:
        outputs = self.network(*(value.half() for value in inputs))
        return tuple(value.float() for value in outputs) if isinstance(outputs, tuple) else outputs.float()
