"""The int8 program: what is int8 in it, what bias correction and units kept in float do."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor
from torch.fx import GraphModule, Node

from edgekit.mobilenet.checkpoint import Checkpoint
from edgekit.mobilenet.program import capture_program, load_program, save_program
from edgekit.quantization.program import Quantised, correct, quantise
from edgekit.quantization.quantizer import PRODUCTS
from edgekit.quantization.simulation import answers
from edgekit.quantization.unit import is_rounding, units_of
from edgekit.target import Program


def sqnr_db(expected: Tensor, actual: Tensor) -> float:
    return float(10 * torch.log10(expected.square().sum() / (expected - actual).square().sum()))


def nodes(module: GraphModule) -> list[Node]:
    return [node for node in module.graph.nodes if node.op == "call_function"]


def module_of(program: Program) -> GraphModule:
    return program.exported.module(check_guards=False)


def test_every_product_reads_int8_and_its_weights_are_stored_as_int8(quantised: Quantised, int8: Program) -> None:
    products = [node for node in nodes(module_of(int8)) if node.target in PRODUCTS]
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
    for node in nodes(module_of(int8)):
        if "relu" in str(node.target) or "hardtanh" in str(node.target):
            assert not is_rounding(node.all_input_nodes[0])
            assert all(is_rounding(reader) for reader in node.users)


def test_it_answers_as_the_float_network_does(quantised: Quantised, int8: Program, pictures: tuple[Tensor, ...]) -> None:
    expected, actual = answers(quantised.original, pictures[32:]), answers(module_of(int8), pictures[32:])
    assert (expected.argmax(1) == actual.argmax(1)).float().mean() >= 0.95
    assert 10 < sqnr_db(expected, actual) < 60, "int8, and the same network"


def test_the_float_program_is_left_as_it_was(
    quantised: Quantised, checkpoint: Checkpoint, int8: Program, pictures: tuple[Tensor, ...]
) -> None:
    again = capture_program(checkpoint.network())
    assert torch.equal(answers(module_of(quantised.program), pictures[:4]), answers(module_of(again), pictures[:4]))


def test_corrected_biases_bring_every_channels_mean_back(
    quantised: Quantised, int8: Program, pictures: tuple[Tensor, ...]
) -> None:
    calibrated = pictures[:32]
    expected, actual = answers(quantised.original, calibrated), answers(module_of(int8), calibrated)
    plain = answers(quantised.module, calibrated)
    # the last layer's output is rounded once more after its bias: half a step is what can be left
    step = max(cast(float, node.args[1]) for node in nodes(module_of(int8))[-3:] if is_rounding(node))
    assert (expected.mean(0) - actual.mean(0)).abs().max() < step / 2
    assert (expected.mean(0) - actual.mean(0)).norm() < (expected.mean(0) - plain.mean(0)).norm()


def test_all_units_in_float_is_the_float_network(quantised: Quantised, pictures: tuple[Tensor, ...]) -> None:
    kept = correct(quantised, units_of(quantised.module))
    expected, actual = answers(quantised.original, pictures[:8]), answers(kept, pictures[:8])
    steps = [node for node in nodes(kept) if is_rounding(node)]
    assert len(steps) <= 4, "at most the network's output is still rounded"
    assert sqnr_db(expected, actual) > 40


def test_a_unit_in_float_has_its_own_weights_and_nothing_int8_inside(
    quantised: Quantised, int8: Program, pictures: tuple[Tensor, ...]
) -> None:
    first, *_ = units_of(quantised.module)
    kept = correct(quantised, [first])
    convolution = next(node for node in nodes(kept) if node.target in PRODUCTS)
    assert not any(is_rounding(given) for given in convolution.all_input_nodes)
    others = [node for node in nodes(kept) if node.target in PRODUCTS][1:]
    assert all(is_rounding(given) for node in others for given in node.all_input_nodes[:2])
    expected = answers(quantised.original, pictures[32:])
    assert sqnr_db(expected, answers(kept, pictures[32:])) > sqnr_db(expected, answers(module_of(int8), pictures[32:])) - 1


def test_units_in_float_leave_the_other_networks_as_they_were(quantised: Quantised, pictures: tuple[Tensor, ...]) -> None:
    """They share tensors."""
    before = answers(quantised.module, pictures[:4]), answers(quantised.original, pictures[:4])
    correct(quantised, units_of(quantised.module)[:3])
    after = answers(quantised.module, pictures[:4]), answers(quantised.original, pictures[:4])
    assert all(map(torch.equal, before, after))


def test_weights_of_seven_bits_stay_within_63_and_lose_more(
    quantised: Quantised, int8: Program, pictures: tuple[Tensor, ...]
) -> None:
    seven = quantise(quantised.program, pictures[:8], weight_bits=7)
    stored = [tensor for tensor in seven.module.buffers() if tensor.dtype == torch.int8]
    assert max(int(tensor.abs().max()) for tensor in stored) == 63
    expected = answers(quantised.original, pictures[32:])
    assert (
        10
        < sqnr_db(expected, answers(correct(seven), pictures[32:]))
        < sqnr_db(expected, answers(module_of(int8), pictures[32:]))
    )


def test_a_weight_that_is_changed_changes_the_answer(
    quantised: Quantised, int8: Program, pictures: tuple[Tensor, ...], tmp_path: Path
) -> None:
    """The control of all tests above, and the program survives the disk."""
    save_program(int8, tmp_path / "int8.pt2")
    loaded = load_program(tmp_path / "int8.pt2")
    expected = answers(module_of(int8), pictures[:4])
    assert torch.equal(answers(module_of(loaded), pictures[:4]), expected)
    tensors: dict[str, Any] = {**loaded.exported.state_dict, **loaded.exported.constants}
    weight = next(tensor for tensor in tensors.values() if tensor.dtype == torch.int8)
    weight.data.neg_()
    assert sqnr_db(expected, answers(module_of(loaded), pictures[:4])) < 20
