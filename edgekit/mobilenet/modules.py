"""Which module of the network each operator of a captured program came from: names for an artifact's operators.

Exporting a program again, as float16 or decomposed, loses the modules. The order of the products and poolings stays: each needs
the result of the one before it. So an SDK's graph is named by counting.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from torch.export import ExportedProgram
from torch.fx import Node

Kind = Literal["conv", "linear", "pool"]
_KINDS: dict[str, Kind] = {"conv2d": "conv", "linear": "linear", "adaptive_avg_pool2d": "pool"}


def name_modules(exported: ExportedProgram, kinds: Sequence[Kind]) -> tuple[str, ...]:
    """Name the products and poolings of a graph that was made of a program.

    Args:
        exported: the program, its modules noted at its nodes.
        kinds: of the graph's products and poolings, in the order of execution.

    Returns:
        The path of each one's module, e.g. "blocks.4.depthwise"; of a pooling that belongs to the whole network, the path of
        what it pools. Nothing where the graph has not the kinds that the program has, in its order: no name is guessed.
    """
    named: list[tuple[Kind, str]] = []
    for node in exported.graph.nodes:
        kind = _KINDS.get(str(node.target).split(".")[1]) if node.op == "call_function" and "." in str(node.target) else None
        if kind:
            named.append((kind, _path(node) or (named[-1][1] if named else "")))
    if [kind for kind, _ in named] != list(kinds):
        return ()
    return tuple(path for _, path in named)


def _path(node: Node) -> str:
    """The path of the module that the node was traced in."""
    modules = list(node.meta.get("nn_module_stack", {}).values())
    return str(modules[-1][0]) if modules else ""
