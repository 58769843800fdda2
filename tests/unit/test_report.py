"""What CI may conclude from a report."""

from __future__ import annotations

import re
from dataclasses import fields, replace
from itertools import permutations
from pathlib import Path

import pytest

from edgekit.document import read_json, write_json
from edgekit.errors import InputError
from edgekit.latency import Latency, Sustained, Window
from edgekit.machine import Machine
from edgekit.parity import OutputParity, Parity, SampleParity
from edgekit.report import Problem, Report, Status, overall_exit_code
from edgekit.target import FLOAT32_TOLERANCE, RuntimeInfo

MACHINE = Machine("Linux-6", "x86_64", "some CPU", 2, 2**33, ("avx2",), "3.11.0")


def report(status: Status, problem: Problem | None = None) -> Report:
    return Report("digits", "onnx", "float32", status, MACHINE, problem=problem)


@pytest.mark.parametrize(("status", "code"), [("passed", 0), ("converted", 3), ("failed", 1), ("skipped", 3)])
def test_exit_code_of_a_status(status: Status, code: int) -> None:
    assert report(status).exit_code == code


@pytest.mark.parametrize(
    ("kind", "code"),
    [("NegativeResult", 1), ("UsageError", 2), ("TargetMissing", 3), ("NetworkError", 4), ("InputError", 5), ("ValueError", 70)],
)
def test_a_problem_decides_the_exit_code(kind: str, code: int) -> None:
    problem = Problem("convert", kind, "what happened")
    assert problem.exit_code == code
    assert report("failed", problem).exit_code == code


@pytest.mark.parametrize(
    ("codes", "expected"),
    [
        ((), 0),
        ((0, 0), 0),
        ((0, 3), 3),
        ((3, 1), 1),  # a "no" hides a "not verified"
        ((1, 2), 2),
        ((2, 4), 4),
        ((4, 5), 5),
        ((5, 130), 130),
        ((0, 1, 2, 3, 4, 5, 70), 70),  # a crash hides everything
    ],
)
def test_the_most_severe_code_wins_in_any_order(codes: tuple[int, ...], expected: int) -> None:
    for order in permutations(codes) if len(codes) < 4 else [codes, codes[::-1]]:
        assert overall_exit_code(order) == expected


def test_a_full_report_survives_the_disk(tmp_path: Path) -> None:
    sample = SampleParity("cat.png", "image", None, None, None, None, None, True, 0.8, {"float32": 101.5})
    output = OutputParity("logits", 0.1, 0.01, None, 90.0, 91.0, 0.9, 1.0, None, {"float32": 101.5}, 0.5, ("bad",), (sample,))
    runtime = RuntimeInfo("onnxruntime", "1.2", "CPU", "float32", "reference", 0.75, ("aten.cat",))
    full = replace(
        report("failed", Problem("parity", "NegativeResult", "no", "last lines")),
        parity=Parity(False, FLOAT32_TOLERANCE, (output,)),
        runtime=runtime,
        seconds={"convert": 1.5},
        notes=("a note",),
        size_bytes=7,
    )
    write_json(tmp_path / "report.json", full)
    assert read_json(tmp_path / "report.json", Report) == full


def test_a_report_of_another_version_is_refused(tmp_path: Path) -> None:
    write_json(tmp_path / "report.json", replace(report("passed"), schema_version=2))
    with pytest.raises(InputError, match="schema version 2"):
        read_json(tmp_path / "report.json", Report)


@pytest.mark.parametrize("record", [Report, Latency, Sustained, Window])
def test_the_reference_names_every_field(record: type[Report | Latency | Sustained | Window]) -> None:
    page = Path(__file__).parents[2] / "docs" / "reference" / "artifact-folder.md"
    section = page.read_text("utf-8").partition("## report.json")[2]
    named = set(re.findall(r"`(\w+)`", section))
    assert {field.name for field in fields(record)} <= named
