"""Weights of 8 bits."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import onnx
import onnx_ir as ir
import onnxruntime
import pytest
import torch
from numpy.typing import NDArray

from edgekit.mobilenet.compression import MIN_SIZE, compress_weights
from edgekit.testing import Made
from edgekit_onnx.weights import store_integers

Images = list[NDArray[np.float32]]


def test_weights_that_nobody_compressed_are_an_error() -> None:
    weights = np.random.default_rng(0).normal(size=(8, 300)).astype(np.float32)
    value = ir.Value(name="w", const_value=ir.tensor(weights))
    with pytest.raises(ValueError, match="int8"):
        store_integers(ir.Model(ir.Graph([], [], nodes=[], initializers=[value]), ir_version=10))


def test_the_session_has_the_chosen_values_and_all_others_as_they_were(digits: Mapping[str, Made], pictures: Images) -> None:
    """Every constant that a product reads, as ONNX Runtime computes it."""
    made = digits["int8-weights"]
    chosen = compress_weights(made.program.exported, "int8-weights").state_dict
    model = onnx.load(made.conversion.path)
    weights = [node.input[1] for node in model.graph.node if node.op_type in ("Conv", "Gemm")]
    stored = {tensor.name: tensor for tensor in model.graph.initializer}
    computed = [name for name in weights if name not in stored]
    model.graph.output.extend(onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None) for name in computed)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    values = session.run(computed, {"image": pictures[0]})
    values += [onnx.numpy_helper.to_array(stored[name]) for name in weights if name in stored]
    wanted = sorted(tensor.detach().numpy().tobytes() for tensor in chosen.values() if tensor.dim() >= 2)
    assert sorted(value.tobytes() for value in values) == wanted
    assert len(computed) == sum(tensor.numel() > MIN_SIZE for tensor in chosen.values())
    assert {stored[name].data_type for name in stored if len(stored[name].dims) in (2, 4) and name.endswith(".int8")} == {
        onnx.TensorProto.INT8
    }


def test_they_are_made_float_when_the_model_is_loaded(
    digits: Mapping[str, Made], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """With the default settings, so that no inference pays for it: the operators are those of the float32 artifact."""

    def optimised(made: Made) -> list[str]:
        options = onnxruntime.SessionOptions()
        options.optimized_model_filepath = str(tmp_path_factory.mktemp("optimised") / "model.onnx")
        options.log_severity_level = 3
        onnxruntime.InferenceSession(made.conversion.path, options)
        return sorted(node.op_type for node in onnx.load(options.optimized_model_filepath).graph.node)

    assert optimised(digits["int8-weights"]) == optimised(digits["float32"])


def test_float32_arithmetic(digits: Mapping[str, Made], pictures: Images, run: Callable[..., NDArray[np.float64]]) -> None:
    made = digits["int8-weights"]
    module = compress_weights(made.program.exported, "int8-weights").module()
    with torch.no_grad():
        expected = np.concatenate([module(torch.from_numpy(image))[0].numpy()[None] for image in pictures])
    np.testing.assert_allclose(run(made, pictures), expected, atol=1e-5 * np.abs(expected).max())
