"""Workers forked from a process that has PyTorch loaded: `python -m edgekit.forkserver FD`, which ends with its socket.

Importing torch and what `torch.export` needs takes longer than converting a small network, and every worker that converts would
do it anew. Nothing else is shared: no SDK, no model, no thread. A forked worker is a process of its own like any other.
"""

from __future__ import annotations

import gc
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import traceback
import weakref
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from importlib import import_module
from typing import NoReturn

from edgekit.garbage import collect_rarely

# `torch.export.export` imports the first of them when it is called, which takes as long again as torch.
PRELOADED = ("torch.export._trace", "torch.export.passes", "edgekit.worker", "edgekit.mobilenet.program", "edgekit.judge")
# A macOS process that has loaded frameworks may not be forked (https://github.com/python/cpython/issues/77906).
IS_POSSIBLE = sys.platform == "linux"
_LARGEST_MESSAGE_BYTES = 1 << 16
_FILES = 4  # stdin, stdout, log, status


class ForkServer:
    """The parent's side. The server ends when it is closed, and with its last reference at the latest."""

    def __init__(self, environment: Mapping[str, str], log: int) -> None:
        """Start it. It loads while nobody waits.

        Args:
            environment: of the server, and of its workers but for what they change.
            log: file descriptor for what is printed while it loads.
        """
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            server = subprocess.Popen(
                [sys.executable, "-P", "-m", "edgekit.forkserver", str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=log,
                env=environment,
                pass_fds=(theirs.fileno(),),
                start_new_session=True,
            )
        self.close = weakref.finalize(self, _end, server, self._socket)

    def start(self, arguments: Sequence[str], log: int, environment: Mapping[str, str]) -> Forked:
        """Ask for a worker.

        Args:
            arguments: of `edgekit.worker`.
            log: file descriptor for what it prints.
            environment: what it changes in the server's.

        Raises:
            OSError: the server has ended.
        """
        (stdin, to_worker), (from_worker, stdout), (status, tell) = os.pipe(), os.pipe(), os.pipe()
        forked = Forked(to_worker, from_worker, status)
        message = json.dumps([list(arguments), dict(environment)]).encode()
        try:
            socket.send_fds(self._socket, [message], [stdin, stdout, log, tell])
        except OSError:
            forked.stdin.close()
            forked.stdout.close()
            raise
        finally:
            for file in (stdin, stdout, tell):
                os.close(file)
        return forked


class Forked:
    """A worker, with what the launcher needs of a `subprocess.Popen`.

    Attributes:
        stdin: what the worker reads.
        stdout: what it writes.
    """

    def __init__(self, stdin: int, stdout: int, status: int) -> None:
        """Take over three file descriptors.

        Args:
            stdin: the end to write to.
            stdout: the end to read from.
            status: where the worker tells its process id, and who waits for it how it ended.
        """
        self.stdin = os.fdopen(stdin, "w", encoding="utf-8")
        self.stdout = os.fdopen(stdout, encoding="utf-8")
        self._pid: Future[int] = Future()
        self._code: Future[int] = Future()
        threading.Thread(target=self._listen, args=(status,), daemon=True).start()

    @property
    def pid(self) -> int:
        """Its process id; blocks until it is there.

        Raises:
            ProcessLookupError: it never will be: the server has ended.
        """
        return self._pid.result()

    def poll(self) -> int | None:
        """Its exit code if it has ended."""
        return self._code.result() if self._code.done() else None

    def wait(self) -> int:
        """Its exit code, or minus the signal that ended it: SIGKILL, if that ended the one who would tell.

        1 if it was never started: why the server could not, is in the server's log.
        """
        return self._code.result()

    def _listen(self, status: int) -> None:
        with os.fdopen(status, encoding="utf-8") as lines:
            if pid := lines.readline():
                self._pid.set_result(int(pid))
                self._code.set_result(int(lines.readline() or -signal.SIGKILL))
            else:
                self._pid.set_exception(ProcessLookupError("the server ended before it could start this worker"))
                self._code.set_result(1)


def serve(requests: socket.socket) -> None:
    """The server: load, then fork a worker for every message, until the parent has ended."""
    collect_rarely()
    for module in PRELOADED:
        with suppress(ImportError):  # the worker that needs it will say so, where its report can tell
            import_module(module)
    gc.collect()
    gc.freeze()  # the collector of a worker does not touch, and so copy, what all have in common
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for those who wait
    while True:
        message, files, _, _ = socket.recv_fds(requests, _LARGEST_MESSAGE_BYTES, _FILES)
        if not message:
            return
        if os.fork() == 0:
            requests.close()
            _attend(message, *files)
        for file in files:
            os.close(file)


def _attend(message: bytes, stdin: int, stdout: int, log: int, status: int) -> NoReturn:
    """In a process of its own: start the worker, wait for it, and tell how it ended. The server is free meanwhile."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    code = 1
    try:
        pid = os.fork()
        if pid == 0:
            os.setsid()
            os.write(status, b"%d\n" % os.getpid())
            for file, standard in ((stdin, 0), (stdout, 1), (log, 2)):
                os.dup2(file, standard)
            for file in (stdin, stdout, log, status):
                os.close(file)
            _work(*json.loads(message))
        for file in (stdin, stdout, log):
            os.close(file)
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    finally:
        with suppress(BrokenPipeError):  # the parent is dead
            os.write(status, b"%d\n" % code)
        os._exit(0)


def _work(arguments: list[str], environment: dict[str, str]) -> NoReturn:
    """In the worker: what `python -m edgekit.worker` does."""
    code: object = 1
    try:
        os.environ.update(environment)
        tempfile.tempdir = None  # what TMPDIR says now
        sys.argv = ["edgekit.worker", *arguments]
        from edgekit import worker

        code = worker.main(arguments)
    except SystemExit as end:
        code = end.code
    except BaseException:  # whatever it is must not return into the server's code
        traceback.print_exc()
    sys.stderr.flush()
    os._exit(code if isinstance(code, int) else 1)


def _end(server: subprocess.Popen[bytes], requests: socket.socket) -> None:
    requests.close()
    server.kill()
    server.wait()


if __name__ == "__main__":
    serve(socket.socket(fileno=int(sys.argv[1])))
