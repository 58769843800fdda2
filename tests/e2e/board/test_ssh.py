"""Artifacts measured over SSH, on a real sshd: the same figures as here, and nothing left there."""

from __future__ import annotations

import shutil
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edgekit.board.address import AdbAddress, SshAddress
from edgekit.board.measurement import measure_on, report_name
from edgekit.board.run import measure
from edgekit.document import read_json, record_files, write_json
from edgekit.latency import LatencyPlan
from edgekit.machine import describe_machine
from edgekit.manifest import Manifest, read_manifest
from edgekit.merge import read_report
from edgekit.report import Report
from tests.e2e.board.conftest import Loopback
from tests.e2e.conftest import Cli

BRIEF = LatencyPlan(20, 0.5, 0.5)


def vouch_for(folder: Path) -> None:
    """Write a manifest that says that the files are as they should be."""
    manifest: Manifest = read_json(folder / "manifest.json", Manifest)
    kept = {file.path for file in manifest.files}
    files = tuple(file for file in record_files(folder, folder) if file.path in kept)
    write_json(folder / "manifest.json", replace(manifest, files=files))


@pytest.mark.parametrize("name", ["digits-onnx-float32", "digits-openvino-float32"])
def test_the_numbers_are_those_of_the_same_runtime_here(name: str, made: Path, reach: Loopback, board_python: Path) -> None:
    here: Report = read_json(made / name / "report.json", Report)
    there = measure_on(reach.address(board_python), made / name)
    assert there.status == "passed"
    assert there.parity == here.parity
    assert there.runtime == here.runtime


def test_which_kernels_are_int8_is_known_without_the_package_onnx(made_int8: Path, reach: Loopback, board_python: Path) -> None:
    here: Report = read_json(made_int8 / "digits-onnx-int8" / "report.json", Report)
    there = measure_on(reach.address(board_python), made_int8 / "digits-onnx-int8")
    assert there.parity == here.parity
    assert there.runtime == here.runtime
    assert there.runtime
    assert "int8 in" in there.runtime.precision


def test_latency_is_measured_there_with_each_number_of_threads(artifact: Path, reach: Loopback, board_python: Path) -> None:
    report = measure_on(reach.address(board_python), artifact, threads=(1, 2), plan=BRIEF)
    assert report.latency
    assert [latency.num_threads for latency in (report.latency, *report.more_latencies)] == [1, 2]
    assert len(report.latency.samples_ns) == 20
    assert report.latency.machine == report.machine
    # another process, started by sshd: what it is not is a figure of this process
    assert report.latency.peak_memory_bytes < 500e6


def test_the_report_says_where(artifact: Path, reach: Loopback, board_python: Path) -> None:
    report = measure_on(reach.address(board_python), artifact)
    assert replace(report.machine, cores=0) == replace(describe_machine(), cores=0)
    assert report.board == f"127.0.0.1:{reach.port}"
    assert any(note.startswith(f"measured on {report.board}") for note in report.notes)
    assert report.versions["onnxruntime"] == read_manifest(artifact).versions["onnxruntime"]


def test_stages_are_told_as_the_board_enters_them(artifact: Path, reach: Loopback, board_python: Path) -> None:
    stages: list[str] = []
    measure_on(reach.address(board_python), artifact, plan=BRIEF, on_stage=stages.append)
    assert stages == ["connect", "import", "load", "parity", "import", "load", "latency"]


def test_executorch_runs_where_its_wheel_is(made_int8: Path, reach: Loopback) -> None:
    report = measure_on(reach.address(Path(sys.executable)), made_int8 / "digits-executorch-int8", plan=BRIEF)
    assert report.status == "passed"
    assert report.runtime
    assert report.runtime.runtime == "executorch"


def test_the_report_goes_beside_the_local_one(artifact: Path, reach: Loopback, board_python: Path) -> None:
    address = reach.address(board_python)
    (result,) = measure([artifact], address, threads=(1,), latency=BRIEF)
    assert result.report.status == "passed"
    assert not result.unsaved
    saved = read_report(artifact / f"report-127.0.0.1+{reach.port}.json")
    assert saved.latency == result.report.latency
    assert saved.seconds["latency"] > 0


def test_the_commands_as_a_user_types_them(artifact: Path, reach: Loopback, board_python: Path, cli: Cli) -> None:
    brief = ("--max-seconds", "0.3", "--warmup", "0.3", "--threads", "1")
    profiled = cli("profile", artifact, "--device", reach.address(board_python), *brief)
    assert profiled.code == 0, profiled.stderr
    assert "passed[1]" in profiled.stdout
    assert f"[1] measured on 127.0.0.1:{reach.port}" in profiled.stdout
    assert "onnx: connect" in profiled.stderr
    verified = cli("verify", artifact, "--device", reach.address(board_python), "--json")
    assert verified.code == 0, verified.stderr
    report: Report = read_json(artifact / f"report-127.0.0.1+{reach.port}.json", Report)
    assert report.parity
    assert report.latency, "verifying does not throw away what was timed"
    refused = cli("verify", artifact, "--device", reach.address(board_python), "--model", "digits")
    assert refused.code == 2
    assert "--device answers what is saved" in refused.stderr


def test_changed_weights_fail_there_as_they_do_here(
    made: Path, tmp_path: Path, reach: Loopback, board_python: Path, cli: Cli
) -> None:
    folder = Path(shutil.copytree(made / "digits-openvino-float32", tmp_path / "broken"))
    weights = folder / "model.bin"
    values = np.frombuffer(weights.read_bytes(), np.float32).copy()
    values[: len(values) // 2] *= 1.05
    weights.write_bytes(values.tobytes())
    vouch_for(folder)

    there = measure_on(reach.address(board_python), folder)
    assert there.status == "failed"
    assert there.problem
    assert there.problem.kind == "NegativeResult"
    assert there.exit_code == 1
    here = cli("verify", folder, "--json")
    assert here.code == 1
    assert there.problem.message == here.reports["broken"]["problem"]["message"]


def test_a_file_that_the_runtime_refuses_is_a_report(artifact: Path, reach: Loopback, board_python: Path) -> None:
    (artifact / "model.onnx").write_bytes(b"no model")
    vouch_for(artifact)
    report = measure_on(reach.address(board_python), artifact)
    assert report.status == "failed"
    assert report.problem
    assert report.problem.stage == "load"
    assert report.parity is None
    assert report.machine.python


def test_a_home_folder_is_known_by_its_tilde(artifact: Path, reach: Loopback, board_python: Path) -> None:
    home = Path.home()
    link = home / f".edgekit-test-{reach.port}"
    link.symlink_to(board_python.parents[1])
    try:
        assert measure_on(f"ssh://127.0.0.1:{reach.port}/~/{link.name}/bin/python", artifact).status == "passed"
    finally:
        link.unlink()


def test_names_of_reports_are_names_of_files() -> None:
    assert report_name(SshAddress("fe80::1%eth0").name) == "report-+fe80++1+eth0+.json"
    assert report_name(SshAddress("kitchen", port=22).name) == "report-kitchen+22.json"
    assert report_name(AdbAddress("R58M").name) == "report-R58M.json"
