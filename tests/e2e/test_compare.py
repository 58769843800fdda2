"""`edgekit compare` as a user runs it, on a real artifact and on copies of it that were changed on purpose."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import Cli

Change = Callable[[dict[str, Any]], None]


@pytest.fixture(scope="module")
def artifacts(cli: Cli, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("compare") / "out"
    outcome = cli("convert", "-t", "onnx", "-p", "float32", "-p", "float16", "-o", out, "-q", "--max-seconds", "0.3")
    assert outcome.code == 0, outcome.stderr
    return out


@pytest.fixture(scope="module")
def cell(artifacts: Path) -> dict[str, Any]:
    """A cell around a report that edgekit made, its latency without doubts: the machine of the tests is a busy one."""
    report = json.loads((artifacts / "digits-onnx-float32" / "report.json").read_text())
    report["latency"]["doubts"] = []
    report["latency"]["samples_ns"] = [600_000 + number % 7 for number in range(100)]
    named = {"name": "digits-onnx-float32", "model": "digits", "target": "onnx", "precision": "float32", "resolution": None}
    came = {"key": "aa", "outcome": "passed", "reason": "", "exit_code": 0, "is_reused": False}
    return {**named, **came, "goals": [], "report": report}


@pytest.fixture
def compared(cli: Cli, cell: dict[str, Any], tmp_path: Path) -> Callable[..., Any]:
    """Compare a matrix with itself after a change."""

    def run(change: Change, *flags: str) -> Any:
        for name in ("old", "new"):
            cells = [copy.deepcopy(cell)]
            if name == "new":
                change(cells[0])
            (tmp_path / name).mkdir()
            content = {"edgekit_version": "0.1", "machine": cell["report"]["machine"], "cells": cells, "wall_seconds": 1.0}
            (tmp_path / name / "matrix.json").write_text(json.dumps(content))
        return cli("compare", tmp_path / "old", tmp_path / "new", *flags)

    return run


def nothing(cell: dict[str, Any]) -> None:
    """A copy."""


def longer(cell: dict[str, Any]) -> None:
    cell["key"] = "bb"
    cell["report"]["latency"]["samples_ns"] = [3 * sample // 2 for sample in cell["report"]["latency"]["samples_ns"]]


def longer_elsewhere(cell: dict[str, Any]) -> None:
    longer(cell)
    cell["report"]["latency"]["machine"]["processor"] = "another"


def test_a_copy_is_not_worse(compared: Callable[..., Any]) -> None:
    outcome = compared(nothing, "--fail-if-worse")
    assert outcome.code == 0, outcome.stderr
    assert "1 of the same artifact" in outcome.stdout
    assert "0 worse" in outcome.stdout


def test_one_and_a_half_times_as_long_is_slower(compared: Callable[..., Any]) -> None:
    outcome = compared(longer, "--fail-if-worse", "--json")
    assert outcome.code == outcome.json["exit_code"] == 1
    assert outcome.json["cells"][0]["latency"]["verdict"] == "slower"
    assert "digits-onnx-float32 is worse: p50 0.9 ms after 0.6 ms" in outcome.stderr


def test_without_the_flag_nothing_fails(compared: Callable[..., Any]) -> None:
    outcome = compared(longer)
    assert (outcome.code, outcome.stderr) == (0, "")
    assert "0.60 -> 0.90 slower" in outcome.stdout


def test_on_another_machine_it_is_unproven_and_says_what_proves_it(compared: Callable[..., Any]) -> None:
    outcome = compared(longer_elsewhere, "--fail-if-worse")
    assert outcome.code == 0
    assert "unproven[1]" in outcome.stdout
    assert "not the same machine: processor" in outcome.stdout
    assert "edgekit profile" in outcome.stdout


def test_artifacts_are_compared_whatever_they_are_called(cli: Cli, artifacts: Path) -> None:
    outcome = cli("compare", artifacts / "digits-onnx-float32", artifacts / "digits-onnx-float16", "--json")
    assert outcome.code == 0, outcome.stderr
    (change,) = outcome.json["cells"]
    assert change["presence"] == "both"
    assert change["size"]["verdict"] == "better"
    assert change["parity"]["verdict"] == "worse"


def test_broken_input_is_an_input_error(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "matrix.json").write_text('{"cells": [{"name": 3}]}')
    assert cli("compare", tmp_path, tmp_path).code == 5
    assert cli("compare", tmp_path / "none", tmp_path).code == 5


def test_matrices_and_artifacts_are_not_merged_with_each_other(cli: Cli, artifacts: Path, tmp_path: Path) -> None:
    artifact = artifacts / "digits-onnx-float32"
    machine = json.loads((artifact / "report.json").read_text())["machine"]
    whole = {"edgekit_version": "0.1", "machine": machine, "cells": [], "wall_seconds": 1.0}
    (tmp_path / "matrix.json").write_text(json.dumps(whole))
    assert cli("merge", tmp_path, artifact, "-o", tmp_path / "out").code == 2
    assert cli("compare", tmp_path, artifact).code == 2
    outcome = cli("merge", tmp_path, tmp_path)
    assert outcome.code == 2
    assert "--output" in outcome.stderr
    (tmp_path / "matrix.json").write_text('{"cells": []}')
    assert cli("merge", tmp_path, tmp_path, "-o", tmp_path / "out").code == 5
