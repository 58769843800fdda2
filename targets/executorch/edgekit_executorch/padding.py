"""Let a convolution do the padding before it.

TensorFlow pads one row and column more after an image than before it (`padding="SAME"`), PyTorch's convolution pads both sides
alike, so that the captured program has a pad of its own. XNNPACK's convolution takes four paddings. As a node of its own the pad
copies the tensor, among them the largest ones of a network, and ExecuTorch gives XNNPACK none in int8: the tensor is turned into
float32, padded and rounded again.

An int8 convolution pads with the value that stands for zero, so that nothing changes but the time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from executorch.backends.xnnpack._passes.xnnpack_pass import XNNPACKPass
from executorch.backends.xnnpack.operators.node_visitor import register_node_visitor
from executorch.backends.xnnpack.serialization.xnnpack_graph_schema import XNNGraph
from executorch.exir.dialects._ops import ops
from executorch.exir.pass_base import PassResult

from edgekit_executorch.pointwise import PointwiseConv2d

_KEY = "edgekit_padding"  # in a convolution's meta: top, right, bottom, left
_CONVOLUTION = ops.edge.aten.convolution.default
_PAD = ops.edge.aten.constant_pad_nd.default
_QUANTIZE = ops.edge.quantized_decomposed.quantize_per_tensor.default
_DEQUANTIZE = ops.edge.quantized_decomposed.dequantize_per_tensor.default


@dataclass(frozen=True, slots=True)
class Padding:
    """A pad that a convolution can do.

    Attributes:
        reader: the node that is to read the source: the convolution, or what turns its int8 image into floats.
        source: what the pad is given, in int8 where the reader takes int8.
        sizes: top, right, bottom, left.
        alike: the padding alike on both sides, for rows and columns, that gives the convolution's result the same shape.
    """

    reader: torch.fx.Node
    source: torch.fx.Node
    sizes: tuple[int, int, int, int]
    alike: tuple[int, int]


class FoldPaddingPass(XNNPACKPass):  # type: ignore[misc]  # untyped SDK
    """Takes pads out of a delegate's graph and notes them at the convolutions that read them."""

    def call(self, graph_module: torch.fx.GraphModule) -> PassResult:
        """Run before every pass that looks at pads or at memory formats."""
        convolutions = graph_module.graph.find_nodes(op="call_function", target=_CONVOLUTION)
        found = {node: padding for node in convolutions if (padding := _find_padding(node))}
        if not found:
            return PassResult(graph_module, False)
        for node, padding in found.items():
            padding.reader.replace_input_with(padding.reader.all_input_nodes[0], padding.source)
            # Passes trace the graph and need a padding that torch has too; what XNNPACK is told is in the meta.
            node.update_arg(4, list(padding.alike))
            node.meta[_KEY] = padding.sizes
        graph_module.graph.eliminate_dead_code()
        graph_module.recompile()
        return PassResult(super().call(graph_module).graph_module, True)


class PaddedConv2d(PointwiseConv2d):
    """Serialises a convolution with the padding that is noted at it."""

    def define_node(
        self,
        node: torch.fx.Node,
        xnn_graph: XNNGraph,
        vals_to_ids: dict[torch.fx.Node, int],
        debug_handle: int,
    ) -> None:
        """Add the node and its tensors to the XNNPACK graph."""
        super().define_node(node, xnn_graph, vals_to_ids, debug_handle)
        if _KEY in node.meta:
            layer = xnn_graph.xnodes[-1].xnode_union
            layer.padding_top, layer.padding_right, layer.padding_bottom, layer.padding_left = node.meta[_KEY]


def _find_padding(convolution: torch.fx.Node) -> Padding | None:
    arguments: list[Any] = list(convolution.args)  # fx arguments are untyped
    image, weight, _, stride, padding, dilation, transposed = arguments[:7]
    reader: Any = convolution
    pad = image
    if image.target is _DEQUANTIZE and image.args[0].target is _QUANTIZE:
        reader, pad = image, image.args[0].args[0]
    if pad.target is not _PAD or len(pad.users) > 1 or transposed or any(padding) or set(dilation) != {1}:
        return None
    source: Any = pad.args[0]
    if reader is image:
        if source.target is not _DEQUANTIZE or not source.args[1:] == image.args[1:] == image.args[0].args[1:]:
            return None  # the rounding after the pad is not the one before it
        source = source.args[0]
    sizes: list[int] = [*pad.args[1], 0, 0, 0, 0]
    left, right, top, bottom = sizes[:4]
    if any(sizes[4:]) or min(left, right, top, bottom) < 0 or any(pad.args[2:]):
        return None
    alike = (max(top, bottom), max(left, right))
    for i, axis in enumerate((2, 3)):
        kernel, unpadded = weight.meta["val"].shape[axis], pad.args[0].meta["val"].shape[axis]
        if (unpadded + 2 * alike[i] - kernel) // stride[i] != (pad.meta["val"].shape[axis] - kernel) // stride[i]:
            return None
    return Padding(reader, source, (top, right, bottom, left), alike)


register_node_visitor(PaddedConv2d)
