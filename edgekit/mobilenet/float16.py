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

import torch
from torch import Tensor, nn
from torch.export import ExportedProgram

from edgekit.target import Program


def round_weights(exported: ExportedProgram) -> ExportedProgram:
    """Return a copy whose weights are float16 values, held as float32. Converting it to float16 changes nothing more."""
    rounded = copy.deepcopy(exported)
    for tensor in rounded.state_dict.values():
        if tensor.is_floating_point():
            tensor.data = round_filters(tensor.data) if _sees_one_channel(tensor) else tensor.data.half().float()
    return rounded


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


def _sees_one_channel(tensor: Tensor) -> bool:
    """Depthwise filters, and the first layer's of a grey model: one input channel, more than one pixel."""
    return tensor.dim() == 4 and tensor.shape[1] == 1 and tensor.shape[2:].numel() > 1


class _Float16(nn.Module):
    """A network in float16 between its inputs and outputs."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network.half()

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...] | Tensor:
        outputs = self.network(*(value.half() for value in inputs))
        return tuple(value.float() for value in outputs) if isinstance(outputs, tuple) else outputs.float()
