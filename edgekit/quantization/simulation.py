"""Many pictures through a captured graph at once, as fast as torch does it.

The graph was captured for one picture; what its operators do is the same for several.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.fx import GraphModule, Interpreter

BATCH = 8
"""Pictures at a time: more of them leave the processor's cache."""
_int8 = torch.ops.quantized_decomposed
_FASTER: dict[Any, Any] = {
    _int8.quantize_per_tensor.default: lambda values, *grid: torch.fake_quantize_per_tensor_affine(values, *grid[:4]),
    _int8.dequantize_per_tensor.default: lambda values, *_, **__: values,
}


def batches(images_nchw: Sequence[Tensor]) -> list[Tensor]:
    """Join pictures, one batch of one each, to batches of `BATCH`."""
    joined = torch.cat(list(images_nchw)).contiguous(memory_format=torch.channels_last)
    return [joined[i : i + BATCH] for i in range(0, len(joined), BATCH)]


def answers(module: GraphModule, images_nchw: Sequence[Tensor]) -> Tensor:
    """Run a network that was captured for one picture, float or with int8 in it.

    Args:
        module: made with `check_guards=False`.
        images_nchw: float32, one batch of one each.

    Returns:
        The first output, float32, (pictures, ...).
    """
    with torch.no_grad():
        network = Simulation(module)
        return torch.cat([first_output(network.run(batch)) for batch in batches(images_nchw)])


def faster(operator: Any) -> Any:
    """The operator to run in place of one of the graph: int8 stays float, rounded to what an int8 can say, in one step."""
    return _FASTER.get(operator, operator)


class Simulation(Interpreter):
    """Runs batches through a graph with int8 in it. The weights are turned into floats once, not once per batch."""

    def __init__(self, module: GraphModule) -> None:
        super().__init__(module)
        self._weights: dict[Any, Tensor] = {}

    def run_node(self, n: Any) -> Any:
        """Look up weights that were asked for before."""
        if n.target is not _int8.dequantize_per_channel.default:
            return super().run_node(n)
        if n not in self._weights:
            self._weights[n] = super().run_node(n)
        return self._weights[n]

    def call_function(self, target: Any, args: Any, kwargs: Any) -> Any:
        """Take the faster operator."""
        return super().call_function(faster(target), args, kwargs)


def first_output(outputs: Any) -> Tensor:
    """Of what a captured module or its graph returns."""
    first: Tensor = outputs[0] if isinstance(outputs, tuple | list) else outputs
    return first
