"""Outputs of several machines as one. The Mac of these tests is made up: no Core ML ran."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from edgekit.document import FileRecord, read_json, write_json
from edgekit.errors import InputError, OutputError
from edgekit.latency import Latency
from edgekit.machine import Machine
from edgekit.matrix.config import Limits
from edgekit.matrix.goal import judge_goals
from edgekit.matrix.record import CellResult, MatrixReport
from edgekit.matrix.source import read_matrix
from edgekit.matrix.union import merge_matrices
from edgekit.matrix.verdict import give_verdict
from edgekit.parity import Parity
from edgekit.report import Problem, Report, RuntimeKind
from edgekit.target import FLOAT16_TOLERANCE, RuntimeInfo

LINUX = Machine("Linux-6.1", "x86_64", "a processor", 2, 2**33, (), "3.11")
MAC = Machine("Darwin-25", "arm64", "Apple M4", 8, 2**34, (), "3.11")
FILES = (FileRecord("model.mlpackage/weight.bin", 9, "cd" * 32),)
LIMITS = Limits(max_p95_ms=5.0, max_size_mb=2.0)
NAME = "digits-coreml-float16"


def report(kind: RuntimeKind, *, passed: bool = True, p95_ms: float | None = None) -> Report:
    machine = MAC if kind == "native" else LINUX
    latency = None
    if p95_ms:
        times = (1.0, 1.0, 10, p95_ms, p95_ms, p95_ms, p95_ms, p95_ms, 0.1, p95_ms)
        latency = Latency(*times, 1, 10**8, 10**7, 0.1, (), (round(1e6 * p95_ms),) * 20, machine)
    problem = None if passed else Problem("parity", "NegativeResult", "20 dB is below the limit")
    return Report(
        "digits",
        "coreml",
        "float16",
        "passed" if passed else "failed",
        machine,
        size_bytes=1_000_000,
        runtime=RuntimeInfo("Core ML" if kind == "native" else "reference runtime", "1", "ALL", "float16", kind=kind),
        parity=Parity(passed, FLOAT16_TOLERANCE, ()),
        latency=latency,
        problem=problem,
        asked=kind,
        files=FILES,
    )


def cell(made: Report | None, name: str = NAME, limits: Limits = LIMITS, **changed: object) -> CellResult:
    first = CellResult(name, "digits", None, "coreml", "float16", "aa", "passed", "", 0, False, (), made)
    first = give_verdict(made, limits).on(first) if made else first
    return replace(first, **changed)  # type: ignore[arg-type]  # fields by name


def output(tmp_path: Path, name: str, *cells: CellResult, beside: Report | None = None) -> Path:
    folder = tmp_path / name
    folder.mkdir()
    write_json(folder / "matrix.json", MatrixReport("0.1", LINUX, cells, 1.0, {"edgekit": name}))
    for each in cells:
        if each.report and each.report.files:
            (folder / each.name).mkdir()
            write_json(folder / each.name / "report.json", beside or each.report)
    return folder


def test_core_mls_verdict_on_a_mac_stands_and_its_goals_are_judged_again(tmp_path: Path) -> None:
    before = cell(report("reference"))
    assert (before.outcome, before.exit_code) == ("converted", 3)  # no latency without Core ML
    linux = output(tmp_path, "linux", before)
    mac = output(tmp_path, "mac", before, beside=report("native", p95_ms=3.0))
    merged = merge_matrices([linux, mac], tmp_path / "out")
    (found,) = merged.cells
    assert (found.outcome, found.reason, merged.exit_code) == ("passed", "", 0)
    assert found.report
    assert found.report.machine == MAC
    assert [each.kind for each in found.report.others] == ["reference"]
    assert found.goals == judge_goals(found.report, LIMITS)
    assert read_json(tmp_path / "out" / NAME / "report.json", Report) == found.report
    assert read_matrix(tmp_path / "out") == merged
    assert (merged.wall_seconds, merged.versions) == (2.0, {"edgekit": "linux"})
    for name in ("junit.xml", "matrix.md"):
        assert (tmp_path / "out" / name).is_file()


@pytest.mark.parametrize(
    ("native", "reason"),
    [(report("native", passed=False), "20 dB is below the limit"), (report("native", p95_ms=6.0), "max_p95_ms is 6, not 5")],
)
@pytest.mark.parametrize("mac_first", [True, False])
def test_a_no_of_the_mac_stands(tmp_path: Path, native: Report, reason: str, mac_first: bool) -> None:
    before = cell(report("reference"))
    folders = [output(tmp_path, "linux", before), output(tmp_path, "mac", before, beside=native)]
    merged = merge_matrices(folders[::-1] if mac_first else folders, tmp_path / "out")
    assert (merged.cells[0].outcome, merged.exit_code) == ("failed", 1)
    assert reason in merged.cells[0].reason


def test_cells_of_one_output_alone_are_taken_over(tmp_path: Path) -> None:
    first, second = cell(report("reference"), "a-coreml-float16"), cell(report("native", p95_ms=1.0), "b-coreml-float16")
    merged = merge_matrices([output(tmp_path, "linux", first), output(tmp_path, "mac", second)], tmp_path / "out")
    assert [each.name for each in merged.cells] == [first.name, second.name]
    assert [each.outcome for each in merged.cells] == ["converted", "passed"]
    assert merged.exit_code == 3


def test_what_was_not_tried_yields_and_what_failed_stands(tmp_path: Path) -> None:
    made = cell(report("native", p95_ms=1.0))
    left_out = cell(None, outcome="skipped", reason="--only target=onnx")
    missing = cell(None, outcome="skipped", exit_code=3, reason="not installed")
    failed = cell(replace(report("reference"), status="failed", files=(), size_bytes=None), outcome="failed", exit_code=70)
    for number, (other, outcome, code) in enumerate([(left_out, "passed", 0), (missing, "passed", 0), (failed, "failed", 70)]):
        folders = [output(tmp_path, f"{name}{number}", each) for name, each in (("linux", other), ("mac", made))]
        merged = merge_matrices(folders, tmp_path / f"out{number}")
        assert (merged.cells[0].outcome, merged.exit_code) == (outcome, code)
    folders = [output(tmp_path, "nowhere", left_out), output(tmp_path, "missing", missing)]
    assert merge_matrices(folders, tmp_path / "none").exit_code == 3
    assert not (tmp_path / "none" / NAME).exists()


def test_other_files_under_one_name_are_refused(tmp_path: Path) -> None:
    other = replace(report("native"), files=(replace(FILES[0], sha256="ef" * 32),))
    folders = [output(tmp_path, "linux", cell(report("reference"))), output(tmp_path, "mac", cell(other))]
    with pytest.raises(InputError, match=r"different artifacts: the sha256 of model.mlpackage/weight.bin"):
        merge_matrices(folders, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_report_of_another_artifact_beside_it_is_refused(tmp_path: Path) -> None:
    other = replace(report("native"), files=(replace(FILES[0], sha256="ef" * 32),))
    folders = [output(tmp_path, name, cell(report("reference")), beside=other) for name in ("linux", "mac")]
    with pytest.raises(InputError, match=r"matrix.json's digits-coreml-float16 and \S+report.json are about different"):
        merge_matrices(folders, tmp_path / "out")


def test_other_goals_are_refused(tmp_path: Path) -> None:
    looser = Limits(max_p95_ms=5.0, max_size_mb=3.0)
    folders = [
        output(tmp_path, "linux", cell(report("reference"))),
        output(tmp_path, "mac", cell(report("native"), limits=looser)),
    ]
    with pytest.raises(InputError, match="different goals: max_size_mb is 2 in one and 3 in the other"):
        merge_matrices(folders, tmp_path / "out")


def test_a_matrix_json_alone_is_enough(tmp_path: Path) -> None:
    linux = output(tmp_path, "linux", cell(report("reference")))
    alone = tmp_path / "alone.json"
    content = json.loads((linux / "matrix.json").read_text())
    alone.write_text(json.dumps(content))
    merged = merge_matrices([alone, linux], tmp_path / "out")
    assert merged.cells == read_matrix(linux).cells


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    linux = output(tmp_path, "linux", cell(report("reference")))
    content = (linux / "matrix.json").read_bytes()
    with pytest.raises(OutputError, match=r"matrix.json is there already"):
        merge_matrices([linux, linux], linux)
    assert (linux / "matrix.json").read_bytes() == content


def test_one_output_alone_is_judged_again(tmp_path: Path) -> None:
    linux = output(tmp_path, "linux", cell(report("reference")), beside=report("native", p95_ms=6.0))
    assert merge_matrices([linux], tmp_path / "out").exit_code == 1
