"""The roundings of an int8 program, in the form of which OpenVINO's low-precision passes make integer products.

That form is a FakeQuantize where activations are rounded, and weights of int8 times a scale per channel. OpenVINO's own reader of
exported programs makes a FakeQuantize of `quantize` and passes over `dequantize`. For weights that is wrong: they are int8 in the
program already, and a convolution would be given the bare integers, which it refuses.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from openvino import opset1 as ops
from openvino.frontend.pytorch import ConversionExtension

_MOVES = ("Pad", "Reshape")  # they change no value


def _quantize(context: Any) -> list[Any]:
    """Float to the nearest of 256 steps, as float. Nothing, where what is given was rounded to the same steps before."""
    given = context.get_input(0)
    scale, zero_point, lowest, highest = (context.get_values_from_const_input(i) for i in range(1, 5))
    ends = [np.float32((step - zero_point) * scale) for step in (lowest, highest)]
    if _was_rounded(given.get_node(), ends):
        return [given]
    return list(ops.fake_quantize(given, *ends, *ends, highest - lowest + 1).outputs())


def _was_rounded(node: Any, ends: list[np.float32]) -> bool:
    while node.get_type_name() in _MOVES:
        node = node.input_value(0).get_node()
    return node.get_type_name() == "FakeQuantize" and [node.input_value(i).get_node().data for i in (1, 2)] == ends


def _dequantize_channels(context: Any) -> list[Any]:
    """Int8 weights to float, by a scale for each of the first axis; zero stands for zero."""
    weights, scales = (context.get_input(i).get_node().data for i in (0, 1))
    sizes = [-1] + [1] * (weights.ndim - 1)
    return list(ops.multiply(ops.convert(ops.constant(weights), "f32"), ops.constant(scales.reshape(sizes))).outputs())


ROUNDINGS = [
    ConversionExtension("quantized_decomposed.quantize_per_tensor.default", _quantize),
    ConversionExtension("quantized_decomposed.dequantize_per_channel.default", _dequantize_channels),
]
"""How an int8 program is read: the `extension` of `openvino.convert_model`."""


def simplify(model: Any) -> None:
    """Say the same in fewer layers, in place: in the XML of a small model they take more room than its biases."""
    ends: dict[float, Any] = {}
    for node in model.get_ordered_ops():
        if node.get_type_name() == "FakeQuantize":
            for port in node.inputs()[1:]:
                end = port.get_source_output().get_node().data.item()
                port.replace_source_output(ends.setdefault(end, ops.constant(np.float32(end))).output(0))
        elif node.get_type_name() == "Reshape" and node.input_value(0).get_node().get_type_name() == "Multiply":
            _reshape_weights(node)
    model.validate_nodes_and_infer_types()


def _reshape_weights(node: Any) -> None:
    """Give depthwise weights their fifth axis where they are stored."""
    multiply = node.input_value(0).get_node()
    convert, scales = (value.get_node() for value in multiply.input_values())
    if convert.get_type_name() != "Convert":
        return
    sizes = list(node.get_output_shape(0))
    stored = ops.constant(convert.input_value(0).get_node().data.reshape(sizes))
    scale = ops.constant(scales.data.reshape([-1] + [1] * (len(sizes) - 1)))
    replace(node, ops.multiply(ops.convert(stored, "f32"), scale))


def replace(node: Any, other: Any) -> None:
    """Let all who read one node read another."""
    for reader in node.output(0).get_target_inputs():
        reader.replace_source_output(other.output(0))
