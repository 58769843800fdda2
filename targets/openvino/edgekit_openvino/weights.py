"""Weights stored in fewer bits, computed with in float32."""

from __future__ import annotations

from typing import Any

import numpy as np
import openvino
from openvino import opset1 as ops

from edgekit.mobilenet.compression import find_integers, is_compressed
from edgekit_openvino.rounding import replace

# The layer that turns a float16 constant back into float32 takes 430 bytes of XML; fewer values than these save less than that.
_FEWEST_HALVED = 216
# Of an app that sets nothing else. Where the CPU has VNNI, OpenVINO rounds the activations before stored integers to bytes, in
# groups of this size: 46 dB instead of 138 (docs.openvino.ai, "Dynamic Quantization"). 0: never.
_GROUP_SIZE = ["runtime_options", "DYNAMIC_QUANTIZATION_GROUP_SIZE"]
# product -> how many axes of its weights count its output channels
_PRODUCTS = {"Convolution": 1, "GroupConvolution": 2, "MatMul": 1}


def store_float16(model: Any) -> None:
    """Store constants as float16, in place, where that makes the artifact smaller.

    Not by `save_model(compress_to_fp16=True)`: it compresses the smallest constants too, and leaves one in float32 when most of
    its values are too small for float16 (transformations/common_optimizations/compress_float_constants), as nearly all are in
    a checkpoint with many dead weights, whose "float16" file is then 0.93 times the float32 size.
    """
    for node in model.get_ordered_ops():
        if node.get_type_name() != "Constant" or node.get_element_type() != openvino.Type.f32:
            continue
        if node.data.size >= _FEWEST_HALVED:
            widened = ops.convert(ops.constant(node.data.astype(np.float16)), "f32")
            widened.set_friendly_name(node.get_friendly_name())
            replace(node, widened)


def store_integers(model: Any) -> None:
    """Store compressed weights as int8 with a scale per output channel, in place; activations stay floats, and the file says so.

    Raises:
        ValueError: weights that are not integers times a float16 scale.
    """
    for node in model.get_ordered_ops():
        if (axes := _PRODUCTS.get(node.get_type_name())) is None:
            continue
        weights = node.input_value(1).get_node()
        if weights.get_type_name() == "Constant" and is_compressed(weights.data.shape):
            integers, scales = find_integers(weights.data, axes)
            replace(weights, ops.multiply(ops.convert(ops.constant(integers), "f32"), ops.constant(scales.astype(np.float32))))
    model.set_rt_info(0, _GROUP_SIZE)
