"""A program whose first convolutions stay in float32, and that computes in float16 from there on.

XNNPACK's float16 kernels also accumulate in float16 (on x86 the depthwise ones, on Arm all), and what the first layers lose goes
through all others. They hold hardly any of a MobileNet's weights: eight convolutions of V1 0.25/128 add 0.4 % to the file. Worst
of eight photographs, none against eight in float32: V1 0.25/128 39.3 -> 43.5 dB, visual wake words 46.6 -> 48.8 dB.
"""

from __future__ import annotations

from itertools import takewhile
from operator import attrgetter

import torch
from torch.export import ExportedProgram
from torch.fx import Graph, Node

from edgekit.mobilenet.float16 import round_weights
from edgekit.target import Program

_CONVOLUTIONS = (torch.ops.aten.conv2d.default, torch.ops.aten.conv2d.padding)


def to_mixed(program: Program, float32_convolutions: int) -> ExportedProgram:
    """Turn a float32 program into float16, but for what comes before a convolution; its inputs and outputs stay float32.

    Args:
        program: float32.
        float32_convolutions: how many convolutions, in the order of execution, stay as they are, unrounded.
    """
    exact = program.exported.module()
    module = round_weights(program.exported).module()
    graph: Graph = module.graph
    float32 = _first_nodes(graph, float32_convolutions)
    for node in graph.find_nodes(op="get_attr"):
        tensor = attrgetter(node.target)(module)
        if not tensor.is_floating_point():
            continue
        tensor.data = attrgetter(node.target)(exact).data if set(node.users) <= float32 else tensor.data.half()
    for node in graph.nodes:
        if node.op == "output" or (node.op == "call_function" and node not in float32):
            _cast_inputs(node, float32, torch.float32 if node.op == "output" else torch.float16)
    module.recompile()
    examples = tuple(torch.zeros(tensor.shape) for tensor in program.inputs)
    with torch.no_grad():
        return torch.export.export(module, examples)


def _first_nodes(graph: Graph, convolutions: int) -> set[Node]:
    """What is computed before the convolution after these, and the inputs of the program."""
    found = [node for node in graph.nodes if node.op == "call_function" and node.target in _CONVOLUTIONS]
    end = found[convolutions] if convolutions < len(found) else None
    return {node for node in takewhile(lambda node: node is not end, graph.nodes) if node.op in ("placeholder", "call_function")}


def _cast_inputs(node: Node, float32: set[Node], dtype: torch.dtype) -> None:
    for given in node.all_input_nodes:
        if given.op == "get_attr" or (given in float32) == (dtype == torch.float32):
            continue
        with node.graph.inserting_before(node):
            node.replace_input_with(given, node.graph.call_function(torch.ops.aten.to.dtype, (given, dtype)))
