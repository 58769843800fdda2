"""Keep the weights of float16 pointwise convolutions in float16.

ExecuTorch serialises every convolution's filter as float32 (`force_fp32=True` in backends/xnnpack/operators/op_conv2d.py),
because XNNPACK's convolution node, as built into ExecuTorch 1.4.1, takes a float32 filter only: with a float16 one the program
does not load ("Failed to create convolution node"). A `.half()` MobileNetV2 is then 0.82 times its float32 size instead of 0.5.

XNNPACK's fully connected node does take a float16 filter, and works on the last axis of a tensor with any number of axes. Inside
the delegate activations are NHWC, so a 1x1 convolution *is* a fully connected layer, run by the same matrix kernels. It is
serialised as one here. The other filters (the first layer's and the depthwise ones, 1 to 5 % of a MobileNet's weights) stay
float32.
"""

from __future__ import annotations

from typing import Any

import executorch.backends.xnnpack.operators  # noqa: F401  (fills the registry read below)
import torch
from executorch.backends.xnnpack._passes.fuse_activation_pass import FuseActivationPass
from executorch.backends.xnnpack.operators.node_visitor import _node_visitor_dict
from executorch.backends.xnnpack.serialization.xnnpack_graph_schema import XNNFullyConnected, XNNGraph, XNode
from executorch.backends.xnnpack.utils.utils import get_input_node
from executorch.backends.xnnpack.utils.xnnpack_constants import XNN_INVALID_VALUE_ID

CONVOLUTION = "aten.convolution.default"
_Conv2d: Any = _node_visitor_dict[CONVOLUTION]  # its own name is unusable: the decorator rebinds it to None


class PointwiseConv2d(_Conv2d):  # type: ignore[misc]  # untyped SDK
    """Serialises a float16 1x1 convolution as a fully connected layer, and every other one as ExecuTorch does."""

    target = CONVOLUTION

    def define_node(
        self,
        node: torch.fx.Node,
        xnn_graph: XNNGraph,
        vals_to_ids: dict[torch.fx.Node, int],
        debug_handle: int,
    ) -> None:
        """Add the node and its tensors to the XNNPACK graph."""
        image, weight = get_input_node(node, 0), get_input_node(node, 1)
        if not is_pointwise(node) or weight.meta["val"].dtype != torch.float16:
            super().define_node(node, xnn_graph, vals_to_ids, debug_handle)
            return
        self.define_tensor(image, xnn_graph, vals_to_ids, convert_to_nhwc=True)
        self.define_tensor(weight, xnn_graph, vals_to_ids)
        # The bytes of [K, C, 1, 1] are those of [K, C].
        filter_value = xnn_graph.xvalues[-1].xvalue_union
        filter_value.dims, filter_value.num_dims = filter_value.dims[:2], 2
        bias_id = XNN_INVALID_VALUE_ID
        if node.args[2] is not None:
            bias = get_input_node(node, 2)
            self.define_tensor(bias, xnn_graph, vals_to_ids)
            bias_id = vals_to_ids[bias]
        self.define_tensor(node, xnn_graph, vals_to_ids, convert_to_nhwc=True)
        xnn_graph.xnodes.append(fully_connected(node, vals_to_ids, debug_handle, bias_id))


def fully_connected(node: torch.fx.Node, vals_to_ids: dict[torch.fx.Node, int], debug_handle: int, bias_id: int) -> XNode:
    """A fully connected layer between a node's tensors, which XNNPACK's graph has by now."""
    layer = XNNFullyConnected(
        input1_id=vals_to_ids[get_input_node(node, 0)],
        filter_id=vals_to_ids[get_input_node(node, 1)],
        bias_id=bias_id,
        output_id=vals_to_ids[node],
        flags=0,
    )
    limits = FuseActivationPass.get_fused_activation(node)
    return XNode(xnode_union=layer, debug_handle=debug_handle, output_min_max=limits)


def is_pointwise(node: torch.fx.Node) -> bool:
    """Whether a convolution is a fully connected layer over the channels, its filter a constant of the program."""
    weight = get_input_node(node, 1)
    _, _, _, stride, padding, _, transposed, _, groups = node.args
    return bool(
        weight.op == "placeholder"  # and not a dequantised one
        and tuple(weight.meta["val"].shape[2:]) == (1, 1)
        and groups == 1
        and not transposed
        and set(stride) == {1}  # type: ignore[arg-type]  # fx arguments are untyped
        and set(padding) == {0}  # type: ignore[arg-type]  # likewise
    )
