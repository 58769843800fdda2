"""Several artifacts side by side, layer by layer."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edgekit.breakdown import FUSED, TOTAL, UNKNOWN_LAYER, Measured, Row, break_down
from edgekit.machine import Machine
from edgekit.mobilenet.layers import list_layers
from edgekit.mobilenet.spec import MobileNetSpec
from edgekit.operators import OperatorTime, OperatorTimes
from edgekit.profile import OpProfile, summarise
from edgekit.report import Report

LAYERS = list_layers(MobileNetSpec("v2", 0.35, 32))
PLAIN = Report("m", "onnx", "float32", "passed", Machine("Linux", "x86_64", "a CPU", 2, 2**33, ("avx2",), "3.11"))


def timed(**ms: float) -> Report:
    operators = tuple(OperatorTime(name, "Conv", value, name.replace("__", ".")) for name, value in ms.items())
    return replace(PLAIN, operators=OperatorTimes(10, operators))


def expected(*operations: tuple[str, int, str]) -> Report:
    rows = [OpProfile(name, "conv", macs, 1, 1, (unit,), unit, "") for name, macs, unit in operations]
    return replace(PLAIN, target="coreml", static_profile=summarise(rows, basis="a test", rules={}))


def row(name: str, *reports: Report, every_layer: bool = False) -> Row:
    (found,) = [each for each in break_down(LAYERS, reports, every_layer=every_layer) if each.name == name]
    return found


def test_every_layer_has_a_row_in_order_and_all_macs_are_in_the_total() -> None:
    rows = break_down(LAYERS, [PLAIN], every_layer=True)
    assert [each.name for each in rows] == [*(layer.name for layer in LAYERS), TOTAL]
    assert sum(each.macs for each in rows[:-1]) == rows[-1].macs == sum(layer.macs for layer in LAYERS)
    assert {each.cells for each in rows} == {("",)}


def test_by_block_the_layers_of_a_block_are_one_row() -> None:
    rows = break_down(LAYERS, [PLAIN])
    assert [each.name for each in rows] == ["stem", *(f"blocks.{i}" for i in range(17)), "head", "classifier", TOTAL]
    assert row("blocks.3", PLAIN).kind == "block"
    assert row("stem", PLAIN).kind == "conv"


def test_times_and_shares_add_up_to_the_total() -> None:
    report = timed(stem=1.0, blocks__1__expand=2.0, blocks__1__pointwise=3.0, head=4.0)
    assert row("blocks.1", report).cells == (Measured(5.0, 0.5),)
    assert row(TOTAL, report).cells == (Measured(10.0, 1.0),)
    cells = [each.cells[0] for each in break_down(LAYERS, [report])[:-1]]
    assert sum(cell.ms for cell in cells if isinstance(cell, Measured)) == 10.0


def test_a_layer_without_an_operator_of_its_own_is_fused() -> None:
    report = timed(blocks__1__expand=2.0)
    assert row("blocks.1.depthwise", report, every_layer=True).cells == (FUSED,)
    assert row("blocks.1", report).cells == (Measured(2.0, 1.0),)


def test_time_of_no_known_layer_is_not_lost() -> None:
    report = replace(
        PLAIN, operators=OperatorTimes(10, (OperatorTime("x", "Conv", 3.0, ""), OperatorTime("y", "Conv", 1.0, "stem")))
    )
    assert row(UNKNOWN_LAYER, report, PLAIN).cells == (Measured(3.0, 0.75), "")
    with pytest.raises(ValueError, match="not enough values"):
        row(UNKNOWN_LAYER, timed(stem=1.0))


def test_where_nothing_is_measured_the_expected_unit_stands_and_no_time() -> None:
    report = expected(
        ("blocks_1_expand_conv2d_cast_fp16", 10, "Neural Engine"),
        ("blocks_1_expand_clip", 0, "GPU"),  # no product: it decides nothing
        ("blocks_1_depthwise_conv2d", 10, "CPU"),
        ("logits", 10, "Neural Engine"),
    )
    assert row("blocks.1.expand", report, every_layer=True).cells == ("Neural Engine",)
    assert row("blocks.1", report).cells == ("Neural Engine, CPU",)
    assert row("classifier", report).cells == ("Neural Engine",)
    assert row("stem", report).cells == row(TOTAL, report).cells == ("",)
