"""What operators cost: against counts by hand, and against the layers of the MobileNet papers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from coremltools.converters.mil import Builder as mb  # noqa: N813 (its name in coremltools' documentation)

from edgekit.mobilenet.capture import capture
from edgekit.mobilenet.layers import list_layers
from edgekit.mobilenet.network import MobileNet
from edgekit.mobilenet.spec import MobileNetSpec
from edgekit_coreml.costs import Cost, count_costs
from edgekit_coreml.profile import names_read, profile_package
from edgekit_coreml.reference.package import Package
from edgekit_coreml.reference.program import Block, Constant, Operand, Operation, Program, Variable
from edgekit_coreml.reference.reader import read_program

Build = Callable[..., Path]


def costs_of(path: Path) -> dict[str, Cost]:
    """Cost by type; each type is there once."""
    return {operation.type: cost for operation, cost in count_costs(read_program(Package.open(path)))}


def test_convolution_with_groups_dilations_strides_and_uneven_padding(build: Build) -> None:
    def body(x: Any) -> Any:
        weight = np.ones((10, 3, 3, 5), np.float32)
        return mb.conv(
            x=x,
            weight=weight,
            bias=np.ones(10, np.float32),
            groups=2,
            strides=[2, 1],
            dilations=[1, 2],
            pad_type="custom",
            pad=[1, 0, 2, 3],
        )

    cost = costs_of(build(body, x=np.zeros((2, 6, 12, 11), np.float32)))["conv"]
    height = (12 + 1 + 0 - 3) // 2 + 1  # 6
    width = (11 + 2 + 3 - (2 * (5 - 1) + 1)) // 1 + 1  # 8
    outputs = 2 * 10 * height * width
    assert cost.macs == outputs * 3 * 3 * 5
    assert cost.read_bytes == 4 * (2 * 6 * 12 * 11 + 10 * 3 * 3 * 5 + 10)
    assert cost.written_bytes == 4 * outputs


def test_transposed_convolution(build: Build) -> None:
    def body(x: Any) -> Any:
        return mb.conv_transpose(x=x, weight=np.ones((6, 5, 2, 3), np.float32), groups=2, strides=[2, 3])

    cost = costs_of(build(body, x=np.zeros((1, 6, 4, 7), np.float32)))["conv_transpose"]
    assert cost.macs == (6 * 4 * 7) * 5 * 2 * 3  # each input value meets each weight of its group's five channels
    assert cost.written_bytes == 4 * (10 * 8 * 21)


def test_matrix_products(build: Build) -> None:
    def body(x: Any, y: Any) -> tuple[Any, ...]:
        return (
            mb.matmul(x=x, y=y, transpose_x=True, transpose_y=True),
            mb.linear(x=x, weight=np.ones((9, 7), np.float32), bias=np.ones(9, np.float32)),
            mb.mul(x=x, y=x),
        )

    costs = costs_of(build(body, x=np.zeros((2, 5, 7), np.float32), y=np.zeros((2, 3, 5), np.float32)))
    assert costs["matmul"].macs == 2 * 7 * 3 * 5
    assert costs["matmul"].read_bytes == 4 * (2 * 5 * 7 + 2 * 3 * 5)
    assert costs["linear"] == Cost(2 * 5 * 9 * 7, 4 * (2 * 5 * 7 + 9 * 7 + 9), 4 * 2 * 5 * 9)
    assert costs["mul"] == Cost(0, 4 * 2 * 5 * 7, 4 * 2 * 5 * 7)  # x stands on both sides, and is read once


def test_einsum() -> None:
    """As records: no conversion is needed to count."""
    values = (variable("x", 5, 2, 7), variable("y", 7, 2, 3))
    einsum = Operation(
        "einsum", {"values": values, "equation": (Constant("string", "chw, whu -> chu"),)}, (variable("z", 5, 2, 3),)
    )
    assert cost_of(einsum).macs == 5 * 2 * 7 * 3


def test_attention_and_recurrence() -> None:
    query, key, value = variable("q", 2, 5, 4), variable("k", 2, 7, 4), variable("v", 2, 7, 3)
    attention = Operation(
        "scaled_dot_product_attention", {"query": (query,), "key": (key,), "value": (value,)}, (variable("a", 2, 5, 3),)
    )
    assert cost_of(attention).macs == 2 * (5 * 7 * 4 + 5 * 7 * 3)
    hidden, features, steps, batch = 6, 4, 5, 3
    weights: dict[str, tuple[Operand, ...]] = {
        "weight_ih": (constant(np.zeros((4 * hidden, features), np.float16)),),
        "weight_hh": (constant(np.zeros((4 * hidden, hidden), np.float16)),),
        "weight_ih_back": (constant(np.zeros((4 * hidden, features), np.float16)),),
        "weight_hh_back": (constant(np.zeros((4 * hidden, hidden), np.float16)),),
    }
    lstm = Operation(
        "lstm", {"x": (variable("x", steps, batch, features),), **weights}, (variable("y", steps, batch, 2 * hidden),)
    )
    assert cost_of(lstm).macs == 2 * steps * batch * 4 * hidden * (features + hidden)


def test_what_is_known_only_at_run_time_is_not_counted() -> None:
    x, y = Variable("x", "float32", (None, 4)), Variable("y", "float32", (None, 3))
    linear = Operation("linear", {"x": (x,), "weight": (constant(np.zeros((3, 4), np.float32)),)}, (y,))
    assert cost_of(linear) == Cost(None, None, None)
    unheard_of = Operation("no_such_operator", {"x": (variable("x", 2, 3),)}, (variable("y", 2),))
    assert cost_of(unheard_of) == Cost(None, 2 * 6, 2 * 2)


def test_control_flow_is_not_counted_and_what_it_reads_is_read() -> None:
    """How often its operators run is decided by the data."""
    x, y, inner = variable("x", 2, 3), variable("y", 2, 3), variable("inner", 2, 3)
    inside = Block((), (Operation("relu", {"x": (x,)}, (inner,)),), (inner,))
    loop = Operation("while_loop", {"loop_vars": (y,)}, (variable("z", 2, 3),), (inside, inside))
    assert cost_of(loop) == Cost(None, 2 * 6, 2 * 6)
    assert set(names_read(program(loop).body)) == {"x", "y", "inner"}


def test_compressed_weights_are_read_as_small_as_they_are_stored() -> None:
    """Four-bit indices, a table, and then a mask of one bit and the values where it is 1."""
    indices = Constant("uint4", np.zeros((6, 5), np.uint8))
    table = constant(np.zeros((1, 1, 16, 1), np.float16))
    dense = variable("dense", 6, 5)
    look_up = Operation("constexpr_lut_to_dense", {"indices": (indices,), "lut": (table,)}, (dense,))
    x, y = variable("x", 1, 5), variable("y", 1, 6)
    linear = Operation("linear", {"x": (x,), "weight": (dense,)}, (y,))
    ((operation, cost),) = count_costs(program(look_up, linear))
    assert operation is linear
    assert cost == Cost(30, 15 + 2 * 16 + 2 * 5, 2 * 6)

    mask, kept, values = Constant("uint1", np.ones((6, 5), np.uint8)), variable("mask", 6, 5), variable("values", 30)
    data = Constant("int8", np.zeros(30, np.int8))
    scale = constant(np.ones((6, 1), np.float16))
    shift = Operation(
        "constexpr_sparse_blockwise_shift_scale",
        {"data_mask": (mask,), "nonzero_data": (data,), "scale": (scale,)},
        (kept, values),
    )
    fill = Operation("constexpr_sparse_to_dense", {"nonzero_data": (values,), "mask": (kept,)}, (dense,))
    ((_, cost),) = count_costs(program(shift, fill, linear))
    assert cost.read_bytes == 4 + 30 + 2 * 6 + 2 * 5  # 30 bits of mask are 4 bytes


SPECS = (
    MobileNetSpec("v1", 0.5, 64),
    MobileNetSpec("v2", 0.35, 96),
    MobileNetSpec("v3_small", 1.0, 64),
    MobileNetSpec("v3_large", 0.75, 96),
)


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.version)
def test_a_mobilenet_costs_what_its_layers_do(spec: MobileNetSpec, save_program: Callable[..., None], tmp_path: Path) -> None:
    torch.manual_seed(0)
    path = tmp_path / "model.mlpackage"
    save_program(capture(MobileNet(spec).eval()).run_decompositions({}), path)
    profile = profile_package(path)
    layers = list_layers(spec)
    assert profile.macs == sum(layer.macs for layer in layers)
    assert profile.uncounted_ops == 0
    assert max(row.macs or 0 for row in profile.operations) == max(layer.macs for layer in layers)


def variable(name: str, *sizes: int) -> Variable:
    return Variable(name, "float16", sizes)


def constant(value: Any) -> Constant:
    return Constant(value.dtype.name, value)


def program(*operations: Operation) -> Program:
    return Program(9, 8, (), (), (), Block((), operations, ()))


def cost_of(operation: Operation) -> Cost:
    ((_, cost),) = count_costs(program(operation))
    return cost
