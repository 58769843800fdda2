"""Times of operators, and the layers that they belong to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from edgekit.mobilenet.checkpoint import open_checkpoint
from edgekit.mobilenet.layers import list_layers
from edgekit.mobilenet.network import MobileNet
from edgekit.mobilenet.program import capture_program
from edgekit.mobilenet.spec import MobileNetSpec
from edgekit.operators import OperatorTimes, attribute
from edgekit.quantization.program import capture_int8, quantise
from edgekit.target import LoadJob
from edgekit.testing import Made, make_artifact
from edgekit_onnx import profiler
from edgekit_onnx.session import session_options
from edgekit_onnx.target import OnnxTarget

RUNS = 3
DIGITS = [layer.name for layer in list_layers(open_checkpoint("digits").spec)]
V2 = MobileNetSpec("v2", 0.35, 32, padding="same")


def time(made: Made, layers: list[str], path: Path | None = None) -> OperatorTimes:
    job = replace(made.job(), path=path or made.conversion.path)
    image = np.random.default_rng(0).random(job.inputs[0].shape, np.float32)
    return attribute(OnnxTarget().operator_times(job, {"image": image}, runs=RUNS), layers)


def rename(made: Made, name: str, folder: Path) -> Path:
    """The same artifact with other names of its operators."""
    model = onnx.load(made.conversion.path)
    for i, node in enumerate(model.graph.node):
        node.name = name and f"{name}.{i}/{node.op_type}"
    onnx.save(model, folder / "renamed.onnx")
    return folder / "renamed.onnx"


@pytest.fixture(scope="session")
def v2(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Made]:
    """An untrained V2 that pads as TensorFlow does."""
    torch.manual_seed(0)
    program = capture_program(MobileNet(V2).eval())
    int8 = capture_int8(quantise(program, [torch.rand(program.inputs[0].shape) for _ in range(2)]))
    return {
        precision: make_artifact(OnnxTarget(), of, precision, tmp_path_factory.mktemp(precision))
        for precision, of in (("float32", program), ("float16", program), ("int8", int8))
    }


def check(times: OperatorTimes, layers: list[str]) -> None:
    assert times.runs == RUNS
    assert all(operator.ms > 0 for operator in times.operators)
    assert list(dict.fromkeys(operator.layer for operator in times.operators)) == layers  # in order, and nothing unknown
    assert sum(times.layer_ms.values()) == pytest.approx(sum(times.kind_ms.values())) == pytest.approx(times.total_ms)


@pytest.mark.parametrize("name", ["float32", "int8", "int8-weights", "mixed"])
def test_every_layer_of_a_v3_is_timed(digits: Mapping[str, Made], name: str) -> None:
    check(time(digits[name], DIGITS), DIGITS)


@pytest.mark.parametrize("precision", ["float32", "float16", "int8"])
def test_every_layer_of_a_v2_is_timed(v2: Mapping[str, Made], precision: str) -> None:
    layers = [layer.name for layer in list_layers(V2)]
    check(time(v2[precision], layers), layers)


def test_operators_are_known_by_their_own_module(digits: Mapping[str, Made]) -> None:
    for name, kind in (("float32", "Conv"), ("int8", "QLinearConv")):
        convolutions = [each for each in time(digits[name], DIGITS).operators if each.kind == kind]
        expected = [n for n in DIGITS[:-2] for _ in range(2 if n.endswith("squeeze") else 1)]
        assert [each.layer for each in convolutions] == expected


def test_without_blocks_of_channels_as_on_arm_every_layer_is_timed(
    digits: Mapping[str, Made], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fused(job: LoadJob) -> onnxruntime.SessionOptions:
        options = session_options(job)
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
        return options

    monkeypatch.setattr(profiler, "session_options", fused)
    times = time(digits["float32"], DIGITS)
    assert "FusedConv" in times.kind_ms
    check(times, DIGITS)


@pytest.mark.parametrize("precision", ["float32", "int8"])
@pytest.mark.parametrize("name", ["scrambled", ""], ids=["scrambled", "none"])
def test_without_the_names_no_layer_is_known(digits: Mapping[str, Made], precision: str, name: str, tmp_path: Path) -> None:
    """The negative control. Times are told all the same."""
    times = time(digits[precision], DIGITS, rename(digits[precision], name, tmp_path))
    assert set(times.layer_ms) == {""}
    assert times.total_ms > 0


def test_a_graph_of_another_network_is_not_named(digits: Mapping[str, Made], tmp_path: Path) -> None:
    layers = [layer.name for layer in list_layers(V2)]
    assert "" in time(digits["float32"], layers).layer_ms
