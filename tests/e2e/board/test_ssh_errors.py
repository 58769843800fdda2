"""What goes wrong with a board: each a clear error, and each time nothing stays there and the local report is as it was."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from edgekit.board.measurement import measure_on
from edgekit.board.run import measure
from edgekit.errors import EdgekitError, NetworkError, OutputError, TargetMissing
from edgekit.latency import LatencyPlan
from edgekit.manifest import read_manifest
from tests.e2e.board.conftest import HOST, Loopback, free_port, make_python, wait_for

LONG = LatencyPlan(1_000_000, 60, 5)


def at_stage(wanted: str, act: Callable[[], None]) -> Callable[[str], None]:
    """Do something once the board has entered a stage."""

    def on_stage(stage: str) -> None:
        if stage == wanted:
            act()

    return on_stage


def kill(pids: list[int], number: signal.Signals) -> None:
    assert pids
    for pid in pids:
        os.kill(pid, number)


def mount_small(folder: Path) -> bool:
    """Put a disk of 256 kB where a folder is."""
    command = ["/bin/mount", "-t", "tmpfs", "-o", "size=256k", "none", str(folder)]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def test_nobody_listens(artifact: Path) -> None:
    with pytest.raises(NetworkError, match=r"is not reached: .*Connection refused"):
        measure_on(f"ssh://{HOST}:{free_port()}", artifact)


def test_nobody_knows_the_host(artifact: Path) -> None:
    with pytest.raises(NetworkError, match=r"nobody knows the host board\.invalid"):
        measure_on("ssh://board.invalid", artifact)


def test_a_host_that_is_not_known(artifact: Path, reach: Loopback, board_python: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGEKIT_SSH_COMMAND", reach.client(known_hosts="no_hosts"))
    with pytest.raises(NetworkError, match=r"host key of .* is not known here.*compare the fingerprint"):
        measure_on(reach.address(board_python), artifact)


def test_a_host_that_is_another(artifact: Path, reach: Loopback, board_python: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGEKIT_SSH_COMMAND", reach.client(known_hosts="other_hosts"))
    with pytest.raises(NetworkError, match=r"host key of .* not the one that is"):
        measure_on(reach.address(board_python), artifact)


def test_a_key_that_is_refused(artifact: Path, reach: Loopback, board_python: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGEKIT_SSH_COMMAND", reach.client(key="stranger"))
    with pytest.raises(NetworkError, match=r"does not let us in: .*Permission denied.*ssh-copy-id"):
        measure_on(reach.address(board_python), artifact)


def test_no_client_here(artifact: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGEKIT_SSH_COMMAND", "/nowhere/ssh")
    with pytest.raises(TargetMissing, match="/nowhere/ssh cannot be run"):
        measure_on("ssh://board", artifact)


def test_no_python_there(artifact: Path, reach: Loopback) -> None:
    with pytest.raises(TargetMissing, match=r"has no /nowhere/python3 that can be run.*Python 3\.11 or later"):
        measure_on(reach.address(Path("/nowhere/python3")), artifact)


def test_a_program_that_is_no_python(artifact: Path, reach: Loopback) -> None:
    with pytest.raises(NetworkError, match="runs no Python of ours"):
        measure_on(reach.address(Path("/bin/true")), artifact)


def test_an_old_python_there(artifact: Path, reach: Loopback, board_python: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgekit.board.ssh.PYTHON_THERE", (9, 1))  # every Python is too old for it
    with pytest.raises(TargetMissing, match=r"too old: .*bin/python is 3\.\d+\.\d+, and edgekit's runner needs 9\.1"):
        measure_on(reach.address(board_python), artifact)


def test_a_runtime_that_is_not_there(artifact: Path, reach: Loopback, tmp_path: Path) -> None:
    python = make_python(tmp_path / "bare", ("numpy",))
    version = read_manifest(artifact).versions["onnxruntime"]
    with pytest.raises(TargetMissing, match=rf"no onnxruntime .*{python} -m pip install onnxruntime=={version}"):
        measure_on(reach.address(python), artifact)


def test_a_runtime_that_is_broken_there(artifact: Path, reach: Loopback, tmp_path: Path) -> None:
    python = make_python(tmp_path / "broken", ("numpy",))
    (site,) = (tmp_path / "broken").glob("lib/python*/site-packages")
    (site / "onnxruntime.py").write_text("raise ImportError('libgomp.so.1: cannot open shared object file')")
    with pytest.raises(TargetMissing, match=r"no onnxruntime \(ImportError: libgomp.so.1"):
        measure_on(reach.address(python), artifact)


def test_a_full_disk_there(artifact: Path, reach: Loopback, board_python: Path) -> None:
    if not mount_small(reach.temporary):
        pytest.skip("a small disk needs the right to mount one")
    try:
        with pytest.raises(
            OutputError, match=f"disk of {HOST}:{reach.port} is full: No space left on device in {reach.temporary}/edgekit-board"
        ):
            measure_on(reach.address(board_python), artifact)
        assert reach.left() == []
    finally:
        subprocess.run(["/bin/umount", reach.temporary], check=True)


def test_files_that_may_not_be_so_large_there(artifact: Path, reach: Loopback, board_python: Path) -> None:
    before = resource.prlimit(reach.process.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(reach.process.pid, resource.RLIMIT_FSIZE, (100_000, before[1]))
    try:
        with pytest.raises(OutputError, match="is full: File too large"):
            measure_on(reach.address(board_python), artifact)
    finally:
        resource.prlimit(reach.process.pid, resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("stage", ["import", "latency"])
def test_a_connection_that_is_lost(stage: str, artifact: Path, reach: Loopback, board_python: Path) -> None:
    def cut() -> None:
        kill(reach.sessions(), signal.SIGKILL)

    with pytest.raises(NetworkError, match=f"connection to {HOST}:{reach.port} was lost during: "):
        measure_on(reach.address(board_python), artifact, plan=LONG, on_stage=at_stage(stage, cut))


def test_a_connection_that_falls_silent(
    artifact: Path, reach: Loopback, board_python: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cable that is pulled: nothing ends, nothing is refused, there is only no answer."""
    impatient = "-o ServerAliveInterval=1 -o ServerAliveCountMax=2"  # what is said first holds, for ssh
    monkeypatch.setenv("EDGEKIT_SSH_COMMAND", f"{reach.client()} {impatient}")
    stopped: list[int] = []

    def stop() -> None:
        stopped.extend(reach.sessions())
        kill(stopped, signal.SIGSTOP)

    try:
        with pytest.raises(NetworkError, match=f"connection to {HOST}:{reach.port} was lost during: latency"):
            measure_on(reach.address(board_python), artifact, plan=LONG, on_stage=at_stage("latency", stop))
        assert reach.left()  # the board cannot know yet
    finally:
        kill(stopped, signal.SIGCONT)


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGKILL])
def test_a_runner_that_crashes_there(number: signal.Signals, artifact: Path, reach: Loopback, board_python: Path) -> None:
    def crash() -> None:
        kill(reach.runners(), number)

    with pytest.raises(EdgekitError, match=f"was killed by {number.name} during: latency") as caught:
        measure_on(reach.address(board_python), artifact, plan=LONG, on_stage=at_stage("latency", crash))
    assert caught.value.exit_code == 70


def test_a_runner_that_does_not_end(artifact: Path, reach: Loopback, board_python: Path) -> None:
    def stop() -> None:
        kill(reach.runners(), signal.SIGSTOP)

    brief = LatencyPlan(20, 0.5, 0.5)
    with pytest.raises(NetworkError, match="was not done after 6 s, during: latency"):
        measure_on(reach.address(board_python), artifact, plan=brief, on_stage=at_stage("latency", stop), max_seconds=5)


def test_a_measurement_has_the_time_that_its_plan_asks_for(artifact: Path, reach: Loopback, board_python: Path) -> None:
    report = measure_on(reach.address(board_python), artifact, plan=LatencyPlan(20, 0.5, 0.5, sustain_seconds=6), max_seconds=6)
    assert report.latency
    assert report.latency.sustained
    assert report.latency.sustained.seconds >= 6


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_host_that_is_ended(number: signal.Signals, artifact: Path, reach: Loopback, board_python: Path) -> None:
    command = (
        "import sys; from pathlib import Path; from edgekit.board.run import measure; from edgekit.latency import LatencyPlan\n"
    )
    command += "measure([Path(sys.argv[1])], sys.argv[2], latency=LatencyPlan(1000000, 60, 5))"
    process = subprocess.Popen(
        [sys.executable, "-c", command, artifact, reach.address(board_python)], stderr=subprocess.DEVNULL, start_new_session=True
    )
    wait_for(lambda: bool(reach.runners()))
    assert reach.runners()
    assert reach.left()
    process.send_signal(number)
    process.wait(30)


def test_the_report_of_a_failure_has_its_exit_code(artifact: Path, reach: Loopback, tmp_path: Path) -> None:
    (result,) = measure([artifact], reach.address(Path("/nowhere/python3")))
    assert result.report.exit_code == 3
    assert result.report.problem
    assert result.report.problem.stage == "connect"
    assert result.report.board == f"{HOST}:{reach.port}"
    assert not list(artifact.glob("report-*.json"))
