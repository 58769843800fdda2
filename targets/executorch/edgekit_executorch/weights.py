"""Weights stored in 8 bits, computed with in float32.

Which values the weights have was decided before (`edgekit.mobilenet.compression`), the same for every target: int8 times a
float16 scale of the output channel. Both are found again here, and checked.

XNNPACK, as built into ExecuTorch 1.4.1, takes an int8 filter under a float32 image in its fully connected node alone: with one,
no convolution loads ("Failed to create convolution node"). So a pointwise convolution is serialised as a fully connected layer,
as in `pointwise.py`. The first layer and the depthwise ones, 1 to 5 % of a MobileNet's weights, are float32 of the same values.

The node multiplies by the scale last, and its bias too: (image * integers + bias) * scale. So do XNNPACK's kernels (the scalar
one and Arm's as well), and its test of the operator (test/fully-connected-operator-tester.h, TestF32QC8W). The bias is given
divided by the scale. That costs nothing: 108 to 118 dB against float64 on photographs, as PyTorch's float32.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

import torch
from executorch.backends.xnnpack.operators.node_visitor import NodeVisitor, _node_visitor_dict, get_tensor_value
from executorch.backends.xnnpack.operators.quant_params import QuantParams
from executorch.backends.xnnpack.serialization.xnnpack_graph_schema import (
    ConstantDataOffset,
    XNNDatatype,
    XNNGraph,
    XNNTensorValue,
    XValue,
)
from executorch.backends.xnnpack.utils.utils import get_input_node, get_param_tensor
from executorch.backends.xnnpack.utils.xnnpack_constants import UINT64_MAX, XNN_INVALID_VALUE_ID
from executorch.exir._serialize._named_data_store import NamedDataStore
from torch import Tensor

from edgekit.mobilenet.compression import find_integers, is_compressed
from edgekit_executorch.padding import PaddedConv2d
from edgekit_executorch.pointwise import fully_connected, is_pointwise

LINEAR = "aten.linear.default"
_Linear: Any = _node_visitor_dict[LINEAR]  # as in pointwise.py: its own name is unusable
_MAX = 127
_ALIGNMENT = 16  # of constants, in bytes: CONSTANT_TENSOR_ALIGNMENT in executorch/exir/_serialize


class IntegerConv2d(PaddedConv2d):
    """Serialises a pointwise convolution with compressed weights as a fully connected layer, and every other one as before."""

    def define_node(
        self,
        node: torch.fx.Node,
        xnn_graph: XNNGraph,
        vals_to_ids: dict[torch.fx.Node, int],
        debug_handle: int,
    ) -> None:
        """Add the node and its tensors to the XNNPACK graph."""
        if is_pointwise(node) and _is_compressed(node):
            _define_fully_connected(self, node, xnn_graph, vals_to_ids, debug_handle, convert_to_nhwc=True)
        else:
            super().define_node(node, xnn_graph, vals_to_ids, debug_handle)


class IntegerLinear(_Linear):  # type: ignore[misc]  # untyped SDK
    """Serialises a linear layer with compressed weights as integers and scales, and every other one as ExecuTorch does."""

    target: ClassVar[str] = LINEAR

    def define_node(
        self,
        node: torch.fx.Node,
        xnn_graph: XNNGraph,
        vals_to_ids: dict[torch.fx.Node, int],
        debug_handle: int,
    ) -> None:
        """Add the node and its tensors to the XNNPACK graph."""
        if _is_compressed(node):
            _define_fully_connected(self, node, xnn_graph, vals_to_ids, debug_handle, convert_to_nhwc=False)
        else:
            super().define_node(node, xnn_graph, vals_to_ids, debug_handle)


@contextmanager
def integer_filters() -> Iterator[None]:
    """Serialise compressed weights as integers meanwhile."""
    originals = dict(_node_visitor_dict)
    _node_visitor_dict.update({visitor.target: visitor for visitor in (IntegerConv2d, IntegerLinear)})
    try:
        yield
    finally:
        _node_visitor_dict.update(originals)


def _is_compressed(node: torch.fx.Node) -> bool:
    return is_compressed(get_input_node(node, 1).meta["val"].shape)


def _define_fully_connected(
    visitor: NodeVisitor,
    node: torch.fx.Node,
    xnn_graph: XNNGraph,
    vals_to_ids: dict[torch.fx.Node, int],
    debug_handle: int,
    *,
    convert_to_nhwc: bool,
) -> None:
    image, weight = get_input_node(node, 0), get_input_node(node, 1)
    _, found = find_integers(get_param_tensor(visitor.exported_program, weight).detach().numpy())
    scales = torch.from_numpy(found).flatten().float()
    visitor.define_tensor(image, xnn_graph, vals_to_ids, convert_to_nhwc=convert_to_nhwc)
    visitor.define_tensor(weight, xnn_graph, vals_to_ids, quant_params=_per_channel(weight, scales))
    # The bytes of [K, C, 1, 1] are those of [K, C].
    filter_value = get_tensor_value(xnn_graph.xvalues[-1])
    filter_value.dims, filter_value.num_dims = filter_value.dims[:2], 2
    bias_id = XNN_INVALID_VALUE_ID
    if len(node.args) > 2 and node.args[2] is not None:
        bias = get_param_tensor(visitor.exported_program, get_input_node(node, 2)).detach()
        bias_id = _define_constant(bias / scales, xnn_graph, visitor._named_data_store)
    visitor.define_tensor(node, xnn_graph, vals_to_ids, convert_to_nhwc=convert_to_nhwc)
    xnn_graph.xnodes.append(fully_connected(node, vals_to_ids, debug_handle, bias_id))


def _per_channel(weight: torch.fx.Node, scales: Tensor) -> QuantParams:
    return QuantParams(
        per_channel=True,
        q_input=weight,
        scale=scales,
        zp=torch.zeros(len(scales), dtype=torch.int64),
        axis=0,
        dtype=torch.int8,
        qmax=_MAX,
        qmin=-_MAX,
        is_output=False,
        is_input=False,
    )


def _define_constant(values: Tensor, xnn_graph: XNNGraph, store: NamedDataStore) -> int:
    """Add float32 values that the program does not have, one per channel; ExecuTorch's own can only add a node's."""
    content = values.numpy().tobytes()
    key = hashlib.sha256(content).hexdigest()
    store.add_named_data(key, content, _ALIGNMENT)
    xnn_graph.constant_data.append(ConstantDataOffset(offset=UINT64_MAX, size=len(content), named_key=key))
    value_id = len(xnn_graph.xvalues)
    value = XNNTensorValue(
        datatype=XNNDatatype.xnn_datatype_fp32,
        num_dims=1,
        dims=[len(values)],
        external_id=XNN_INVALID_VALUE_ID,
        constant_buffer_idx=len(xnn_graph.constant_data) - 1,
        flags=0,
        id_out=value_id,
    )
    xnn_graph.xvalues.append(XValue(xvalue_union=value))
    return value_id
