"""What XNNPACK computes in, read off the graphs that are written for it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from executorch.backends.xnnpack import xnnpack_preprocess
from executorch.backends.xnnpack.serialization.xnnpack_graph_schema import (
    XNNConv2d,
    XNNConvert,
    XNNDatatype,
    XNNDepthwiseConv2d,
    XNNFullyConnected,
    XNNGraph,
    XNNStaticReshape,
    XNNStaticTranspose,
)

from edgekit_executorch.delegation import Arithmetic

_PRODUCTS = (XNNConv2d, XNNDepthwiseConv2d, XNNFullyConnected)
_MOVES = (XNNConvert, XNNStaticReshape, XNNStaticTranspose)  # nothing is computed in these
_NAMES = {
    XNNDatatype.xnn_datatype_fp32: "float32",
    XNNDatatype.xnn_datatype_fp16: "float16",
    XNNDatatype.xnn_datatype_qint8: "int8",
    XNNDatatype.xnn_datatype_qcint8: "int8",
}


@contextmanager
def watch_graphs() -> Iterator[list[XNNGraph]]:
    """Collect the graphs that are serialised for XNNPACK meanwhile."""
    graphs: list[XNNGraph] = []
    original: Any = xnnpack_preprocess.serialize_xnnpack_binary

    def serialize(graph: XNNGraph, constants: bytearray) -> bytes:
        graphs.append(graph)
        return bytes(original(graph, constants))

    xnnpack_preprocess.serialize_xnnpack_binary = serialize
    try:
        yield graphs
    finally:
        xnnpack_preprocess.serialize_xnnpack_binary = original


def count_arithmetic(graphs: list[XNNGraph]) -> Arithmetic:
    """Count products by the type they are computed in, and the other float32 operators by name."""
    products: Counter[str] = Counter()
    float32_operators: Counter[str] = Counter()
    for graph in graphs:
        for node in graph.xnodes:
            layer = node.xnode_union
            if isinstance(layer, _PRODUCTS):
                image, weights = _type_of(graph, layer.input1_id), _type_of(graph, layer.filter_id)
                products[image if weights in (image, "float32") else f"{image} with {weights} weights"] += 1
            elif not isinstance(layer, _MOVES) and _type_of(graph, layer.output_id) == "float32":
                float32_operators[type(layer).__name__.removeprefix("XNN")] += 1
    return Arithmetic(dict(products), dict(float32_operators))


def _type_of(graph: XNNGraph, value_id: int) -> str:
    value = graph.xvalues[value_id].xvalue_union
    datatype = getattr(value, "tensor_value", value).datatype  # a quantised tensor holds the plain one
    return _NAMES.get(datatype, str(datatype))
