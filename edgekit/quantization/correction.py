"""Bias correction: what rounding shifts on average, the bias takes back.

Rounded weights and activations change the mean of a channel's output, and the next layers see the shift as signal. Over the
calibration pictures the mean of each output channel is measured in the float network and in the quantised one, and the
difference is added to the layer's bias: layer by layer in the order of execution, so that each is corrected for what the layers
before it still do wrong (Nagel et al., arXiv:1906.04721, section 4.2).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import Any

import torch
from torch import Tensor
from torch.fx import GraphModule, Node
from torch.fx.node import map_arg

from edgekit.quantization.quantizer import PRODUCTS
from edgekit.quantization.simulation import batches, faster
from edgekit.quantization.unit import is_rounding

_BIAS = 2  # the bias's place among the arguments of conv2d and linear
OnResult = Callable[[Node, list[Tensor]], list[Tensor]]


def channel_means(original: GraphModule, images_nchw: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """What every product of the float network gives on average: float64, one value per channel.

    Args:
        original: the float network.
        images_nchw: float32, one batch of one each.
    """
    means: list[Tensor] = []

    def measure(node: Node, results: list[Tensor]) -> list[Tensor]:
        means.append(_channel_means(results))
        return results

    _run(original, batches(images_nchw), measure)
    return tuple(means)


def correct_biases(quantised: GraphModule, wanted: Sequence[Tensor], images_nchw: Sequence[Tensor]) -> None:
    """Give a quantised network other biases.

    Args:
        quantised: from `convert_pt2e`.
        wanted: of `channel_means`, for the same pictures.
        images_nchw: float32, one batch of one each.
    """
    remaining = iter(wanted)

    def correct(node: Node, results: list[Tensor]) -> list[Tensor]:
        shift = (next(remaining) - _channel_means(results)).float()
        bias: Any = node.args[_BIAS] if len(node.args) > _BIAS else None
        if not isinstance(bias, Node):
            return results
        _replace(quantised, str(bias.target), attrgetter(str(bias.target))(quantised) + shift)
        return [result + (shift[:, None, None] if result.dim() == 4 else shift) for result in results]

    _run(quantised, batches(images_nchw), correct)


def round_biases(quantised: GraphModule) -> None:
    """Round the biases of int8 products to what runtimes make of them.

    A product of int8 values is summed in int32, the bias with it: in steps of the input's scale times the channel's. A runtime
    that keeps biases in float and one that does not then start from the same number, and so does the reference.
    """
    for node in quantised.graph.nodes:
        if node.target not in PRODUCTS or len(node.args) <= _BIAS or not all(map(is_rounding, node.args[:_BIAS])):
            continue
        image, weights, bias = node.args[: _BIAS + 1]
        if bias is None:
            continue
        steps = attrgetter(str(weights.args[1].target))(quantised).double() * image.args[1]
        values = attrgetter(str(bias.target))(quantised)
        _replace(quantised, str(bias.target), (torch.round(values.double() / steps) * steps).float())


def _replace(module: GraphModule, target: str, value: Tensor) -> None:
    """Put another parameter in the place of one that other networks may share."""
    path, _, name = target.rpartition(".")
    setattr(module.get_submodule(path), name, torch.nn.Parameter(value.detach(), requires_grad=False))


def _run(module: GraphModule, pictures: Sequence[Tensor], on_product: OnResult) -> None:
    """Run every operator for all pictures before the next operator: one pass corrects all layers, each after those before it."""
    last_reader = {given: node for node in module.graph.nodes for given in node.all_input_nodes}
    values: dict[Node, Any] = {}
    with torch.no_grad():
        for node in module.graph.nodes:
            if node.op == "placeholder":
                values[node] = list(pictures)
            elif node.op == "get_attr":
                values[node] = attrgetter(node.target)(module)
            elif node.op == "call_function":
                results = _results(node, values, len(pictures))
                values[node] = on_product(node, results) if node.target in PRODUCTS else results
            for given in node.all_input_nodes:
                if last_reader[given] is node:
                    values.pop(given, None)


def _results(node: Node, values: dict[Node, Any], count: int) -> Any:
    def compute(i: int) -> Any:
        def value(given: Node) -> Any:
            return values[given][i] if isinstance(values[given], list) else values[given]

        return faster(node.target)(*map_arg(node.args, value), **map_arg(node.kwargs, value))

    if any(isinstance(values[given], list) for given in node.all_input_nodes):
        return [compute(i) for i in range(count)]
    return compute(0)


def _channel_means(results: Sequence[Tensor]) -> Tensor:
    """Float64, one per channel, over pictures and pixels."""
    sums = torch.stack([result.double().sum((0, *range(2, result.dim()))) for result in results]).sum(0)
    return sums * len(sums) / sum(result.numel() for result in results)
