"""A captured network -> the int8 program that all targets are given."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.fx import GraphModule
from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e

from edgekit.quantization.correction import channel_means, correct_biases, round_biases
from edgekit.quantization.quantizer import Int8Quantizer
from edgekit.quantization.simulation import answers
from edgekit.quantization.unit import keep_in_float
from edgekit.target import Program


@dataclass(frozen=True, slots=True)
class Quantised:
    """A quantised network before it is captured again.

    Attributes:
        program: the float program.
        original: its module.
        module: with int8 in it, biases not corrected yet.
        images_nchw: what it was calibrated on.
        means: what the products of the float network give on average there.
    """

    program: Program
    original: GraphModule
    module: GraphModule
    images_nchw: tuple[Tensor, ...]
    means: tuple[Tensor, ...]


def quantise(program: Program, images_nchw: Sequence[Tensor], weight_bits: int = 8) -> Quantised:
    """Choose the range of every tensor.

    Args:
        program: float32, batch norm folded.
        images_nchw: pictures to calibrate on, float32, one batch of one each.
        weight_bits: 7 for processors that saturate the sum of two products.
    """
    prepared, original = _module(program), _module(program)
    prepared = prepare_pt2e(prepared, Int8Quantizer(weight_bits))
    answers(prepared, images_nchw)
    means = channel_means(original, images_nchw)
    return Quantised(program, original, convert_pt2e(prepared), tuple(images_nchw), means)


def correct(quantised: Quantised, kept: Collection[str] = ()) -> GraphModule:
    """Keep some units in float, and correct the biases for what is int8."""
    module = keep_in_float(quantised.module, quantised.original, kept)
    correct_biases(module, quantised.means, quantised.images_nchw)
    round_biases(module)
    return module


def capture_int8(quantised: Quantised, kept: Collection[str] = ()) -> Program:
    """Capture the int8 program, with some units kept in float."""
    module = correct(quantised, kept)
    with torch.no_grad():
        # an array of numpy's may have a stride of 0 on its axis of one, which ExecuTorch refuses in a captured program
        exported = torch.export.export(module, (torch.zeros(quantised.images_nchw[0].shape),))
    return replace(quantised.program, exported=exported)


def _module(program: Program) -> GraphModule:
    """Without what holds it to a batch of one."""
    return program.exported.module(check_guards=False)
