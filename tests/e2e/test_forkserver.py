"""Workers forked from a process that has PyTorch loaded: how they end is told as of any other process."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from subprocess import PIPE

import psutil
import pytest

from edgekit.forkserver import PRELOADED, Forked, ForkServer
from edgekit.request import FILE_NAME as REQUEST

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere workers are not forked")


@pytest.fixture
def server() -> Iterator[ForkServer]:
    """One that is loading."""
    server = ForkServer(os.environ)
    yield server
    server.close()


@pytest.fixture(scope="module")
def loaded() -> Iterator[ForkServer]:
    """One for all tests that do not end it: it loads once."""
    server = ForkServer(os.environ)
    yield server
    server.close()


@pytest.fixture
def waiting(tmp_path: Path) -> Path:
    """A folder whose worker waits for ever: nobody writes to the request that it reads."""
    os.mkfifo(tmp_path / REQUEST)
    return tmp_path


def start(server: ForkServer, folder: Path, *more: str, log: Path | None = None, timeout_seconds: float | None = None) -> Forked:
    """A worker that prepares what `folder` asks for."""
    arguments = [part for name in ("artifact", "work", "shared", "reference") for part in (f"--{name}", str(folder))]
    pipes = Path(tempfile.mkdtemp(dir=folder))
    log = log or folder / "log.txt"
    return server.start(["prepare", *arguments, *more], log, {"TMPDIR": str(folder)}, pipes, timeout_seconds)


@contextmanager
def started(server: ForkServer, folder: Path, *more: str) -> Iterator[Forked]:
    """A worker, whose pipes are closed at the end, as when the parent dies."""
    (folder / "log.txt").touch()
    worker = start(server, folder, *more)
    try:
        yield worker
    finally:
        worker.close()


def status(pid: int, name: str) -> str:
    """What Linux says of a process."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(line.partition(":")[2].strip() for line in lines if line.startswith(f"{name}:"))


def test_a_worker_has_torch_from_the_start_and_a_session_of_its_own(loaded: ForkServer, waiting: Path) -> None:
    with started(loaded, waiting) as worker:
        assert "torch" in Path(f"/proc/{worker.pid}/maps").read_text()
        assert os.getsid(worker.pid) == os.getpgid(worker.pid) == worker.pid
        assert worker.poll() is None
        os.killpg(worker.pid, signal.SIGKILL)
        assert worker.wait() == -signal.SIGKILL


def test_what_is_preloaded_is_there() -> None:
    assert all(find_spec(module) for module in PRELOADED)


def test_the_server_has_one_thread(loaded: ForkServer, waiting: Path) -> None:
    """Of a process with more, only one goes on in a fork, and what locks the others held stay locked."""
    with started(loaded, waiting) as worker:
        assert status(int(status(worker.pid, "PPid")), "Threads") == "1"


def test_a_worker_has_the_signals_of_any_other(loaded: ForkServer, waiting: Path) -> None:
    command = [sys.executable, "-c", "print(flush=True); input()"]
    with started(loaded, waiting) as worker, subprocess.Popen(command, stdin=PIPE, stdout=PIPE) as other:
        assert other.stdout
        assert other.stdout.readline()
        for name in ("SigIgn", "SigBlk"):
            assert status(worker.pid, name) == status(other.pid, name)
        other.communicate(b"\n")


def test_a_worker_ends_with_its_parent_though_another_one_lives(loaded: ForkServer, waiting: Path) -> None:
    with started(loaded, waiting) as older, started(loaded, waiting) as younger:
        assert older.pid != younger.pid
        older.stdin.close()
        assert older.wait() == 1
        assert younger.poll() is None
    assert younger.wait() == 1


def test_a_wrong_command_is_told_in_the_log(loaded: ForkServer, tmp_path: Path) -> None:
    with started(loaded, tmp_path, "--nonsense") as worker:
        assert worker.wait() == 2
    assert "--nonsense" in (tmp_path / "log.txt").read_text()


def test_an_error_is_told_in_the_log(loaded: ForkServer, tmp_path: Path) -> None:
    (tmp_path / REQUEST).write_text("{}")
    with started(loaded, tmp_path) as worker:
        assert worker.wait() == 1
    assert "Traceback" in (tmp_path / "log.txt").read_text()


def test_a_folder_of_any_name_will_do(loaded: ForkServer, tmp_path: Path) -> None:
    folder = tmp_path / os.fsdecode(b"caf\xe9 \xc3\xa9")
    folder.mkdir()
    with started(loaded, folder, "--nonsense") as worker:
        assert worker.wait() == 2
    assert "--nonsense" in (folder / "log.txt").read_text()


def test_a_worker_that_cannot_be_started_is_refused_and_the_next_one_is_not(loaded: ForkServer, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        loaded.start(["prepare"], tmp_path / "log.txt", {}, tmp_path / "nowhere")
    with pytest.raises(ChildProcessError):
        start(loaded, tmp_path, log=tmp_path)  # a folder cannot be written to
    with started(loaded, tmp_path, "--nonsense") as worker:
        assert worker.wait() == 2


@pytest.mark.parametrize("how", ["closed", "killed"])
def test_a_worker_is_killed_with_its_server(server: ForkServer, waiting: Path, how: str) -> None:
    with started(server, waiting) as worker:
        process = psutil.Process(worker.pid)
        if how == "closed":
            server.close()
        else:
            psutil.Process(process.ppid()).kill()
        assert worker.wait() == -signal.SIGKILL
        _, alive = psutil.wait_procs([process], timeout=10)
        assert not alive
        with pytest.raises(BrokenPipeError):
            start(server, waiting)


def test_nobody_waits_for_a_server_that_hangs(server: ForkServer, waiting: Path) -> None:
    with pytest.raises(TimeoutError):
        start(server, waiting, timeout_seconds=0.1)  # it is still loading


def test_nobody_waits_for_a_server_that_cannot_load(waiting: Path) -> None:
    (waiting / "edgekit").mkdir()
    (waiting / "edgekit" / "__init__.py").write_text("")  # comes before ours, and has no forkserver
    server = ForkServer({"PYTHONPATH": str(waiting)})
    with pytest.raises((BrokenPipeError, ChildProcessError)):
        start(server, waiting)
    server.close()


def test_what_modules_print_while_they_load_is_not_taken_for_an_event(tmp_path: Path) -> None:
    (tmp_path / "torch").mkdir()
    (tmp_path / "torch" / "__init__.py").write_text("print('hello', flush=True)")  # comes before the real one
    server = ForkServer({**os.environ, "PYTHONPATH": str(tmp_path)})
    with started(server, tmp_path, "--nonsense") as worker:
        assert worker.wait() == 2
    server.close()


def test_without_the_server_workers_are_started_all_the_same(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "edgekit", "convert", "-t", "onnx", "--no-latency", "--json", "-o", str(tmp_path / "out")]
    with subprocess.Popen(command, stdout=PIPE, stderr=subprocess.DEVNULL, text=True) as run:
        while not (servers := [each for each in psutil.Process(run.pid).children() if "edgekit.forkserver" in each.cmdline()]):
            assert run.poll() is None
        servers[0].kill()
        stdout, _ = run.communicate()
    assert run.returncode == 0
    assert [row["report"]["status"] for row in json.loads(stdout)["results"]] == ["passed"]
