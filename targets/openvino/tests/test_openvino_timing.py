"""Times of operators, and the layers that they belong to."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Self

import numpy as np
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
from edgekit_openvino import timing
from edgekit_openvino.target import OpenVINOTarget

RUNS = 5
DIGITS = [layer.name for layer in list_layers(open_checkpoint("digits").spec)]
LARGE = ("stem", "blocks.0.depthwise", "hidden", "classifier")
V2 = MobileNetSpec("v2", 0.35, 32, padding="same")


def time(made: Made, layers: list[str], path: Path | None = None) -> OperatorTimes:
    job = replace(made.job(), path=path or made.conversion.path)
    image = np.random.default_rng(0).random(job.inputs[0].shape, np.float32)
    return attribute(OpenVINOTarget().operator_times(job, {"image": image}, runs=RUNS), layers)


@pytest.fixture(scope="session")
def v2(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Made]:
    """An untrained V2 that pads as TensorFlow does."""
    torch.manual_seed(0)
    program = capture_program(MobileNet(V2).eval())
    int8 = capture_int8(quantise(program, [torch.rand(program.inputs[0].shape) for _ in range(2)]))
    return {
        precision: make_artifact(OpenVINOTarget(), of, precision, tmp_path_factory.mktemp(precision))
        for precision, of in (("float32", program), ("float16", program), ("int8", int8))
    }


def check(times: OperatorTimes, layers: list[str]) -> None:
    assert times.runs >= RUNS
    assert all(operator.ms >= 0 for operator in times.operators)  # in whole microseconds
    assert all(times.layer_ms[layer] > 0 for layer in LARGE if layer in layers)
    assert list(dict.fromkeys(operator.layer for operator in times.operators)) == layers  # in order, and nothing unknown
    assert sum(times.layer_ms.values()) == pytest.approx(sum(times.kind_ms.values())) == pytest.approx(times.total_ms)


@pytest.mark.parametrize("name", ["float32", "int8", "int8-weights", "mixed"])
def test_every_layer_of_a_v3_is_timed(digits: Mapping[str, Made], name: str) -> None:
    check(time(digits[name], DIGITS), DIGITS)


@pytest.mark.parametrize("precision", ["float32", "float16", "int8"])
def test_every_layer_of_a_v2_is_timed(v2: Mapping[str, Made], precision: str) -> None:
    layers = [layer.name for layer in list_layers(V2)]
    check(time(v2[precision], layers), layers)


@pytest.mark.parametrize("precision", ["float32", "int8"])
def test_without_the_names_no_layer_is_known(digits: Mapping[str, Made], precision: str, tmp_path: Path) -> None:
    """The negative control. Times are told all the same."""
    made = digits[precision]
    for name in ("model.xml", "model.bin"):
        shutil.copyfile(made.folder / name, tmp_path / name)
    path = tmp_path / "model.xml"
    path.write_text(re.sub(r'name="[\w.]+/(?=Convolution|GroupConvolution|MatMul|Add|ReduceMean)', 'name="x/', path.read_text()))
    times = time(made, DIGITS, path)
    assert set(times.layer_ms) == {""}
    assert times.total_ms > 0


def test_a_graph_of_another_network_is_not_named(digits: Mapping[str, Made]) -> None:
    layers = [layer.name for layer in list_layers(V2)]
    assert "" in time(digits["float32"], layers).layer_ms


class Counting:
    """OpenVINO's counters, of one convolution whose inferences take what `inference_us` says, on a clock of its own."""

    def __init__(self, inference_us: Callable[[int], int]) -> None:
        self.inference_us = inference_us
        self.now_us = 0

    def open(self, *arguments: object) -> Self:
        self.inferences = self.total_us = 0
        return self

    def clock(self) -> float:
        return self.now_us / 1e6

    def infer(self, inputs: object) -> None:
        took_us = self.inference_us(self.inferences)
        self.inferences += 1
        self.total_us += took_us
        self.now_us += took_us

    def layers(self) -> dict[str, dict[str, str]]:
        return {"stem/Convolution": {"execOrder": "0", "originalLayersNames": "stem/Convolution", "layerType": "Convolution"}}

    def counters(self) -> list[SimpleNamespace]:
        times = timedelta(microseconds=self.total_us // self.inferences)
        return [SimpleNamespace(node_name="stem/Convolution", node_type="Convolution", real_time=times)]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *arguments: object) -> None:
        pass

    def time(self, job: LoadJob, monkeypatch: pytest.MonkeyPatch) -> OperatorTimes:
        monkeypatch.setattr(timing, "OpenVINORunner", self.open)
        monkeypatch.setattr(timing, "perf_counter", self.clock)
        return OpenVINOTarget().operator_times(job, {}, runs=20)


def test_inferences_of_a_cold_model_are_not_in_the_mean(digits: Mapping[str, Made], monkeypatch: pytest.MonkeyPatch) -> None:
    """OpenVINO counts them: here the first takes 40 ms, nineteen more 100 us, and each after them 10 us."""
    counting = Counting(lambda i: 40_000 if i == 0 else 100 if i < 20 else 10)
    times = counting.time(digits["float32"].job(), monkeypatch)
    assert [operator.ms for operator in times.operators] == [pytest.approx(0.010, abs=0.0011)]  # rounding, of the mean of 220
    assert times.runs == 3 * 200


def test_a_slow_model_is_timed_as_often_as_asked(digits: Mapping[str, Made], monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a second each: a third of those that are asked for, and one before them, in each of three compilations."""
    counting = Counting(lambda _: 1_000_000)
    times = counting.time(digits["float32"].job(), monkeypatch)
    assert times.runs == 3 * 7
    assert [operator.ms for operator in times.operators] == [1000]
    assert counting.now_us == 24_000_000
