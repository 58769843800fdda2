"""Operators are called after the modules they come from."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from edgekit.mobilenet.network import MobileNet
from edgekit.target import Conversion
from edgekit_coreml.reference.package import Package
from edgekit_coreml.reference.program import Program
from edgekit_coreml.reference.reader import read_program


def program_of(conversion: Conversion) -> Program:
    return read_program(Package.open(conversion.path))


@pytest.mark.parametrize("precision", ["float32", "float16"])
def test_each_operator_names_its_module(converted: Callable[..., Conversion], network: MobileNet, precision: str) -> None:
    program = program_of(converted(precision))
    paths = {name.replace(".", "_") for name, _ in network.named_modules() if name}
    outside = {"adaptive_avg_pool2d", "view", "logits", "image_to_fp16"}  # of the network itself, its output and its input
    suffix = "_cast_fp16" if precision == "float16" else ""
    for operation in program.operations:
        name = operation.outputs[0].name.removesuffix(suffix)
        assert name in outside or any(name.startswith(f"{path}_") for path in paths), name
    names = [operation.outputs[0].name.removesuffix(suffix) for operation in program.operations]
    for expected in ("stem_conv2d", "blocks_3_depthwise_activation_hardtanh", "blocks_4_pointwise_conv2d", "blocks_2_add"):
        assert expected in names
    assert len(set(names)) == len(names)


def test_weights_keep_the_networks_own_names(converted: Callable[..., Conversion], network: MobileNet) -> None:
    stored = (converted().path / "Data/com.apple.CoreML/model.mlmodel").read_bytes()
    for name in ("blocks_3_depthwise_conv_weight", "classifier_weight"):
        assert name.encode() in stored
    assert not re.search(rb"p_blocks_", stored)


def test_the_input_and_the_output_keep_theirs(converted: Callable[..., Conversion]) -> None:
    program = program_of(converted("float16"))
    assert [given.name for given in program.inputs] == ["image"]
    assert [output.name for output in program.outputs] == ["logits"]
