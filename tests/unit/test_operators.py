"""Which layer an operator's time counts for."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from edgekit.document import read_json, write_json
from edgekit.machine import Machine
from edgekit.operators import BEFORE, OperatorTime, OperatorTimes, attribute, find_layer, median_times
from edgekit.report import Report

LAYERS = ("stem", "blocks.1.depthwise", "blocks.1.squeeze", "blocks.1.pointwise", "blocks.11.depthwise", "classifier")


def times(*modules: str) -> OperatorTimes:
    """An operator of 1 ms each, those of even places of one kind."""
    return OperatorTimes(3, tuple(OperatorTime(f"op {i}", "Conv" if i % 2 else "Add", 1.0, m) for i, m in enumerate(modules)))


def layers_of(*modules: str) -> list[str]:
    return [operator.layer for operator in attribute(times(*modules), LAYERS).operators]


@pytest.mark.parametrize(
    ("path", "layer"),
    [
        ("stem", "stem"),
        ("blocks.1.squeeze.reduce", "blocks.1.squeeze"),
        ("blocks_1_squeeze_reduce_conv2d_cast_fp16", "blocks.1.squeeze"),  # as Core ML has it
        ("blocks.11.depthwise", "blocks.11.depthwise"),
        ("blocks.1", ""),
        ("stems", ""),
        ("blocks.12.depthwise", ""),
        ("", ""),
    ],
)
def test_a_module_inside_of_a_layer_is_of_the_layer(path: str, layer: str) -> None:
    assert find_layer(path, LAYERS) == layer


def test_what_has_no_module_belongs_to_the_operator_before_it_and_at_the_beginning_to_the_first() -> None:
    found = layers_of(BEFORE, "stem", BEFORE, BEFORE, "blocks.1.squeeze.expand", BEFORE)
    assert found == ["stem", "stem", "stem", "stem", "blocks.1.squeeze", "blocks.1.squeeze"]


def test_scrambled_names_are_of_no_layer_and_neither_is_what_follows_them() -> None:
    assert layers_of(BEFORE, "conv2d_1", BEFORE, "zzz.1.depthwise") == ["", "", "", ""]
    assert layers_of("stem", "conv2d_7", BEFORE, "classifier") == ["stem", "", "", "classifier"]
    assert layers_of(BEFORE, BEFORE) == ["", ""]


def test_sums_by_kind_and_by_layer_are_the_same_time() -> None:
    given = attribute(times("stem", BEFORE, "blocks.1.depthwise", "unknown", BEFORE), LAYERS)
    assert given.kind_ms == {"Add": 3.0, "Conv": 2.0}
    assert given.layer_ms == {"stem": 2.0, "": 2.0, "blocks.1.depthwise": 1.0}
    assert sum(given.kind_ms.values()) == sum(given.layer_ms.values()) == given.total_ms == 5.0


def test_the_median_of_each_operator_counts() -> None:
    runs = [[OperatorTime("a", "Conv", a), OperatorTime("b", "Add", b)] for a, b in ((1.0, 9.0), (2.0, 1.0), (50.0, 2.0))]
    found = median_times(runs)
    assert [operator.ms for operator in found.operators] == [2.0, 2.0]
    assert found.runs == 3


@pytest.mark.parametrize("other", [[OperatorTime("b", "Conv", 1.0)], []], ids=["another", "none"])
def test_of_runs_of_different_operators_nothing_is_told(other: list[OperatorTime]) -> None:
    found = median_times([[OperatorTime("a", "Conv", 1.0)], other])
    assert found.operators == ()
    assert "same operators" in found.untold


def test_a_report_keeps_them_and_one_of_an_earlier_edgekit_is_read(tmp_path: Path) -> None:
    machine = Machine("Linux-6", "x86_64", "some CPU", 2, 2**33, ("avx2",), "3.11.0")
    report = Report("digits", "onnx", "float32", "passed", machine, operators=attribute(times("stem"), LAYERS))
    path = tmp_path / "report.json"
    write_json(path, report)
    assert read_json(path, Report) == report
    earlier = json.loads(path.read_text())
    del earlier["operators"]
    path.write_text(json.dumps(earlier | {"operator_ms": {"Conv": 1.0}}))
    assert read_json(path, Report).operators is None
