"""Artifacts that several modules look at: converting takes seconds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from numpy.typing import NDArray

from edgekit.digits import held_out
from edgekit.digits.recipe import input_tensor
from edgekit.mobilenet.checkpoint import open_checkpoint
from edgekit.mobilenet.program import capture_program
from edgekit.quantization.exact import ExactInt8
from edgekit.quantization.program import capture_int8, quantise
from edgekit.quantization.unit import units_of
from edgekit.target import LoadJob
from edgekit.testing import Made, make_artifact, make_case
from edgekit_onnx.runner import OnnxRunner
from edgekit_onnx.target import OnnxTarget

Image = NDArray[np.float32]
Run = Callable[..., NDArray[np.float64]]


def _run(made: Made, images: Sequence[Image], path: Path | None = None) -> NDArray[np.float64]:
    job = LoadJob(path or made.conversion.path, made.precision, {}, made.program.inputs, made.program.outputs, num_threads=1)
    with OnnxRunner(job) as runner:
        return np.concatenate([runner.infer({"image": image})["logits"] for image in images]).astype(np.float64)


@pytest.fixture(scope="session")
def run() -> Run:
    """Run an artifact, or another file with the same ends, on pictures."""
    return _run


@pytest.fixture(scope="session")
def run_exactly() -> Callable[[Made, Sequence[Image]], NDArray[np.float64]]:
    """Run the int8 program of an artifact."""

    def run_exactly(made: Made, images: Sequence[Image]) -> NDArray[np.float64]:
        exact = ExactInt8(made.program.exported.module())
        return np.concatenate([exact(torch.from_numpy(image))[0][None].numpy() for image in images])

    return run_exactly


@pytest.fixture(scope="session")
def optimised_operators() -> Callable[..., Counter[str]]:
    """Count the operators of the graph that ONNX Runtime makes of a file."""

    def count(path: Path) -> Counter[str]:
        options = onnxruntime.SessionOptions()
        options.optimized_model_filepath = str(path.with_name("optimised.onnx"))
        options.log_severity_level = 3
        onnxruntime.InferenceSession(path, options)
        return Counter(node.op_type for node in onnx.load(options.optimized_model_filepath).graph.node)

    return count


@pytest.fixture(scope="session")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Made]:
    """The embedded model, a V3-Small, by precision; int8 with weights of 7 bits; and `mixed`, int8 with units kept in float."""
    trained = make_case().trained
    quantised, units = trained.quantised, units_of(trained.quantised.module)
    programs = {precision: trained.of(precision) for precision in OnnxTarget.tolerances} | {
        "int8 of 7 bits": capture_int8(quantise(quantised.program, quantised.images_nchw, weight_bits=7)),
        "mixed": capture_int8(quantised, {*units[:2], units[20], units[30], units[-1]}),
    }

    def make(name: str) -> Made:
        precision = name if name in OnnxTarget.tolerances else "int8"
        return make_artifact(OnnxTarget(), programs[name], precision, tmp_path_factory.mktemp("artifact"))

    return {name: make(name) for name in programs}


@pytest.fixture(scope="session")
def pictures() -> list[Image]:
    """Digits that the model was not calibrated on, 1x1x32x32."""
    return [image[None] for image in input_tensor(held_out()[0])[:24].numpy()]


@pytest.fixture(scope="session")
def photographs(shared_data: Path) -> list[Image]:
    """Twelve, 1x3x128x128."""
    preprocessing = open_checkpoint(str(shared_data / "models/mobilenet_v1_0.25_128")).preprocessing
    return [preprocessing.tensor(path) for path in sorted((shared_data / "images_dev").glob("*.jpg"))[::25]]


@pytest.fixture(scope="session")
def mobilenet_v1(shared_data: Path, photographs: list[Image], tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Made]:
    """V1 0.25/128, which pads as TensorFlow does: float32, and int8 calibrated on every other photograph."""
    program = capture_program(open_checkpoint(str(shared_data / "models/mobilenet_v1_0.25_128")).network())
    int8 = capture_int8(quantise(program, [torch.from_numpy(image) for image in photographs[::2]]))
    return {
        precision: make_artifact(OnnxTarget(), of, precision, tmp_path_factory.mktemp(precision))
        for precision, of in (("float32", program), ("int8", int8))
    }
