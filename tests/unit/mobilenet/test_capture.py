"""Folding keeps the numbers, and the captured program survives the disk."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from edgekit.mobilenet.capture import fold_batch_norm
from edgekit.mobilenet.float16 import to_float16
from edgekit.mobilenet.network import MobileNet
from edgekit.mobilenet.program import capture_program, load_program, save_program
from edgekit.mobilenet.spec import VERSIONS, MobileNetSpec, Version
from edgekit.target import Program, TensorSpec

MakeNetwork = Callable[[MobileNetSpec], MobileNet]
SPEC = MobileNetSpec("v3_small", 0.25, 32, classes=6, padding="same", norm_eps=1e-3)


def relative_error(actual: Tensor, expected: Tensor) -> float:
    return float((actual.double() - expected.double()).norm() / expected.double().norm())


def run(network: nn.Module, image: Tensor) -> Tensor:
    with torch.no_grad():
        output: Tensor = network(image)
    return output


@pytest.fixture(scope="module")
def network(make_network: MakeNetwork) -> MobileNet:
    return make_network(SPEC)


@pytest.fixture(scope="module")
def program(network: MobileNet) -> Program:
    return capture_program(network)


@pytest.fixture
def image() -> Tensor:
    return torch.randn(1, 3, 32, 32, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("version", VERSIONS)
def test_folding_keeps_the_outputs(version: Version, make_network: MakeNetwork) -> None:
    network = make_network(MobileNetSpec(version, 0.25, 32, classes=6))
    images = torch.randn(4, 3, 32, 32, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    folded = fold_batch_norm(network)
    error = relative_error(run(folded.double(), images), run(network.double(), images))
    assert 0 < error < 1e-5, "one rounding of each weight to float32, and nothing more"


@pytest.mark.parametrize("factor", [0.01, 100])
def test_a_wrong_epsilon_would_be_seen(factor: float, network: MobileNet, make_network: MakeNetwork, image: Tensor) -> None:
    wrong = make_network(SPEC)
    for module in wrong.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eps *= factor
    assert relative_error(run(fold_batch_norm(wrong), image), run(network, image)) > 1e-3


def test_folding_leaves_no_norm_and_does_not_touch_its_argument(network: MobileNet) -> None:
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    folded = fold_batch_norm(network)
    assert not any(isinstance(module, nn.BatchNorm2d) for module in folded.modules())
    assert {parameter.dtype for parameter in folded.parameters()} == {torch.float32}
    assert before.keys() == network.state_dict().keys()
    assert all(torch.equal(before[name], tensor) for name, tensor in network.state_dict().items())


def test_program_names_its_input_and_output(program: Program) -> None:
    assert program.inputs == (TensorSpec("image", (1, 3, 32, 32), "float32", "NCHW"),)
    assert program.outputs == (TensorSpec("logits", (1, 6), "float32", "NK"),)


def test_program_computes_what_the_network_does(program: Program, network: MobileNet, image: Tensor) -> None:
    assert relative_error(run(program.exported.module(), image), run(network, image)) < 1e-5


def test_program_has_no_batch_norm_and_folded_weights_alone(program: Program) -> None:
    operators = {str(node.target) for node in program.exported.graph.nodes}
    assert any("conv2d" in name for name in operators)
    assert not any("batch_norm" in name for name in operators)
    assert not any("running_" in name for name in program.exported.state_dict)


def test_program_survives_the_disk(program: Program, image: Tensor, tmp_path: Path) -> None:
    save_program(program, tmp_path / "program.pt2")
    loaded = load_program(tmp_path / "program.pt2")
    assert (loaded.inputs, loaded.outputs) == (program.inputs, program.outputs)
    assert torch.equal(run(loaded.exported.module(), image), run(program.exported.module(), image))


def test_float16_program_computes_in_float16_between_float32_ends(program: Program, network: MobileNet, image: Tensor) -> None:
    expected = run(program.exported.module(), image)
    half = to_float16(capture_program(network))
    assert {tensor.dtype for tensor in half.state_dict.values()} == {torch.float16}
    computed = [node.meta["val"].dtype for node in half.graph.nodes if "conv2d" in str(node.target)]
    assert set(computed) == {torch.float16}
    output = run(half.module(), image)
    assert output.dtype == torch.float32
    error = relative_error(output, expected)
    assert 1e-5 < error < 0.05, "rounded to 11 bits, but the same network"


def test_float16_program_does_not_change_the_float32_one(network: MobileNet, image: Tensor) -> None:
    program = capture_program(network)
    before = run(program.exported.module(), image)
    to_float16(program)
    assert torch.equal(run(program.exported.module(), image), before)


def test_signature_follows_the_definition(make_network: MakeNetwork) -> None:
    grey = capture_program(make_network(replace(SPEC, version="v1", input_channels=1, resolution=40, classes=3)))
    assert grey.inputs[0].shape == (1, 1, 40, 40)
    assert grey.outputs[0].shape == (1, 3)
