"""An exported int8 program -> a graph whose operators ONNX Runtime replaces by integer kernels, computing the same.

torch's exporter writes what the program says: QuantizeLinear (Q) and DequantizeLinear (DQ) around float operators. ONNX Runtime
fuses DQ -> operator -> Q only in certain forms (its QDQ selectors, onnxruntime/core/optimizer/qdq_transformer). The steps here
bring the graph into these forms. None changes a value: each says why, and leaves alone what it cannot prove.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray
from onnx_ir.passes.common import RemoveUnusedNodesPass

PRODUCTS = ("Conv", "Gemm")
_INT8_TO_UINT8 = 128
_BIAS = 2  # the bias's place among the inputs of a product
_ROUNDINGS = ("QuantizeLinear", "DequantizeLinear")


def fuse(model: ir.Model) -> None:
    """Rewrite a graph in place.

    Raises:
        ValueError: a bias of an int8 product that int32 does not hold.
    """
    for step in _STEPS:
        step(model.graph)
    RemoveUnusedNodesPass()(model)


@dataclass(frozen=True, slots=True)
class _Steps:
    """The scale and zero point of a Q or DQ of one scale, and the ends of its integers."""

    scale: float
    zero_point: int
    low: int
    high: int

    @classmethod
    def of(cls, node: ir.Node) -> _Steps:
        scale, zero_point = (_constant(value) for value in node.inputs[1:3])
        assert scale is not None
        assert zero_point is not None
        ends = np.iinfo(zero_point.dtype)
        return cls(float(scale), int(zero_point), int(ends.min), int(ends.max))

    def integer(self, value: float) -> float:
        """The step of a value, beyond the ends too."""
        return float(np.rint(np.float32(value) / np.float32(self.scale))) + self.zero_point


def _drop_cuts(graph: ir.Graph) -> None:
    """Take out a ReLU or clip where Q cuts off no less: its integers end at the clip's ends or before.

    Rounding keeps the order of values, so it does not matter whether a value is cut off before or after it.
    """
    for node in _each(graph, "Relu", "Clip"):
        low, high = _ends(node)
        readers = _readers(node)
        if readers and all(reader.op_type == "QuantizeLinear" for reader in readers):
            steps = [_Steps.of(reader) for reader in readers]
            if all(step.integer(low) <= step.low and step.integer(high) >= step.high for step in steps):
                ir.convenience.replace_all_uses_with(node.outputs[0], _given(node, 0))


def _drop_pads(graph: ir.Graph) -> None:
    """Let the convolution pad: with its zero point, which is the zero that DQ -> Pad -> Q pads with."""
    for conv in _each(graph, "Conv"):
        chain = _chain(conv, "DequantizeLinear", "QuantizeLinear", "Pad", "DequantizeLinear")
        if not chain or not _pads_zeros(chain[2]) or len({_Steps.of(chain[i]) for i in (0, 1, 3)}) > 1:
            continue
        pads = _constant(chain[2].inputs[1])
        assert pads is not None
        (top, left), (bottom, right) = pads.reshape(2, 4)[:, 2:]
        own = conv.attributes.get_ints("pads", [0, 0, 0, 0])
        sums = [int(a + b) for a, b in zip(own, (top, left, bottom, right), strict=True)]
        conv.attributes["pads"] = ir.AttrInt64s("pads", sums)
        chain[0].replace_input_with(0, chain[3].inputs[0])


def _name_pools(graph: ir.Graph) -> None:
    """Call a mean over height and width of an int8 tensor what there is an integer kernel for."""
    for node in _each(graph, "ReduceMean"):
        axes = _constant(node.inputs[1])
        if not _chain(node, "DequantizeLinear") or axes is None or node.attributes.get_int("keepdims", 1) != 1:
            continue
        if sorted(int(axis) % 4 for axis in axes) == [2, 3] and len(node.outputs[0].shape or ()) == 4:
            name = node.name and node.name.replace(node.op_type, "GlobalAveragePool")
            pool = ir.node("GlobalAveragePool", [node.inputs[0]], name=name)
            graph.insert_before(node, pool)
            ir.convenience.replace_all_uses_with(node.outputs[0], pool.outputs[0])


def _make_biases_integer(graph: ir.Graph) -> None:
    """Store the biases of int8 products as the int32 that their sums are, in steps of input scale times channel's scale."""
    for node in _each(graph, *PRODUCTS):
        image, weights = (_given(node, i).producer() for i in range(_BIAS))
        bias = _constant(node.inputs[_BIAS]) if len(node.inputs) > _BIAS else None
        if bias is None or not image or not weights or {image.op_type, weights.op_type} != {"DequantizeLinear"}:
            continue
        scales = _constant(weights.inputs[1])
        assert scales is not None
        steps = scales.astype(np.float64) * _Steps.of(image).scale
        integers = np.rint(bias / steps)
        if np.abs(integers).max() >= 2**31 or not np.array_equal((integers * steps).astype(np.float32), bias):
            raise ValueError(f"the bias {_given(node, _BIAS).name} is no int32 in steps of its product")
        stored = _store(graph, _given(node, _BIAS), integers.astype(np.int32), ".int32")
        scale = _store(graph, _given(node, _BIAS), steps.astype(np.float32), ".scale")
        dequantize = ir.node("DequantizeLinear", [stored, scale], attributes={"axis": 0})
        graph.insert_before(node, dequantize)
        node.replace_input_with(_BIAS, dequantize.outputs[0])


def _make_activations_unsigned(graph: ir.Graph) -> None:
    """Count the steps of activations from 0 to 255: the kernels of x86 multiply unsigned by signed numbers."""
    unsigned: dict[int, ir.Value] = {}
    for node in _each(graph, *_ROUNDINGS):
        if (zero_point := _constant(node.inputs[2]) if len(node.inputs) > 2 else None) is None or zero_point.dtype != np.int8:
            continue
        if node.op_type == "DequantizeLinear" and _constant(node.inputs[0]) is not None:
            continue
        value = int(zero_point) + _INT8_TO_UINT8
        if value not in unsigned:
            unsigned[value] = _store(graph, _given(node, 2), np.array(value, np.uint8), ".uint8")
        node.replace_input_with(2, unsigned[value])
        if node.op_type == "QuantizeLinear":
            node.outputs[0].dtype = ir.DataType.UINT8


def _part_zero_points(graph: ir.Graph) -> None:
    """Give the weights of every product a zero point of their own.

    Where 8-bit products would overflow, ONNX Runtime makes the weights unsigned, their zero points with them, and fails at the
    second that has the same one.
    """
    for node in _each(graph, "DequantizeLinear"):
        zero_points = _constant(node.inputs[2]) if len(node.inputs) > 2 else None
        if _constant(node.inputs[0]) is not None and zero_points is not None:
            node.replace_input_with(2, _store(graph, _given(node, 0), zero_points, ".zero_point"))


def _split_readers(graph: ir.Graph) -> None:
    """Give every reader a DQ of its own."""
    for node in _each(graph, "DequantizeLinear"):
        for reader, i in list(node.outputs[0].uses())[1:]:
            copy = ir.node("DequantizeLinear", node.inputs, attributes=node.attributes)
            graph.insert_before(reader, copy)
            reader.replace_input_with(i, copy.outputs[0])


def _keep_in_float(graph: ir.Graph) -> None:
    """Write the scale in front of a product of float weights once per channel, always the same.

    ONNX Runtime makes weights int8 that stand between int8 tensors, with one scale for all channels (WeightBiasQuantization), and
    has no option against it. It does so only behind a DQ of one scale. These products were kept in float because int8 costs them
    too much.
    """
    for node in _each(graph, *PRODUCTS):
        image, weights = (_given(node, i).producer() for i in range(_BIAS))
        if image is None or image.op_type != "DequantizeLinear" or (weights and weights.op_type == "DequantizeLinear"):
            continue
        shape = _given(node, 1).shape
        assert shape is not None
        transposed = node.op_type == "Gemm" and not node.attributes.get_int("transB", 0)
        channels = shape.numpy()[0 if transposed else 1] * node.attributes.get_int("group", 1)
        for i, suffix in ((1, ".scales"), (2, ".zero_points")):
            value = _constant(image.inputs[i])
            assert value is not None
            image.replace_input_with(i, _store(graph, _given(node, 1), np.full(channels, value), suffix))
        image.attributes["axis"] = ir.AttrInt64("axis", 1)


_STEPS = (
    _drop_cuts,
    _drop_pads,
    _name_pools,
    _make_biases_integer,
    _make_activations_unsigned,
    _part_zero_points,
    _split_readers,
    _keep_in_float,
)


def _each(graph: ir.Graph, *op_types: str) -> Iterator[ir.Node]:
    return iter([node for node in graph if node.op_type in op_types])


def _readers(node: ir.Node) -> list[ir.Node]:
    return [] if node.outputs[0].is_graph_output() else [reader for reader, _ in node.outputs[0].uses()]


def _chain(node: ir.Node, *op_types: str) -> list[ir.Node]:
    """The operators behind a node's first input, nearest first, or nothing where they are others."""
    found: list[ir.Node] = []
    for op_type in op_types:
        source = _given(found[-1] if found else node, 0).producer()
        if source is None or source.op_type != op_type:
            return []
        found.append(source)
    return found


def _given(node: ir.Node, i: int) -> ir.Value:
    value = node.inputs[i]
    assert value is not None
    return value


def _constant(value: ir.Value | None) -> NDArray[Any] | None:
    tensor = ir.convenience.get_const_tensor(value) if value else None
    return None if tensor is None else tensor.numpy()


def _ends(node: ir.Node) -> tuple[float, float]:
    if node.op_type == "Relu":
        return 0.0, np.inf
    ends = [_constant(value) for value in (*node.inputs[1:], None, None)[:2]]
    low, high = (default if end is None else float(end) for end, default in zip(ends, (-np.inf, np.inf), strict=True))
    return low, high


def _pads_zeros(node: ir.Node) -> bool:
    """A Pad of height and width with zeros."""
    pads = _constant(node.inputs[1])
    if len(node.inputs) > 2 and node.inputs[2] is not None and _constant(node.inputs[2]) != 0:
        return False
    constant = node.attributes.get_string("mode", "constant") == "constant"
    return constant and pads is not None and pads.size == 8 and not pads.reshape(2, 4)[:, :2].any()


def _store(graph: ir.Graph, source: ir.Value, values: NDArray[Any], suffix: str) -> ir.Value:
    value = ir.Value(name=f"{source.name}{suffix}", const_value=ir.tensor(values))
    graph.register_initializer(value)
    return value
