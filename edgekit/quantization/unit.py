"""A quantised network's units, and how some of them are kept in float.

A unit is a convolution or linear layer with what follows it up to the next: activation, residual sum, pooling. Kept in float it
has its weights as trained and no int8 tensor inside; what it reads from an int8 unit and what it hands to one is int8 still, and
between two float units nothing is.
"""

from __future__ import annotations

import copy
from collections.abc import Collection
from operator import attrgetter

from torch.fx import Graph, GraphModule, Node

from edgekit.quantization.quantizer import PRODUCTS

_ACTIVATION = ".activation"


def units_of(module: GraphModule) -> tuple[str, ...]:
    """The units of a network, in the order of execution."""
    return tuple(dict.fromkeys(_module_path(node) for node in module.graph.nodes if node.target in PRODUCTS))


def keep_in_float(quantised: GraphModule, original: GraphModule, kept: Collection[str]) -> GraphModule:
    """Return a copy in which these units compute in float. It has the same tensors, not copies of them.

    Args:
        quantised: from `convert_pt2e`.
        original: the float network that it was made from, for the weights.
        kept: names of units.
    """
    graph = copy.deepcopy(quantised.graph)
    weights = {_module_path(node): node.args[1] for node in original.graph.nodes if node.target in PRODUCTS}
    tensors: dict[str, object] = {}
    units = unit_by_node(graph)
    for node, unit in units.items():
        if unit not in kept:
            continue
        for given in node.all_input_nodes:
            if not is_rounding(given):
                continue
            source = given.all_input_nodes[0]
            if not is_rounding(source):  # dequantize alone: an int8 weight
                name = f"{unit}_float_weight".replace(".", "_")
                tensors[name] = attrgetter(str(weights[unit].target))(original)
                with graph.inserting_before(node):
                    node.replace_input_with(given, graph.get_attr(name))
            elif (origin := source.all_input_nodes[0]).op == "placeholder" or units.get(origin) in kept:
                node.replace_input_with(given, origin)
    graph.eliminate_dead_code()
    for node in graph.nodes:
        if node.op == "get_attr" and node.target not in tensors:
            tensors[node.target] = attrgetter(node.target)(quantised)
    return GraphModule(tensors, graph)


def is_rounding(node: Node) -> bool:
    """It turns floats into int8 or back."""
    return node.op == "call_function" and str(node.target).startswith("quantized_decomposed.")


def unit_by_node(graph: Graph) -> dict[Node, str]:
    """The unit of every operator that computes: its module's, or that of what it is given where its module has no weights."""
    with_weights = {_module_path(node) for node in graph.nodes if node.target in PRODUCTS}
    units: dict[Node, str] = {}
    for node in graph.nodes:
        if node.op not in ("call_function", "output") or is_rounding(node):
            continue
        path = _module_path(node)
        sources = [source for given in node.all_input_nodes if (source := _computed(given)) in units]
        if path in with_weights:
            units[node] = path
        elif sources:
            units[node] = units[sources[0]]
    return units


def _computed(node: Node) -> Node:
    """The operator behind a value that was rounded."""
    while is_rounding(node):
        node = node.all_input_nodes[0]
    return node


def _module_path(node: Node) -> str:
    """The path of the module that an operator comes from, that of its convolution for an activation; "" where none is known."""
    stack = node.meta.get("nn_module_stack") or {}
    path = next(reversed(stack.values()))[0] if stack else ""
    return str(path).removesuffix(_ACTIVATION)
