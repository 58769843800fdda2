"""Products and poolings named after the modules they come from: `blocks.4.depthwise/Conv`.

No other operator is: what stands between two products belongs to the first, and every name is a part of the file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import onnx_ir as ir

from edgekit.mobilenet.modules import Kind, name_modules

if TYPE_CHECKING:
    from torch.export import ExportedProgram

_KINDS: dict[str, Kind] = {"Conv": "conv", "Gemm": "linear", "ReduceMean": "pool", "GlobalAveragePool": "pool"}


def name_products(model: ir.Model, exported: ExportedProgram) -> None:
    """Name the products and poolings of a graph, in place.

    Args:
        model: as torch's exporter made it.
        exported: the program behind it, its modules noted at its nodes.
    """
    found = [node for node in model.graph if node.op_type in _KINDS]
    paths = name_modules(exported, [_KINDS[node.op_type] for node in found])
    for node, path in zip(found, paths, strict=bool(paths)):
        node.name = f"{path}/{node.op_type}"


def is_named(node: ir.Node) -> bool:
    """Whether an operator has such a name."""
    return (node.name or "").endswith(f"/{node.op_type}")
