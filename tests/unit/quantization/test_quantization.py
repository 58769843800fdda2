"""The int8 program: what is int8 in it, what bias correction and units kept in float do."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any, cast

import pytest
import torch
from torch import Tensor
from torch.fx import Node

from edgekit.digits import held_out
from edgekit.mobilenet.checkpoint import Checkpoint, open_checkpoint
from edgekit.mobilenet.program import capture_program, load_program, save_program
from edgekit.quantization.program import Quantised, capture_int8, quantise
from edgekit.quantization.quantizer import PRODUCTS
from edgekit.quantization.unit import is_rounding, units_of
from edgekit.target import Program


@pytest.fixture(scope="module")
def checkpoint() -> Checkpoint:
    return open_checkpoint("digits")


@pytest.fixture(scope="module")
def pictures(checkpoint: Checkpoint) -> Tensor:
    from PIL import Image

    preprocessing = checkpoint.preprocessing
    arrays = [preprocessing.normalise(preprocessing.pixels(Image.fromarray(pixels))) for pixels in held_out()[0][:96]]
    return torch.cat([torch.from_numpy(array) for array in arrays])


@pytest.fixture(scope="module")
def quantised(checkpoint: Checkpoint, pictures: Tensor) -> Quantised:
    program = capture_program(checkpoint.network())
    return quantise(program, [picture[None] for picture in pictures[:48]])


@pytest.fixture(scope="module")
def int8(quantised: Quantised) -> Program:
    return capture_int8(quantised)


def answers(program: Program, pictures: Tensor) -> Tensor:
    module = program.exported.module()
    with torch.no_grad():
        return torch.cat([module(picture[None]) for picture in pictures])


def sqnr_db(expected: Tensor, actual: Tensor) -> float:
    return float(10 * torch.log10(expected.square().sum() / (expected - actual).square().sum()))


def nodes(program: Program) -> list[Node]:
    return [node for node in program.exported.graph.nodes if node.op == "call_function"]


def test_every_product_reads_int8_and_its_weights_are_stored_as_int8(quantised: Quantised, int8: Program) -> None:
    products = [node for node in nodes(int8) if node.target in PRODUCTS]
    assert len(products) == len(units_of(quantised.module)) > 30
    for node in products:
        assert all(is_rounding(given) for given in node.all_input_nodes[:2])
    stored = Counter[torch.dtype]()
    for tensor in int8.exported.state_dict.values():
        stored[tensor.dtype] += tensor.numel()
    for tensor in int8.exported.constants.values():
        if isinstance(tensor, Tensor):
            stored[tensor.dtype] += tensor.numel()
    weights = sum(t.numel() for t in quantised.program.exported.state_dict.values() if t.dim() > 1)
    assert stored[torch.int8] == weights


def test_what_relu_cuts_off_takes_no_room_in_the_range(int8: Program) -> None:
    """A convolution before ReLU hands it float: only what comes out is int8."""
    for node in nodes(int8):
        if "relu" in str(node.target) or "hardtanh" in str(node.target):
            assert not is_rounding(node.all_input_nodes[0])
            assert all(is_rounding(reader) for reader in node.users)


def test_it_answers_as_the_float_network_does(quantised: Quantised, int8: Program, pictures: Tensor) -> None:
    expected, actual = answers(quantised.program, pictures[48:]), answers(int8, pictures[48:])
    assert (expected.argmax(1) == actual.argmax(1)).float().mean() >= 0.95
    assert 10 < sqnr_db(expected, actual) < 60, "int8, and the same network"


def test_the_float_program_is_left_as_it_was(
    quantised: Quantised, checkpoint: Checkpoint, int8: Program, pictures: Tensor
) -> None:
    again = capture_program(checkpoint.network())
    assert torch.equal(answers(quantised.program, pictures[:4]), answers(again, pictures[:4]))


def test_corrected_biases_bring_every_channels_mean_back(quantised: Quantised, int8: Program, pictures: Tensor) -> None:
    calibrated = pictures[:48]
    expected, actual = answers(quantised.program, calibrated), answers(int8, calibrated)
    with torch.no_grad():
        plain = torch.cat([quantised.module(picture[None]) for picture in calibrated])
    # the last layer's output is rounded once more after its bias: half a step is what can be left
    step = max(cast(float, node.args[1]) for node in nodes(int8)[-3:] if is_rounding(node))
    assert (expected.mean(0) - actual.mean(0)).abs().max() < step / 2
    assert (expected.mean(0) - actual.mean(0)).norm() < (expected.mean(0) - plain.mean(0)).norm()


def test_all_units_in_float_is_the_float_network(quantised: Quantised, pictures: Tensor) -> None:
    kept = capture_int8(quantised, units_of(quantised.module))
    expected, actual = answers(quantised.program, pictures[:8]), answers(kept, pictures[:8])
    steps = [node for node in nodes(kept) if is_rounding(node)]
    assert len(steps) <= 4, "at most the network's output is still rounded"
    assert sqnr_db(expected, actual) > 40


def test_a_unit_in_float_has_its_own_weights_and_nothing_int8_inside(
    quantised: Quantised, int8: Program, pictures: Tensor
) -> None:
    first, *_ = units_of(quantised.module)
    kept = capture_int8(quantised, [first])
    convolution = next(node for node in nodes(kept) if node.target in PRODUCTS)
    assert not any(is_rounding(given) for given in convolution.all_input_nodes)
    others = [node for node in nodes(kept) if node.target in PRODUCTS][1:]
    assert all(is_rounding(given) for node in others for given in node.all_input_nodes[:2])
    expected = answers(quantised.program, pictures[48:])
    assert sqnr_db(expected, answers(kept, pictures[48:])) > sqnr_db(expected, answers(int8, pictures[48:])) - 1


def test_a_weight_that_is_changed_changes_the_answer(
    quantised: Quantised, int8: Program, pictures: Tensor, tmp_path: Path
) -> None:
    """The control of all tests above, and the program survives the disk."""
    save_program(int8, tmp_path / "int8.pt2")
    loaded = load_program(tmp_path / "int8.pt2")
    expected = answers(int8, pictures[:4])
    assert torch.equal(answers(loaded, pictures[:4]), expected)
    tensors: dict[str, Any] = {**loaded.exported.state_dict, **loaded.exported.constants}
    weight = next(tensor for tensor in tensors.values() if tensor.dtype == torch.int8)
    weight.data.neg_()
    assert sqnr_db(expected, answers(loaded, pictures[:4])) < 20
