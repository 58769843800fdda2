"""Hard-swish in int8.

ExecuTorch gives XNNPACK hard-swish in float32 only: an int8 tensor is turned into floats, and the result is rounded again. But
XNNPACK takes int8 tensors as well, and gives the very same values.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from executorch.backends.xnnpack.operators.node_visitor import NodeVisitor, register_node_visitor
from executorch.backends.xnnpack.partition.config import ALL_PARTITIONER_CONFIGS
from executorch.backends.xnnpack.partition.config.generic_node_configs import HardswishConfig
from executorch.backends.xnnpack.partition.config.xnnpack_config import ConfigPrecisionType
from executorch.backends.xnnpack.serialization.xnnpack_graph_schema import XNNGraph, XNNHardswish, XNode


class Int8HardswishConfig(HardswishConfig):  # type: ignore[misc]  # untyped SDK
    """Hard-swish between int8 tensors is one node."""

    def supported_precision_types(self) -> list[ConfigPrecisionType]:
        """Float and int8."""
        return [ConfigPrecisionType.FP32, ConfigPrecisionType.STATIC_QUANT]


CONFIGS = [Int8HardswishConfig if config is HardswishConfig else config for config in ALL_PARTITIONER_CONFIGS]
"""For `XnnpackPartitioner`."""


class Int8Hardswish(NodeVisitor):  # type: ignore[misc]  # untyped SDK
    """Serialises hard-swish with the types that its tensors have."""

    target: ClassVar[str] = "aten.hardswish.default"

    def define_node(
        self,
        node: torch.fx.Node,
        xnn_graph: XNNGraph,
        vals_to_ids: dict[torch.fx.Node, int],
        debug_handle: int,
    ) -> None:
        """Add the node and its tensors to the XNNPACK graph."""
        self.define_nodes_tensor_inputs_outputs(node, xnn_graph, vals_to_ids)
        layer = XNNHardswish(input_id=vals_to_ids[node.all_input_nodes[0]], output_id=vals_to_ids[node], flags=0)
        xnn_graph.xnodes.append(XNode(xnode_union=layer, debug_handle=debug_handle))


register_node_visitor(Int8Hardswish)
