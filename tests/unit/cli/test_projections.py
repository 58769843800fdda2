"""The table that `edgekit profile` prints of measured and projected latencies."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from edgekit.cli.projections import show_projections
from edgekit.latency import Latency
from edgekit.machine import Machine, describe_machine
from edgekit.projection.artifact import Projected
from edgekit.report import Report
from edgekit.run import Result

BOARD = Machine("Linux", "aarch64", "Cortex-A76", 4, 2**33, ("asimd",), "3.11")
FIELDS = dict.fromkeys(Latency.__dataclass_fields__, 1.0) | {"doubts": (), "num_threads": 1}


def report_of(machine: Machine, p50_ms: float, board: str = "") -> Report:
    latency = Latency(**FIELDS | {"machine": machine, "p50_ms": p50_ms})  # type: ignore[arg-type]  # fields by name
    return Report("m", "onnx", "float32", "passed", machine, latency=latency, board=board)


@pytest.fixture
def rows(capsys: pytest.CaptureFixture[str]) -> list[list[str]]:
    """Of two artifacts whose folders have the same name: one measured here and on a board, the other brought from a board."""
    first, second = Path("old/digits"), Path("new/digits")
    results = (
        Result(first, report_of(describe_machine(), 1.25)),
        Result(first, report_of(BOARD, 7.5, "kitchen:2222")),
        Result(second, report_of(replace(BOARD, processor="Cortex-A53"), 30.0)),
    )
    projected = (Projected(str(first), "Pixel 3", (), "for the first"), Projected(str(second), "Pixel 3", (), "for the second"))
    show_projections(results, projected)
    return [line.split() for line in capsys.readouterr().out.splitlines()]


def test_every_latency_stands_once_and_by_its_place(rows: list[list[str]]) -> None:
    measured = [row for row in rows if "measured" in row]
    assert [(row[1], row[-3]) for row in measured] == [("this", "1.25"), ("kitchen:2222", "7.50"), ("Cortex-A53", "30.00")]


def test_projections_stand_below_their_artifact(rows: list[list[str]]) -> None:
    assert [row[-1] for row in rows if row[:2] == ["digits", "Pixel"]] == ["none[1]", "none[2]"]
    assert [row[1:] for row in rows if row and row[0] in ("[1]", "[2]")] == [["for", "the", "first"], ["for", "the", "second"]]
