"""Where overflow begins, in programs that are made to."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import coremltools as ct
import numpy as np
import pytest
import torch
from coremltools.converters.mil import Builder as mb  # noqa: N813 (its name in coremltools' documentation)
from numpy.typing import NDArray

from edgekit.examination import Finding
from edgekit.mobilenet.capture import fold_batch_norm
from edgekit.mobilenet.checkpoint import open_checkpoint
from edgekit.mobilenet.program import capture_program
from edgekit.samples import make_samples
from edgekit.target import ConvertJob, LoadJob
from edgekit_coreml.reference import Mode, ReferenceModel
from edgekit_coreml.reference.arithmetic import ARITHMETICS
from edgekit_coreml.reference.watch import Watch
from edgekit_coreml.runner import ReferenceRunner
from edgekit_coreml.target import CoreMLTarget

Array = NDArray[Any]
Look = Callable[..., dict[str, Finding]]


@pytest.fixture
def look(build: Callable[..., Path]) -> Look:
    """Build a program, run it on each input, and give what was found by the operator's type."""

    def look(body: Callable[..., Any], mode: Mode, *inputs: list[float], dtype: Any = np.float16) -> dict[str, Finding]:
        given = [np.array([row], dtype) for row in inputs]
        path = build(body, ct.target.iOS16, x=given[0])
        watch, model = Watch(ARITHMETICS[mode]), ReferenceModel(path, mode)
        for x in given:
            watch.begin()
            model.predict({"x": x}, observe=watch.look)
        return {finding.operation.partition(" ")[0]: finding for finding in watch.findings}

    return look


def test_only_where_it_begins(look: Look) -> None:
    """600 * 600 overflows; what is computed from that does not begin anything, and a clip hides it."""

    def body(x: Any) -> Any:
        return mb.clip(x=mb.sqrt(x=mb.mul(x=x, y=x)), alpha=np.float16(0), beta=np.float16(6))

    found = look(body, "float16", [1, 600], [1, 2], [700, 3])
    assert found.keys() == {"mul"}
    assert (found["mul"].problem, found["mul"].inferences, found["mul"].largest) == ("infinite", 2, None)
    assert found["mul"].arithmetic == "float16"
    assert look(body, "exact", [1, 600]) == {}, "float32 holds 360000"


def test_not_a_number_begins_somewhere_too(look: Look) -> None:
    """0 / 0, and infinity from 1 / 0."""

    def body(x: Any) -> Any:
        return mb.exp(x=mb.real_div(x=x, y=mb.sub(x=x, y=x)))

    found = look(body, "exact", [0, 0], dtype=np.float32)
    assert found.keys() == {"real_div"}
    assert found["real_div"].problem == "not a number"
    assert look(body, "exact", [-1, -1], dtype=np.float32)["real_div"].problem == "infinite"


def test_constants_that_are_not_finite(look: Look) -> None:
    """A weight beyond float16's range was lost when it was stored, not when it is used."""

    def body(x: Any) -> Any:
        return mb.relu(x=mb.add(x=x, y=np.array([1, np.inf], np.float16)))

    found = look(body, "float16", [1, 1])
    assert found.keys() == {"add"}
    assert found["add"].problem == "stored not finite"


def test_near_the_limit_of_float16(look: Look) -> None:
    """From half of it on, where the operands are not there yet."""

    def body(x: Any) -> Any:
        return mb.relu(x=mb.mul(x=x, y=np.float16(2)))

    assert look(body, "float16", [16000, 1]) == {}
    found = look(body, "float16", [17000, 1], [20000, 1])
    assert found.keys() == {"mul"}
    assert (found["mul"].problem, found["mul"].largest, found["mul"].limit) == ("near the limit", 40000, 65520)
    assert found["mul"].inferences == 2
    assert look(body, "exact", [20000, 1]) == {}


def test_sums_are_watched_on_their_way(look: Look) -> None:
    """9000 + 9000 - 9000 is nothing to float16 and over half of what the Neural Engine's accumulator holds."""

    def body(x: Any) -> Any:
        return mb.linear(x=x, weight=np.array([[1, 1, -1]], np.float16), name="sums")

    assert look(body, "float16", [9000, 9000, 9000]) == {}
    assert look(body, "cpu", [9000, 9000, 9000]) == {}
    finding = look(body, "neural-engine", [9000, 9000, 9000])["linear"]
    assert (finding.problem, finding.largest, finding.limit) == ("near the limit", 18000, 32768)
    assert look(body, "neural-engine", [17000, 17000, 17000])["linear"].problem == "infinite"
    assert look(body, "neural-engine", [1000, 1000, 1000]) == {}


@pytest.fixture(scope="module")
def scaled(tmp_path_factory: pytest.TempPathFactory) -> tuple[LoadJob, list[dict[str, Array]]]:
    """The embedded trained model in float16, one of its layers' weights 30000 times as large; and two inputs."""
    checkpoint, folder = open_checkpoint("digits"), tmp_path_factory.mktemp("scaled")
    network = fold_batch_norm(checkpoint.network())
    with torch.no_grad():
        network.get_submodule("blocks.4.expand.conv").weight.mul_(30000)  # type: ignore[operator]  # a Conv2d
    program = capture_program(network)
    made = CoreMLTarget().convert(ConvertJob(program, "float16", {}, folder))
    samples = make_samples(checkpoint.preprocessing, size=checkpoint.spec.resolution)[:2]
    job = LoadJob(made.path, "float16", made.options, program.inputs, program.outputs, 1)
    return job, [{program.inputs[0].name: sample.image_nchw} for sample in samples]


@pytest.mark.parametrize("mode", ["float16", "neural-engine", "cpu"])
def test_the_layer_of_a_trained_network_is_named(scaled: tuple[LoadJob, list[dict[str, Array]]], mode: Mode) -> None:
    """Though on the Neural Engine the output is finite: a later layer reads infinity as 65536."""
    job, samples = scaled
    runner = ReferenceRunner(job, mode)
    answers = [runner.infer(sample)["logits"] for sample in samples]
    assert np.isfinite(answers).all() == (mode == "neural-engine")
    finding = runner.findings[0]
    assert (finding.module, finding.problem, finding.inferences) == ("blocks_4_expand_conv", "infinite", 2)
    assert finding.operation.startswith("conv 'blocks_4_expand_")


def test_float32_holds_the_same_network(scaled: tuple[LoadJob, list[dict[str, Array]]]) -> None:
    """What overflows float16 and the accumulator is no fault of the weights."""
    job, samples = scaled
    runner = ReferenceRunner(job, "exact")
    for sample in samples:
        runner.infer(sample)
    assert runner.findings == ()
