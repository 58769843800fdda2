"""Where operators may run. The facts are those of the published plans; the programs are made here."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import coremltools as ct
import numpy as np
import pytest
from coremltools.converters.mil import Builder as mb  # noqa: N813 (its name in coremltools' documentation)

from edgekit.profile import OpProfile
from edgekit_coreml.placement import CITATIONS, RULES, UNITS, Use, expect, place
from edgekit_coreml.profile import profile_package
from edgekit_coreml.reference.program import Constant, Operation, Variable

ENGINE, OFF_ENGINE = ("Neural Engine", "GPU", "CPU"), ("GPU", "CPU")
LARGE, SMALL = 10**9, 10**6
Build = Callable[..., Path]


def variable(name: str, *sizes: int, dtype: str = "float16") -> Variable:
    return Variable(name, dtype, sizes)


def use(kind: str, x: Variable, y: Variable, *, macs: int = 0, is_read: bool = True, **constants: Any) -> Use:
    inputs = {name: (Constant(np.asarray(value).dtype.name, np.asarray(value)),) for name, value in constants.items()}
    return Use(Operation(kind, {"x": (x,), **inputs}, (y,)), frozenset({y.name} if is_read else ()), macs)


def conv(height: int, width: int, **constants: Any) -> Use:
    weight = np.zeros((8, 8, height, width), np.float16)
    return use("conv", variable("x", 1, 8, 40, 40), variable("y", 1, 8, 40, 40), weight=weight, **constants)


@pytest.mark.parametrize(
    ("height", "width", "units"),
    [
        (3, 3, ENGINE),
        (16, 16, ENGINE),
        (17, 17, OFF_ENGINE),
        (1, 15, ENGINE),
        (1, 16, OFF_ENGINE),
        (31, 1, ENGINE),
        (32, 1, OFF_ENGINE),
    ],
)
def test_kernels_that_the_engine_takes(height: int, width: int, units: tuple[str, ...]) -> None:
    assert place(conv(height, width)).units == units


def test_settings_that_no_plan_has_are_unknown() -> None:
    assert place(conv(3, 3, dilations=[2, 2], strides=[8, 8])).units == ENGINE
    assert place(conv(3, 3, dilations=[1, 3])).units == ()
    assert place(conv(3, 3, strides=[9, 1])).units == ()
    x, y = variable("x", 1, 2, 20, 20), variable("y", 1, 2, 9, 9)
    assert place(use("avg_pool", x, y, kernel_sizes=[14, 14])).units == ENGINE
    assert place(use("avg_pool", x, y, kernel_sizes=[15, 2])).units == ()
    assert place(use("pad", x, y, constant_val=np.float16(0))).units == ENGINE
    assert place(use("pad", x, y, constant_val=np.float16(-1))).units == ()


def test_sizes_that_the_engine_takes() -> None:
    x, y = variable("x", 1, 2, 20, 20), variable("y", 1, 2, 9, 9)
    assert place(use("max_pool", x, y, kernel_sizes=[9, 8])).units == ENGINE
    assert place(use("max_pool", x, y, kernel_sizes=[1, 9])).units == OFF_ENGINE
    row, column = variable("x", 1, 65536), variable("y", 65537, 1)
    assert place(use("relu", row, row)).units == ENGINE
    assert place(use("relu", column, column)).units == OFF_ENGINE
    product = variable("y", 16, 4)
    assert place(use("matmul", variable("x", 16, 9), product, macs=16 * 4 * 32768)).units == ENGINE
    assert place(use("matmul", variable("x", 16, 9), product, macs=16 * 4 * 32769)).units == OFF_ENGINE


def test_types_that_the_engine_takes() -> None:
    half, single, whole, byte, truth = (
        variable(dtype, 2, 3, dtype=dtype) for dtype in ("float16", "float32", "int32", "int8", "bool")
    )
    assert place(use("add", half, half)).units == ENGINE
    assert place(use("add", single, single)).units == OFF_ENGINE
    assert place(use("cast", single, half)).units == ENGINE
    assert place(use("add", whole, whole)).units == OFF_ENGINE
    assert place(use("cast", half, whole)).units == OFF_ENGINE
    assert place(use("cast", half, byte)).units == OFF_ENGINE
    assert place(use("quantize", half, byte)).units == ENGINE
    assert place(use("relu", byte, byte)).units == ()
    assert place(use("greater", half, truth)).units == ENGINE
    assert place(use("concat", truth, truth)).units == ()
    assert place(use("gather", half, half, indices=np.zeros(2, np.int32))).units == ENGINE  # a constant is no tensor at run time


def test_a_result_that_nobody_reads_is_no_obstacle() -> None:
    """`topk` gives indices too."""
    values, indices, x = variable("v", 1, 4), variable("i", 1, 4, dtype="int32"), variable("x", 1, 9)
    operation = Operation("topk", {"x": (x,)}, (values, indices))
    assert place(Use(operation, frozenset({"v"}), 0)).units == ENGINE
    assert place(Use(operation, frozenset({"v", "i"}), 0)).units == OFF_ENGINE


def test_operators_with_rules_of_their_own() -> None:
    x = variable("x", 1, 2, 20, 20)
    assert place(use("cumsum", x, x)).units == OFF_ENGINE
    assert place(use("resize", x, x)).units == ("Neural Engine", "CPU")
    assert place(use("crop_resize", x, x)).units == ("CPU",)
    assert place(use("crop_resize", variable("x", 2, dtype="float32"), x)).units == ("CPU",)
    unheard_of = place(use("while_loop", x, x))
    assert (unheard_of.units, unheard_of.rule) == ((), None)


def test_what_is_expected_is_what_is_left() -> None:
    engine, off_engine, unknown = place(conv(3, 3)), place(conv(17, 17)), place(conv(3, 3, strides=[9, 9]))
    assert expect(engine, UNITS, LARGE) == ("Neural Engine", "all units")
    assert expect(engine, ("GPU", "CPU"), LARGE)[0] == "CPU or GPU"
    assert expect(off_engine, UNITS, LARGE) == ("CPU or GPU", "kernel")
    assert expect(off_engine, ("Neural Engine", "CPU"), LARGE)[0] == "CPU"
    assert expect(unknown, UNITS, LARGE)[0] == "unknown"
    assert expect(unknown, ("CPU",), LARGE)[0] == "CPU"
    assert expect(engine, UNITS, SMALL) == ("CPU", "small program")
    single = place(use("add", variable("x", 3, dtype="float32"), variable("y", 3, dtype="float32")))
    assert expect(single, UNITS, SMALL) == ("CPU or GPU", "float32")


def test_every_rule_says_where_and_when_it_was_published() -> None:
    assert {rule.name for rule in RULES} < set(CITATIONS)
    for citation in CITATIONS.values():
        assert re.search(r", (2026-\d\d-\d\d|20\d\d), https://\S+\)$", citation), citation


def test_a_float16_package(build: Build) -> None:
    """A network's middle, an operator that the engine has not, and a class found in the graph."""

    def body(x: Any) -> Any:
        weight = np.ones((32, 16, 3, 3), np.float16)
        wide = mb.conv(x=mb.cast(x=x, dtype="fp16"), weight=weight, pad_type="same")
        return mb.reduce_argmax(x=mb.asin(x=wide), axis=1)

    profile = profile_package(build(body, opset=ct.target.iOS17, x=np.zeros((1, 16, 128, 128), np.float32)))
    rows = {row.type: row for row in profile.operations}
    assert profile.macs == 32 * 16 * 9 * 128 * 128
    assert rows["conv"].expected == rows["cast"].expected == "Neural Engine"
    assert rows["asin"].expected == "CPU or GPU"
    assert rows["reduce_argmax"] == OpProfile(
        rows["reduce_argmax"].name, "reduce_argmax", 0, 2 * 32 * 128 * 128, 4 * 128 * 128, OFF_ENGINE, "CPU or GPU", "int32"
    )
    assert profile.expected["Neural Engine"].macs == 1
    assert profile.expected["Neural Engine"].ops == profile.expected["CPU or GPU"].ops == 0.5
    assert set(profile.rules) == {"all units", "not the engine", "int32"}
    assert "not measured" in profile.basis


def test_a_float32_package_stays_off_the_engine(build: Build) -> None:
    def body(x: Any) -> Any:
        return mb.relu(x=mb.conv(x=x, weight=np.ones((32, 16, 3, 3), np.float32), pad_type="same"))

    package = build(body, x=np.zeros((1, 16, 128, 128), np.float32))
    assert list(profile_package(package).expected) == ["CPU or GPU"]
    assert list(profile_package(package, "CPU_AND_NE").expected) == ["CPU"]
