"""What a graph does not need to be run.

torch's exporter notes for every operator where in Python it came from: half the file of a small network with 8-bit weights.
"""

from __future__ import annotations

import onnx_ir as ir
from onnx_ir.passes.common import ClearMetadataAndDocStringPass

from edgekit_onnx.names import is_named


def strip(model: ir.Model) -> None:
    """Take out where operators come from, all names but those of products and constants, and shapes between them, in place."""
    ClearMetadataAndDocStringPass()(model)
    for i, node in enumerate(model.graph):
        if not is_named(node):
            node.name = None
        for output in node.outputs:
            output.metadata_props.clear()
            if not output.is_graph_output():
                output.name, output.type, output.shape = str(i), None, None
    for value in list(model.graph.initializers.values()):
        value.name = str(value.name).replace(".conv.", ".").replace("_frozen_param", "w")
    for value in (*model.graph.inputs, *model.graph.outputs, *model.graph.initializers.values()):
        value.metadata_props.clear()
