"""Which changes the rewriting of an int8 graph makes, and that none of them changes a value."""

from __future__ import annotations

from collections import Counter

import numpy as np
import onnx
import onnx.parser
import onnx_ir as ir
import onnxruntime
import pytest
from numpy.typing import NDArray

from edgekit_onnx.qdq import fuse

STEP = 0.0234375  # of the image; three times a power of two, so that multiples of it are exact
BIASES = (0.0, 6 * STEP * 0.5, -40 * STEP * 0.5)
UNIT = """
<ir_version: 10, opset_import: ["" : 20]>
unit (float[1,2,6,6] image) => (float[1,3,N,N] answer)
<
  float image_scale = {{{step}}}, int8 image_zero = {{-3}}, float pad_scale = {{{pad_step}}},
  int64[8] pads = {{0,0,0,0, 0,0,1,1}}, float nothing = {{{padded}}},
  int8[3,2,3,3] weights = {{{weights}}}, float[3] scales = {{0.5,0.5,0.5}}, int8[3] zeros = {{0,0,0}}, float[3] bias = {{{bias}}},
  float low = {{0}}, float high = {{6}}, float scale = {{{scale}}}, int8 zero = {{{zero}}}
>
{{
  q = QuantizeLinear(image, image_scale, image_zero)
  dq = DequantizeLinear(q, image_scale, image_zero)
  padded = Pad(dq, pads, nothing)
  padded_q = QuantizeLinear(padded, pad_scale, image_zero)
  padded_dq = DequantizeLinear(padded_q, pad_scale, image_zero)
  w = DequantizeLinear<axis = 0>(weights, scales, zeros)
  sums = Conv<strides = [2,2], pads = [0,0,0,0]>(padded_dq, w, bias)
  cut = Clip(sums, low, high)
  cut_q = QuantizeLinear(cut, scale, zero)
  answer = DequantizeLinear(cut_q, scale, zero)
}}
"""


def unit(
    *, scale: float = 6 / 255, zero: int = -128, pad_step: float = STEP, padded: float = 0.0, bias: float = BIASES[1]
) -> ir.Model:
    """Pad, convolution and ReLU6, as the exporter writes them."""
    weights = np.random.default_rng(0).integers(-127, 128, 54)
    return ir.from_onnx_text(
        UNIT.format(
            step=STEP,
            pad_step=pad_step,
            padded=padded,
            weights=",".join(map(str, weights)),
            bias=f"{BIASES[0]},{bias},{BIASES[2]}",
            scale=scale,
            zero=zero,
        )
    )


def operators(model: ir.Model) -> Counter[str]:
    return Counter(node.op_type for node in model.graph)


def answers(model: ir.Model) -> list[NDArray[np.float32]]:
    """What the graph says, every operator by itself: nothing fused."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    proto = ir.to_proto(model)
    onnx.checker.check_model(proto, full_check=True)
    session = onnxruntime.InferenceSession(proto.SerializeToString(), options)
    images = np.random.default_rng(1).uniform(-4, 4, (20, 1, 2, 6, 6)).astype(np.float32)
    return [session.run(None, {"image": image})[0] for image in images]


def check_nothing_changes(model: ir.Model) -> Counter[str]:
    """Fuse a graph, and compare the answers of before and after; its operators."""
    before = answers(model)
    fuse(model)
    np.testing.assert_array_equal(answers(model), before)
    return operators(model)


def test_pad_and_clip_go_and_the_values_stay() -> None:
    assert check_nothing_changes(unit()) == {"QuantizeLinear": 2, "DequantizeLinear": 4, "Conv": 1}


def test_a_clip_that_cuts_off_more_than_rounding_does_is_kept() -> None:
    assert check_nothing_changes(unit(scale=7 / 255))["Clip"] == 1  # 6 is not the last step
    assert check_nothing_changes(unit(zero=-100))["Clip"] == 1  # nor 0 the first


def test_a_clip_beyond_the_last_step_goes() -> None:
    assert check_nothing_changes(unit(scale=4 / 255))["Clip"] == 0


def test_a_pad_that_rounds_or_pads_with_something_else_is_kept() -> None:
    assert check_nothing_changes(unit(pad_step=2 * STEP))["Pad"] == 1
    assert check_nothing_changes(unit(padded=1.0))["Pad"] == 1


def test_a_clip_that_somebody_else_reads_is_kept() -> None:
    model = unit()
    cut = next(node for node in model.graph if node.op_type == "Clip")
    other = ir.node("Neg", [cut.outputs[0]])
    other.outputs[0].name, other.outputs[0].shape = "other", ir.Shape([1, 3, 3, 3])
    other.outputs[0].type = ir.TensorType(ir.DataType.FLOAT)
    model.graph.append(other)
    model.graph.outputs.append(other.outputs[0])
    assert check_nothing_changes(model)["Clip"] == 1


def test_a_bias_that_no_int32_stands_for_is_an_error() -> None:
    with pytest.raises(ValueError, match="bias"):
        fuse(unit(bias=BIASES[1] * 1.1))
    with pytest.raises(ValueError, match="bias"):
        fuse(unit(bias=STEP * 0.5 * 2.0**31))


def test_activations_are_unsigned_and_weights_signed_with_zero_points_of_their_own() -> None:
    model = unit()
    fuse(model)
    types = {name: value.const_value.dtype for name, value in model.graph.initializers.items() if value.const_value}
    assert types["weights"] == ir.DataType.INT8
    read = [node.inputs[2] for node in model.graph if len(node.inputs) > 2 and node.op_type.endswith("Linear")]
    dtypes = Counter(value.const_value.dtype for value in read if value and value.const_value)
    assert dtypes == {ir.DataType.UINT8: 4, ir.DataType.INT8: 1}
    assert all(len(node.outputs[0].uses()) <= 1 for node in model.graph if node.op_type == "DequantizeLinear")


def test_the_mean_over_height_and_width_of_an_int8_tensor_is_a_pool() -> None:
    model = ir.from_onnx_text("""
    <ir_version: 10, opset_import: ["" : 20]>
    pool (float[1,2,6,6] image) => (float[1,2,1,1] answer, float[1,2,1,1] plain)
    <float s = {0.03125}, int8 z = {5}, int64[2] axes = {-1,-2}>
    {
      q = QuantizeLinear(image, s, z)
      dq = DequantizeLinear(q, s, z)
      mean = ReduceMean<keepdims = 1>(dq, axes)
      mean_q = QuantizeLinear(mean, s, z)
      answer = DequantizeLinear(mean_q, s, z)
      plain = ReduceMean<keepdims = 1>(image, axes)
    }
    """)
    model = ir.from_proto(onnx.shape_inference.infer_shapes(ir.to_proto(model)))
    assert check_nothing_changes(model) == {"QuantizeLinear": 2, "DequantizeLinear": 2, "GlobalAveragePool": 1, "ReduceMean": 1}
