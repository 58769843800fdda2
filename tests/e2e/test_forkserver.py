"""Workers forked from a process that has PyTorch loaded: how they end is told as of any other process."""

from __future__ import annotations

import os
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pytest

from edgekit.forkserver import Forked, ForkServer
from edgekit.request import FILE_NAME as REQUEST

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere workers are not forked")


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Iterator[IO[str]]:
    """Of the servers."""
    with (tmp_path_factory.mktemp("server") / "log.txt").open("w") as log:
        yield log


@pytest.fixture(scope="module")
def server(log: IO[str]) -> Iterator[ForkServer]:
    """One for all tests: it loads once."""
    server = ForkServer(os.environ, log)
    yield server
    server.close()


@contextmanager
def started(server: ForkServer, folder: Path, *more: str) -> Iterator[Forked]:
    """A worker that prepares what `folder` asks for; at the end its pipes are closed, as when the parent dies."""
    arguments = [part for name in ("artifact", "work", "shared", "reference") for part in (f"--{name}", str(folder))]
    pipes = Path(tempfile.mkdtemp(dir=folder))
    with (folder / "log.txt").open("w") as log:
        worker = server.start(["prepare", *arguments, *more], log, {"TMPDIR": str(folder)}, pipes)
    try:
        yield worker
    finally:
        worker.stdin.close()
        worker.stdout.close()


@pytest.fixture
def waiting(tmp_path: Path) -> Path:
    """A folder whose worker waits for ever: nobody writes to the request that it reads."""
    os.mkfifo(tmp_path / REQUEST)
    return tmp_path


def test_a_worker_has_torch_from_the_start_and_a_session_of_its_own(server: ForkServer, waiting: Path) -> None:
    with started(server, waiting) as worker:
        assert "torch" in Path(f"/proc/{worker.pid}/maps").read_text()
        assert os.getsid(worker.pid) == os.getpgid(worker.pid) == worker.pid
        assert worker.poll() is None
        os.killpg(worker.pid, signal.SIGKILL)
        assert worker.wait() == -signal.SIGKILL


def test_a_worker_ends_with_its_parent_though_another_one_lives(server: ForkServer, waiting: Path) -> None:
    with started(server, waiting) as older, started(server, waiting) as younger:
        assert older.pid != younger.pid
        older.stdin.close()
        assert older.wait() == 1
        assert younger.poll() is None
    assert younger.wait() == 1


def test_a_wrong_command_is_told_in_the_log(server: ForkServer, tmp_path: Path) -> None:
    with started(server, tmp_path, "--nonsense") as worker:
        assert worker.wait() == 2
    assert "--nonsense" in (tmp_path / "log.txt").read_text()


def test_an_error_is_told_in_the_log(server: ForkServer, tmp_path: Path) -> None:
    (tmp_path / REQUEST).write_text("{}")
    with started(server, tmp_path) as worker:
        assert worker.wait() == 1
    assert "Traceback" in (tmp_path / "log.txt").read_text()


def test_a_worker_outlives_its_server(waiting: Path, log: IO[str]) -> None:
    server = ForkServer(os.environ, log)
    with started(server, waiting) as worker:
        assert worker.pid
        server.close()
        assert worker.poll() is None
        with pytest.raises(OSError, match="the server has ended"), started(server, waiting):
            pass
        os.killpg(worker.pid, signal.SIGKILL)
        assert worker.wait() == -signal.SIGKILL


def test_nobody_waits_for_a_worker_whose_server_ended_while_it_loaded(waiting: Path, log: IO[str]) -> None:
    server = ForkServer(os.environ, log)
    with started(server, waiting) as worker:
        server.close()
        with pytest.raises(ProcessLookupError):
            assert worker.pid
        assert worker.wait() == 1


def test_nobody_waits_for_a_worker_whose_server_cannot_load(waiting: Path) -> None:
    (waiting / "edgekit").mkdir()
    (waiting / "edgekit" / "__init__.py").write_text("")  # comes before ours, and has no forkserver
    complaint = waiting / "server.txt"
    with complaint.open("w") as file:
        server = ForkServer({"PYTHONPATH": str(waiting)}, file)
    with started(server, waiting) as worker:
        with pytest.raises(ProcessLookupError):
            assert worker.pid
        assert worker.wait() == 1
    assert "edgekit.forkserver" in complaint.read_text()
    server.close()
