"""Packages that `coremltools.optimize` compressed: read from disk, run, and compared with those that it decompressed again."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import coremltools as ct
import numpy as np
import pytest
from coremltools.converters.mil import Builder as mb  # noqa: N813 (its name in coremltools' documentation)
from coremltools.optimize.coreml import (
    OpLinearQuantizerConfig,
    OpMagnitudePrunerConfig,
    OpPalettizerConfig,
    OpThresholdPrunerConfig,
    OptimizationConfig,
    decompress_weights,
    linear_quantize_weights,
    palettize_weights,
    prune_weights,
)
from numpy.typing import NDArray

from edgekit_coreml.reference import ReferenceModel

Array = NDArray[Any]
SHAPE = (1, 8, 6, 5)
Steps = list[tuple[Any, Any]]


def quantized(**given: Any) -> tuple[Any, Any]:
    return linear_quantize_weights, OpLinearQuantizerConfig(**given)


def palettized(**given: Any) -> tuple[Any, Any]:
    return palettize_weights, OpPalettizerConfig(**given)


def pruned(**given: Any) -> tuple[Any, Any]:
    if "threshold" in given:
        return prune_weights, OpThresholdPrunerConfig(**given)
    return prune_weights, OpMagnitudePrunerConfig(**given)


# what coremltools did, the operators that it wrote
SINCE_IOS16: dict[str, tuple[Steps, set[str]]] = {
    "int8": ([quantized()], {"affine_dequantize"}),
    "int8_affine": ([quantized(mode="linear")], {"affine_dequantize"}),
    "uint8_per_tensor": ([quantized(dtype="uint8", mode="linear", granularity="per_tensor")], {"affine_dequantize"}),
    "uint8_symmetric": ([quantized(dtype="uint8")], {"affine_dequantize"}),
    **{f"kmeans_{bits}": ([palettized(nbits=bits)], {"lut_to_dense"}) for bits in (1, 2, 4, 6, 8)},
    "uniform_4": ([palettized(nbits=4, mode="uniform")], {"lut_to_dense"}),
    "magnitude": ([pruned(target_sparsity=0.6)], {"sparse_to_dense"}),
    "magnitude_blocks": ([pruned(target_sparsity=0.5, block_size=2, dim=1)], {"sparse_to_dense"}),
    "magnitude_n_m": ([pruned(n_m_ratio=(2, 4), dim=1)], {"sparse_to_dense"}),
    "threshold": ([pruned(threshold=0.5, minimum_sparsity_percentile=0.2)], {"sparse_to_dense"}),
}
# Of pruned vectors, which the format has too, coremltools 9.0 cannot make any: test_reference_compression.py does.
OF_IOS18: dict[str, tuple[Steps, set[str]]] = {
    "int8": ([quantized()], {"blockwise_shift_scale"}),
    "uint8_affine": ([quantized(dtype="uint8", mode="linear")], {"blockwise_shift_scale"}),
    "int4_per_channel": ([quantized(dtype="int4", mode="linear")], {"blockwise_shift_scale"}),
    "int4_per_tensor": ([quantized(dtype="int4", granularity="per_tensor")], {"blockwise_shift_scale"}),
    "uint4_per_block": (
        [quantized(dtype="uint4", mode="linear", granularity="per_block", block_size=4)],
        {"blockwise_shift_scale"},
    ),
    **{f"kmeans_{bits}": ([palettized(nbits=bits)], {"lut_to_dense"}) for bits in (1, 2, 3, 4, 6, 8)},
    "grouped": ([palettized(nbits=3, granularity="per_grouped_channel", group_size=8)], {"lut_to_dense"}),
    "grouped_inputs": (
        [palettized(nbits=2, granularity="per_grouped_channel", group_size=4, channel_axis=1)],
        {"lut_to_dense"},
    ),
    "vectors": ([palettized(nbits=4, cluster_dim=2)], {"lut_to_dense"}),
    "vectors_grouped": (
        [palettized(nbits=2, cluster_dim=4, granularity="per_grouped_channel", group_size=16)],
        {"lut_to_dense"},
    ),
    "scaled": ([palettized(nbits=4, enable_per_channel_scale=True)], {"lut_to_dense", "blockwise_shift_scale"}),
    "magnitude": ([pruned(target_sparsity=0.6)], {"sparse_to_dense"}),
    "pruned_and_quantized": ([pruned(target_sparsity=0.6), quantized()], {"sparse_blockwise_shift_scale", "sparse_to_dense"}),
    "pruned_and_int4": (
        [pruned(target_sparsity=0.6), quantized(dtype="uint4", mode="linear")],
        {"sparse_blockwise_shift_scale", "sparse_to_dense"},
    ),
    "pruned_and_palettized": ([pruned(target_sparsity=0.6), palettized(nbits=4)], {"lut_to_sparse", "sparse_to_dense"}),
    "palettized_and_quantized": (
        [palettized(nbits=4), quantized(granularity="per_tensor")],
        {"lut_to_dense", "blockwise_shift_scale"},
    ),
    "pruned_palettized_quantized": (
        [pruned(target_sparsity=0.6), palettized(nbits=4), quantized(granularity="per_tensor")],
        {"lut_to_sparse", "sparse_to_dense", "blockwise_shift_scale"},
    ),
}
OF_IOS17 = {name: SINCE_IOS16[name] for name in ("int8_affine", "kmeans_6", "magnitude")}  # written as for iOS 16
CASES = [
    pytest.param(opset, steps, ops, id=f"{opset}-{name}")
    for opset, cases in (("iOS16", SINCE_IOS16), ("iOS17", OF_IOS17), ("iOS18", OF_IOS18))
    for name, (steps, ops) in cases.items()
]


@pytest.fixture(scope="module")
def make(random: np.random.Generator) -> Callable[[str], Any]:
    """A model in memory with two convolutions and a linear layer, whose channels differ in size."""
    size = np.exp(random.standard_normal((32, 1, 1, 1)))
    weights = [
        (random.standard_normal((32, 8, 3, 2)) * size).astype(np.float32),
        (random.standard_normal((16, 16, 1, 1)) * size[:16]).astype(np.float32),
        (random.standard_normal((48, 16)) * size[:1, 0, 0]).astype(np.float32),
    ]

    def body(x: Any) -> Any:
        wide = mb.conv(x=x, weight=weights[0], pad_type="same")
        narrow = mb.conv(x=wide, weight=weights[1], groups=2)
        return mb.linear(x=mb.reduce_mean(x=narrow, axes=[2, 3]), weight=weights[2])

    @cache
    def make(opset: str) -> Any:
        target = ct.target[opset]
        program = mb.program(input_specs=[mb.TensorSpec(shape=SHAPE)], opset_version=target)(body)
        options = {"convert_to": "mlprogram", "minimum_deployment_target": target, "skip_model_load": True}
        return ct.convert(program, compute_precision=ct.precision.FLOAT32, **options)

    return make


@pytest.mark.filterwarnings("ignore")  # coremltools and scikit-learn warn of themselves
@pytest.mark.parametrize(("opset", "steps", "ops"), CASES)
def test_as_coremltools_decompresses_it(
    make: Callable[[str], Any], opset: str, steps: Steps, ops: set[str], tmp_path: Path, random: np.random.Generator
) -> None:
    image = random.standard_normal(SHAPE).astype(np.float32)
    model = original = make(opset)
    for number, (compress, config) in enumerate(steps):
        config.weight_threshold = 100
        model = compress(model, OptimizationConfig(config), **({"joint_compression": True} if number else {}))
    answers = []
    for name, each in (("compressed", model), ("decompressed", decompress_weights(model)), ("original", original)):
        path = tmp_path / f"{name}.mlpackage"
        each.save(str(path))
        loaded = ReferenceModel(path)
        assert {op.removeprefix("constexpr_") for op in loaded.op_types if op.startswith("constexpr_")} == (
            ops if name == "compressed" else set()
        )
        (answer,) = loaded.predict({"x": image}).values()
        answers.append(answer)
    compressed, decompressed, float_answer = answers
    np.testing.assert_allclose(compressed, decompressed, rtol=2e-5, atol=2e-5)
    assert np.abs(compressed - float_answer).max() > 1e-3, "the compression should change something"
