"""A board that OpenSSH reaches. The system's own client: the user's configuration, keys, agent, known hosts and jump hosts hold.

One connection carries everything: `python3 -c` there reads the keeper from its input and runs it, and the keeper reads the rest
(sshuttle and Mitogen start their far ends so). What the connection takes with it when it breaks, the keeper cleans up after.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import tempfile
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import IO

import msgspec

from edgekit.board.address import SshAddress
from edgekit.board.board import Measured, OnStage, Task
from edgekit.board.conversation import Conversation
from edgekit.board.order import RUNNER
from edgekit.board.parcel import Parcel, pack
from edgekit.board.portable import Portable
from edgekit.board.refusal import refusal_of
from edgekit.errors import TargetMissing, UsageError

COMMAND_VARIABLE = "EDGEKIT_SSH_COMMAND"  # as GIT_SSH_COMMAND: a client of one's own, or options for the usual one
PYTHON_THERE = (3, 11)  # that of edgekit itself, whose sources go there
MAX_SECONDS = 1800.0  # of one process there, besides what the plan of a measurement asks for
HEARTBEAT = 10.0  # seconds
LAST_WORDS = 15.0  # seconds that a board has for removing its folder when it is told to end
OPTIONS = (
    "BatchMode=yes",  # nobody is there to be asked
    "ConnectTimeout=15",
    "ServerAliveInterval=5",
    "ServerAliveCountMax=4",
    "ClearAllForwardings=yes",
    "RequestTTY=no",
    "LogLevel=ERROR",
)


@dataclass(frozen=True, slots=True)
class SshBoard:
    """A board behind an address.

    Attributes:
        address: where.
        max_seconds: for one process there, besides what the plan asks for.
    """

    address: SshAddress
    max_seconds: float = MAX_SECONDS

    def measure(self, task: Task, on_stage: OnStage) -> Measured:
        """Hold the conversation: see `Board.measure`."""
        if not isinstance(task.target, Portable):
            raise UsageError(f"target {task.target.name} has no runner that could be sent to a board")
        on_stage("connect")
        parcel = pack(task, task.target)
        source = (files("edgekit.board") / "keeper.py").read_bytes()
        head = msgspec.json.encode(self._request(parcel, self.max_seconds + task.planned_seconds)) + b"\n"
        conversation = Conversation(self.address.name, PYTHON_THERE, on_stage)
        with tempfile.TemporaryFile() as said:
            code = self._converse(ssh_command(self.address, len(source)), [source, head], parcel, conversation, said)
            said.seek(0)
            complaint = said.read().decode("utf-8", "replace").strip()
        if not conversation.greeted:
            raise refusal_of(self.address, code, complaint)
        return conversation.result(task.manifest.versions)

    def _request(self, parcel: Parcel, seconds: float) -> Mapping[str, object]:
        return {
            "files": list(parcel.sizes.items()),
            "commands": [[RUNNER, command, str(threads)] for command, threads in parcel.commands],
            "environment": {"PYTHONUTF8": "1"},
            "seconds": seconds,
            "python": PYTHON_THERE,
        }

    def _converse(
        self, command: list[str], head: list[bytes], parcel: Parcel, conversation: Conversation, said: IO[bytes]
    ) -> int:
        """Returns the exit code of ssh."""
        try:
            process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=said)
        except OSError as error:
            raise TargetMissing(f"{command[0]} cannot be run ({error.strerror}): install OpenSSH's client") from error
        assert process.stdin
        assert process.stdout
        done = threading.Event()
        feeder = threading.Thread(target=_feed, args=(process.stdin, head, parcel, done), daemon=True)
        feeder.start()
        try:
            conversation.follow(process.stdout)
            return process.wait()
        finally:  # also on Ctrl-C: the end of its input is what the keeper goes by
            done.set()
            _close(process, feeder)


def ssh_command(address: SshAddress, source_bytes: int) -> list[str]:
    """The command line of ssh that starts the keeper, whose source of so many bytes comes first."""
    options = [word for option in OPTIONS for word in ("-o", option)]
    port = [] if address.port is None else ["-p", str(address.port)]
    user = ["-l", address.user] if address.user else []
    # Understood by the Bourne shell and its kin, csh and fish. An address has no character that any of them would read.
    there = f"exec {address.python} -c 'import sys; exec(sys.stdin.buffer.read({source_bytes}))'"
    return [*shlex.split(os.environ.get(COMMAND_VARIABLE, "ssh")), *options, *port, *user, "--", address.host, there]


def _feed(pipe: IO[bytes], head: list[bytes], parcel: Parcel, done: threading.Event) -> None:
    """Send everything, then a byte now and then until it is over. A board that no longer reads has said why."""
    with suppress(OSError, ValueError):
        for content in (*head, *parcel.contents.values()):
            pipe.write(content)
        for path in parcel.artifact.values():
            _copy(path, pipe)
        pipe.flush()
        while not done.wait(HEARTBEAT):
            pipe.write(b".")
            pipe.flush()


def _copy(path: Path, pipe: IO[bytes]) -> None:
    with path.open("rb") as file:
        while content := file.read(1 << 16):
            pipe.write(content)


def _close(process: subprocess.Popen[bytes], feeder: threading.Thread) -> None:
    """End the conversation, with time for the board to clean up, and leave no process behind."""
    assert process.stdin
    assert process.stdout
    feeder.join(timeout=1)
    if feeder.is_alive():  # it writes to a board that does not read
        process.kill()
        feeder.join()
    with suppress(OSError):
        process.stdin.close()
    try:
        process.wait(LAST_WORDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    process.stdout.close()
