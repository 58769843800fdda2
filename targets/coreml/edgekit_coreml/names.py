"""Operators named after the modules they come from: `blocks_3_depthwise_conv2d`, not `conv2d_12`.

A report about one operator, and whoever opens the package in Xcode or Netron, then knows which layer of the network it is.
"""

from __future__ import annotations

import re
from typing import Any

from coremltools.converters.mil.mil.passes.graph_pass import AbstractGraphPass
from coremltools.converters.mil.mil.passes.pass_registry import register_pass
from coremltools.converters.mil.mil.scope import ScopeSource
from torch.export import ExportedProgram
from torch.fx import Node

ROUNDINGS = "edgekit::name_roundings"


def number_nodes(exported: ExportedProgram) -> tuple[Node, ...]:
    """Number the nodes of a graph, in place, by the field that coremltools keeps with every operator it makes of a node.

    Returns:
        The nodes, each at its number.
    """
    nodes = tuple(exported.graph.nodes)
    for number, node in enumerate(nodes):
        node.meta["debug_handle"] = number
    return nodes


def name_operations(program: Any, nodes: tuple[Node, ...], weights: dict[str, str]) -> None:
    """Give every operator and weight of an MIL program the name of its source, in place; inputs and outputs keep theirs.

    Args:
        program: as coremltools made it of the numbered nodes.
        nodes: of `number_nodes`.
        weights: the network's own names of its weights, by those of the graph.
    """
    function = program.functions["main"]
    public = {*function.inputs, *(output.name for output in function.outputs)}
    taken = set(public)
    for operation in function.operations:
        name = _unique(_sourced(operation, nodes, weights), taken)
        operation.name = name
        for number, output in enumerate(operation.outputs):
            if output.name not in public:
                output.name = name if number == 0 else _unique(f"{name}_{number}", taken)


@register_pass(namespace="edgekit")
class name_roundings(AbstractGraphPass):  # type: ignore[misc]  # noqa: N801  # untyped SDK; a pass is called as its class
    """For a `PassPipeline`, by the name of `ROUNDINGS`: coremltools' passes make operators of their own that round to 8 bits."""

    def apply(self, program: Any) -> None:
        """Name all of them after what they round, in place; outputs keep their names."""
        for function in program.functions.values():
            taken = {output.name for operation in function.operations for output in operation.outputs}
            for operation in function.operations:
                (output, *_) = operation.outputs
                if operation.op_type in ("quantize", "dequantize") and output not in function.outputs:
                    rounded = re.sub(r"(_cast_fp16|_quantize(_[0-9]+)?)+$", "", operation.input.name)
                    operation.name = output.name = _unique(f"{rounded}_{operation.op_type}", taken)


def _sourced(operation: Any, nodes: tuple[Node, ...], weights: dict[str, str]) -> str:
    if operation.name in weights:
        return _identifier(weights[operation.name])
    (number,) = operation.scopes.get(ScopeSource.EXIR_DEBUG_HANDLE) or (None,)
    if number is None:
        return str(operation.name)
    node = nodes[number]
    # One node may become several operators and their constants, named after the node or not.
    own = operation.name.removeprefix(node.name)
    if str(node.target).startswith("quantized_decomposed.dequantize_per_channel"):  # a weight: it is its reader's
        return _identifier(f"{_module_path(next(iter(node.users)))}.weight")
    parts = (_module_path(node), _unnumbered(node.name), _unnumbered(own))
    return _identifier(".".join(part for part in parts if part))


def _module_path(node: Node) -> str:
    """The path of the module that the node was traced in."""
    modules = list(node.meta.get("nn_module_stack", {}).values())
    return str(modules[-1][0]) if modules else ""


def _unnumbered(name: str) -> str:
    return re.sub(r"_[0-9]+$", "", name).strip("_")


def _identifier(path: str) -> str:
    return re.sub(r"\W", "_", path)


def _unique(name: str, taken: set[str]) -> str:
    found, number = name, 0
    while found in taken:
        number += 1
        found = f"{name}_{number}"
    taken.add(found)
    return found
