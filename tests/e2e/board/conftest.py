"""A board on loopback: Debian's sshd with keys of its own, and a Python that has numpy and the runtimes and nothing else."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import distribution
from pathlib import Path

import pytest

from tests.e2e.conftest import Cli

HOST = "127.0.0.1"
ON_BOARD = ("numpy", "onnxruntime", "openvino")
NOT_ON_BOARD = ("torch", "msgspec", "PIL", "onnx", "edgekit", "edgekit_onnx")


@dataclass(frozen=True)
class Loopback:
    """A running sshd.

    Attributes:
        folder: of its keys and configuration.
        port: where it listens.
        process: the listener.
        temporary: TMPDIR of everybody who logs in.
    """

    folder: Path
    port: int
    process: subprocess.Popen[bytes]
    temporary: Path

    def address(self, python: Path) -> str:
        return f"ssh://{HOST}:{self.port}{python}"

    def client(self, *, known_hosts: str = "known_hosts", key: str = "user") -> str:
        """The command that EDGEKIT_SSH_COMMAND names."""
        here = self.folder
        return f"ssh -F none -i {here / key} -o IdentitiesOnly=yes -o UserKnownHostsFile={here / known_hosts}"

    def sessions(self) -> list[int]:
        """Processes of sshd that serve a login."""
        return [pid for pid in descendants(self.process.pid) if name_of(pid).startswith("sshd")]

    def runners(self) -> list[int]:
        """Processes there that run an artifact."""
        return [pid for pid in everybody() if str(self.temporary) in command_of(pid)]

    def left(self) -> list[str]:
        """What lies in the temporary folder."""
        return sorted(path.name for path in self.temporary.iterdir())


@pytest.fixture(scope="session")
def loopback(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Loopback]:
    sshd = shutil.which("sshd", path=os.pathsep.join([os.environ["PATH"], "/usr/sbin", "/usr/local/sbin"]))
    keygen = shutil.which("ssh-keygen")
    if not sshd or not keygen:
        message = "no sshd or no ssh on this machine: apt-get install openssh-server openssh-client"
        if os.environ.get("EDGEKIT_REQUIRE_BOARD_TOOLS"):
            pytest.fail(message)
        pytest.skip(message)
    folder = tmp_path_factory.mktemp("sshd")
    temporary = tmp_path_factory.mktemp("board-tmp")
    for name in ("host", "user", "stranger"):
        subprocess.run([keygen, "-q", "-t", "ed25519", "-N", "", "-f", folder / name], check=True)
    port = free_port()
    host_key = (folder / "host.pub").read_text().rsplit(maxsplit=1)[0]
    (folder / "known_hosts").write_text(f"[{HOST}]:{port} {host_key}\n")
    stranger = (folder / "stranger.pub").read_text().rsplit(maxsplit=1)[0]
    (folder / "other_hosts").write_text(f"[{HOST}]:{port} {stranger}\n")
    (folder / "no_hosts").touch()
    (folder / "sshd_config").write_text(
        f"Port {port}\nListenAddress {HOST}\nHostKey {folder / 'host'}\nAuthorizedKeysFile {folder / 'user.pub'}\n"
        f"SetEnv TMPDIR={temporary}\nStrictModes no\nUsePAM no\nPasswordAuthentication no\nPidFile none\n"
    )
    if os.getuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)  # where sshd locks up what is not yet logged in; the package makes it at boot
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([sshd, "-D", "-e", "-f", folder / "sshd_config"], stdout=log, stderr=log)
    try:
        wait_for(lambda: listens(port) or process.poll() is not None)
        assert process.poll() is None, (folder / "log").read_text()
        yield Loopback(folder, port, process, temporary)
    finally:
        for pid in (*descendants(process.pid), process.pid):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        process.wait()


@pytest.fixture(scope="session")
def board_python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An interpreter that has what a board needs and nothing of edgekit's."""
    return make_python(tmp_path_factory.mktemp("board"), ON_BOARD)


@pytest.fixture
def reach(loopback: Loopback, monkeypatch: pytest.MonkeyPatch) -> Iterator[Loopback]:
    """The board, reached as its owner would; and after the test nothing is left of it there."""
    monkeypatch.setenv("EDGEKIT_SSH_COMMAND", loopback.client())
    yield loopback
    wait_for(lambda: not loopback.left() and not loopback.runners())
    assert loopback.left() == []
    assert loopback.runners() == []


@pytest.fixture(scope="session")
def made(cli: Cli, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Artifacts of the embedded model in float32."""
    return convert(cli, tmp_path_factory, "-t", "onnx", "-t", "openvino", "-p", "float32")


@pytest.fixture(scope="session")
def made_int8(cli: Cli, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """And in int8."""
    return convert(cli, tmp_path_factory, "-t", "onnx", "-t", "executorch", "-p", "int8")


def convert(cli: Cli, tmp_path_factory: pytest.TempPathFactory, *cells: str) -> Path:
    folder = tmp_path_factory.mktemp("made") / "out"
    outcome = cli("convert", *cells, "--no-latency", "-o", folder)
    assert outcome.code == 0, outcome.stderr
    return folder


@pytest.fixture
def artifact(made: Path, tmp_path: Path) -> Iterator[Path]:
    """An ONNX artifact of the test's own, whose files nobody changes but the test."""
    folder = Path(shutil.copytree(made / "digits-onnx-float32", tmp_path / "onnx"))
    before = (folder / "report.json").read_bytes()
    yield folder
    assert (folder / "report.json").read_bytes() == before


def make_python(folder: Path, packages: tuple[str, ...]) -> Path:
    """A virtual environment with links to some of this one's packages. Nothing is installed, so it takes no time."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    (site,) = folder.glob("lib/python*/site-packages")
    for package in packages:
        installed = distribution(package)
        assert installed.files
        for top in {file.parts[0] for file in installed.files if file.parts[0] not in ("..", "__pycache__")}:
            (site / top).symlink_to(str(installed.locate_file(top)))
    python = folder / "bin" / "python"
    for module in NOT_ON_BOARD:
        done = subprocess.run([python, "-P", "-c", f"import {module}"], capture_output=True, check=False, cwd="/")
        assert done.returncode != 0, f"{module} is on the board"
    return python


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind((HOST, 0))
        return int(listener.getsockname()[1])


def listens(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex((HOST, port)) == 0


def wait_for(condition: Callable[[], bool], seconds: float = 30.0) -> None:
    """Until something is so, or for so long."""
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.05)


def everybody() -> list[int]:
    return [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]


def descendants(pid: int) -> list[int]:
    """Children and theirs, as /proc tells."""
    try:
        children = [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []
    return [each for child in children for each in (child, *descendants(child))]


def name_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


def command_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
    except OSError:
        return ""
