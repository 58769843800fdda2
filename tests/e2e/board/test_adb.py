"""Android devices: the real adb, which finds none here, and a stand-in for the rest. No phone is measured by these tests."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from edgekit.board.measurement import measure_on
from edgekit.document import write_json
from edgekit.errors import EdgekitError, InputError, NetworkError, OutputError, TargetMissing, UsageError
from edgekit.latency import LatencyPlan
from edgekit.manifest import read_manifest
from edgekit.reference import load_reference
from tests.e2e.board.conftest import free_port
from tests.e2e.board.standin import make_phone


@pytest.fixture(scope="session")
def executorch(made: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An artifact that says that it is ExecuTorch's. Nothing here opens its file, and this one was made already."""
    folder = tmp_path_factory.mktemp("executorch") / "artifact"
    shutil.copytree(made / "digits-onnx-float32", folder)
    write_json(folder / "manifest.json", replace(read_manifest(folder), target="executorch"))
    return folder


@pytest.fixture
def real_adb(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Debian's adb with a server of its own, and some program to send: it never gets that far."""
    adb = shutil.which("adb")
    if not adb:
        message = "no adb on this machine: apt-get install adb"
        if os.environ.get("EDGEKIT_REQUIRE_BOARD_TOOLS"):
            pytest.fail(message)
        pytest.skip(message)
    (tmp_path / "executor_runner").touch()
    monkeypatch.setenv("EDGEKIT_EXECUTOR_RUNNER", str(tmp_path / "executor_runner"))
    monkeypatch.setenv("ANDROID_ADB_SERVER_PORT", str(free_port()))
    monkeypatch.setenv("HOME", str(tmp_path))  # where it makes a key
    yield
    subprocess.run([adb, "kill-server"], check=False, capture_output=True)


@pytest.mark.usefixtures("real_adb")
def test_the_only_device_where_there_is_none(executorch: Path) -> None:
    with pytest.raises(NetworkError, match="adb finds no Android device: switch on USB debugging"):
        measure_on("android", executorch)


@pytest.mark.usefixtures("real_adb")
def test_a_serial_number_that_nobody_has(executorch: Path) -> None:
    with pytest.raises(NetworkError, match="the device is not reached, or was lost: error: device 'NOBODY' not found"):
        measure_on("adb://NOBODY", executorch)


def test_no_adb(executorch: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "executor_runner").touch()
    monkeypatch.setenv("EDGEKIT_EXECUTOR_RUNNER", str(tmp_path / "executor_runner"))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(TargetMissing, match=r"adb cannot be run .*platform-tools"):
        measure_on("android", executorch)


def test_no_program_for_the_device(executorch: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("EDGEKIT_EXECUTOR_RUNNER", raising=False)
    with pytest.raises(TargetMissing, match="EDGEKIT_EXECUTOR_RUNNER"):
        measure_on("android", executorch)
    monkeypatch.setenv("EDGEKIT_EXECUTOR_RUNNER", "/nowhere/executor_runner")
    with pytest.raises(InputError, match="/nowhere/executor_runner, and there is no such file"):
        measure_on("android", executorch)


def test_only_executorch_has_such_a_program(made: Path) -> None:
    with pytest.raises(UsageError, match="target onnx has no program that runs on an Android device"):
        measure_on("android", made / "digits-onnx-float32")


@pytest.fixture
def phone(executorch: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The STAND-IN."""
    return plug_in(executorch, tmp_path, monkeypatch)


def plug_in(executorch: Path, folder: Path, monkeypatch: pytest.MonkeyPatch, *, scale: float = 1.0) -> Path:
    reference = load_reference(executorch / "reference.npz")
    runner = make_phone(folder, reference, read_manifest(executorch).outputs[0].name, scale=scale)
    monkeypatch.setenv("EDGEKIT_EXECUTOR_RUNNER", str(runner))
    monkeypatch.setenv("PATH", f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}")
    return folder


def test_stand_in_the_commands_fit_together_and_answers_are_judged(executorch: Path, phone: Path) -> None:
    report = measure_on("android", executorch, threads=(1, 4), plan=LatencyPlan(20, 1, 1, sustain_seconds=60))
    assert report.status == "passed"
    assert report.board == "STANDIN1", "the next phone on this cable has a report of its own"
    assert report.latency is None
    note, other = (note for note in report.notes if note.startswith("executor_runner says"))
    assert "with 1 threads" in note
    assert "with 4 threads" in other
    assert "2.50 ms for a first inference" in note
    assert "no percentiles, and --sustain is not measured" in note
    commands = (phone / "commands.txt").read_text().splitlines()
    assert commands[0] == "devices"
    assert ["cpu_threads=4" in command for command in commands if "num_executions=30" in command] == [False, True]
    assert all(command.startswith("-s STANDIN1 ") for command in commands[1:])
    assert "rm -rf /data/local/tmp/edgekit-" in commands[-1]
    assert list((phone / "phone").iterdir()) == []


def test_stand_in_a_measurement_ends_in_its_time_and_is_made_once(executorch: Path, phone: Path) -> None:
    """The program knows no limit of time, so it is asked for the inferences that fit: here of 2.5 ms into 0.1 s, and ten warm."""
    report = measure_on("android", executorch, threads=(2, 2), plan=LatencyPlan(1000, 0.1, 0.1))
    assert len([note for note in report.notes if note.startswith("executor_runner says")]) == 1
    assert (phone / "commands.txt").read_text().count("num_executions=50") == 1


def test_stand_in_wrong_answers_fail(executorch: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plug_in(executorch, tmp_path, monkeypatch, scale=1.6)
    assert measure_on("adb://STANDIN1", executorch).status == "failed"


@pytest.mark.parametrize(
    ("program", "kind", "told"),
    [
        ("echo 'write failed: No space left on device' >&2; exit 1", OutputError, "disk is full"),
        ("echo 'F executorch: Loading of method forward failed with status 0x23' >&2; exit 134", EdgekitError, "status 0x23"),
        ('echo "error: device offline" >&2; exit 1', NetworkError, "was lost"),
        ("echo './executor_runner: not executable: 64-bit ELF file' >&2; exit 126", TargetMissing, "not built for this device"),
        ("exit 0", EdgekitError, "No such file"),
    ],
)
def test_stand_in_whatever_goes_wrong_there_is_told_and_nothing_stays(
    program: str, kind: type[EdgekitError], told: str, executorch: Path, phone: Path
) -> None:
    (phone / "bin" / "executor_runner").write_text(f"#!/bin/sh\n{program}\n")
    with pytest.raises(kind, match=told):
        measure_on("android", executorch)
    assert list((phone / "phone").iterdir()) == []


@pytest.fixture
def clinging(phone: Path) -> Path:
    """The stand-in, of which nothing can be removed."""
    (phone / "bin" / "rm").write_text("#!/bin/sh\necho 'rm: Permission denied' >&2; exit 1\n")
    (phone / "bin" / "rm").chmod(0o755)
    return phone


def sentence(clinging: Path) -> str:
    folder = f"/data/local/tmp/{next((clinging / 'phone').iterdir()).name}"
    return f"{folder} on STANDIN1 could not be removed: `adb -s STANDIN1 shell rm -rf {folder}` does it"


def test_stand_in_a_folder_that_stays_there_is_told_in_a_note(executorch: Path, clinging: Path) -> None:
    report = measure_on("android", executorch)
    assert report.status == "passed"
    assert sentence(clinging) in report.notes


def test_stand_in_a_folder_that_stays_there_is_told_behind_what_went_wrong(executorch: Path, clinging: Path) -> None:
    (clinging / "bin" / "executor_runner").write_text("#!/bin/sh\necho 'error: device offline' >&2; exit 1\n")
    with pytest.raises(NetworkError, match="was lost") as caught:
        measure_on("android", executorch)
    assert str(caught.value).endswith(f". {sentence(clinging)}")


def test_stand_in_several_devices(executorch: Path, phone: Path) -> None:
    (phone / "devices.txt").write_text("List of devices attached\nONE\tdevice\nTWO\tdevice\n")
    with pytest.raises(UsageError, match=r"say --device adb://SERIAL with one of ONE, TWO"):
        measure_on("android", executorch)


@pytest.mark.parametrize(("state", "told"), [("unauthorized", "question on its screen"), ("offline", "cable out and in")])
def test_stand_in_a_device_that_is_not_ready(state: str, told: str, executorch: Path, phone: Path) -> None:
    (phone / "devices.txt").write_text(f"* daemon started successfully\nList of devices attached\nONE\t{state}\n")
    with pytest.raises(NetworkError, match=told):
        measure_on("android", executorch)
