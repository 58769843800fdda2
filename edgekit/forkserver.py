"""Workers forked from a process that has PyTorch loaded: `python -m edgekit.forkserver`, which ends with its stdin.

Importing torch and what `torch.export` needs takes longer than converting a small network, and every worker that converts would
do it anew. Nothing else is shared: no SDK, no model, no thread. A forked worker is a process of its own like any other.

Requests go to the server's stdin, a line of JSON each. What becomes of the workers comes from its stdout: first
`{"worker": 0, "pid": 7}`, in the end `{"worker": 0, "code": 0}`. A worker's own stdin and stdout are named pipes: no socket is
opened to hand them over.
"""

from __future__ import annotations

import gc
import json
import os
import selectors
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import ExitStack, suppress
from importlib import import_module
from pathlib import Path

from edgekit.garbage import collect_rarely

# `torch.export.export` imports the first of them when it is called, which takes as long again as torch.
PRELOADED = ("torch.export._trace", "torch.export.passes", "edgekit.worker", "edgekit.mobilenet.program", "edgekit.judge")
# A macOS process that has loaded frameworks may not be forked (https://github.com/python/cpython/issues/77906), and POSIX leaves
# open what O_RDWR does to a named pipe.
IS_POSSIBLE = sys.platform == "linux"
MODES = (os.O_RDONLY, os.O_WRONLY, os.O_WRONLY | os.O_APPEND)  # of a worker's stdin, stdout and stderr


class ForkServer:
    """The parent's side. When the server ends, its workers are killed; when the parent ends, both do."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        """Start it. It loads while nobody waits.

        Args:
            environment: of the server, and of its workers but for what they change.
        """
        self._server = subprocess.Popen(
            [sys.executable, "-P", "-m", "edgekit.forkserver"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # what does not load, the worker that needs it will tell in its own log
            text=True,
            env=environment,
            start_new_session=True,
        )
        self._workers: list[Forked] = []
        self._lock = threading.Lock()
        self._has_ended = False  # under the lock, as the requests
        threading.Thread(target=self._listen, daemon=True).start()

    def start(
        self,
        arguments: Sequence[str],
        log: Path,
        environment: Mapping[str, str],
        folder: Path,
        timeout_seconds: float | None = None,
    ) -> Forked:
        """Start a worker, and wait until it has started.

        Args:
            arguments: of `edgekit.worker`.
            log: gets what it prints.
            environment: what it changes in the server's.
            folder: gets its pipes.
            timeout_seconds: to wait for the server at most.

        Raises:
            OSError: the folder cannot have named pipes, the server has ended or does not answer, or the system has no room for a
                process more.
        """
        worker = Forked(folder)
        try:
            with self._lock:
                if self._has_ended:
                    raise BrokenPipeError("the server has ended")
                files = [*worker.pipes, str(log.resolve())]
                changes = dict(zip(environment, _utf8(environment.values()), strict=True))
                request = [len(self._workers), _utf8(arguments), changes, _utf8(files)]
                self._workers.append(worker)
                print(json.dumps(request), file=self._server.stdin, flush=True)
            worker.wait_for_start(timeout_seconds)
        except OSError:
            worker.close()
            raise
        return worker

    def close(self) -> None:
        """End the server, and workers that still run."""
        self._server.kill()
        self._server.wait()
        assert self._server.stdin
        with self._lock, suppress(BrokenPipeError):
            self._has_ended = True
            self._server.stdin.close()

    def _listen(self) -> None:
        assert self._server.stdout
        with self._server.stdout as events:
            for line in events:
                event = json.loads(line)
                self._workers[event.pop("worker")].hear(**event)
        with self._lock:
            self._has_ended = True
            for worker in self._workers:
                worker.lose()


class Forked:
    """A worker, with what the launcher needs of a `subprocess.Popen`.

    Attributes:
        pipes: the paths of its stdin and stdout.
        stdin: what the worker reads.
        stdout: what the worker writes.
    """

    def __init__(self, folder: Path) -> None:
        """Make its pipes, which are not there yet."""
        self.pipes = (str(folder / "stdin"), str(folder / "stdout"))
        for path in self.pipes:
            os.mkfifo(path, 0o600)
        # Neither waits for the worker. It waits for nobody either: had we died meanwhile, it would do so for ever.
        stdin, stdout = os.open(self.pipes[0], os.O_RDWR), os.open(self.pipes[1], os.O_RDONLY | os.O_NONBLOCK)
        os.set_blocking(stdout, True)
        self.stdin, self.stdout = os.fdopen(stdin, "w", encoding="utf-8"), os.fdopen(stdout, encoding="utf-8")
        self._pid: Future[int] = Future()
        self._code: Future[int] = Future()

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._pid.result()

    def wait_for_start(self, timeout_seconds: float | None) -> None:
        """Block until it has its pipes: before that its stdout would seem to be at its end.

        Raises:
            OSError: it never will, or not in that time.
        """
        self._pid.result(timeout_seconds)

    def poll(self) -> int | None:
        """Its exit code if it has ended."""
        return self._code.result() if self._code.done() else None

    def wait(self) -> int:
        """Its exit code, or minus the signal that ended it, when it has."""
        return self._code.result()

    def close(self) -> None:
        """Let go of its pipes, whereupon it ends."""
        self.stdin.close()
        self.stdout.close()

    def hear(self, pid: int | None = None, code: int | None = None) -> None:
        """Learn what has become of it."""
        if pid is not None:
            self._pid.set_result(pid)
        if code is not None:
            if not self._pid.done():
                self._pid.set_exception(ChildProcessError("the server could not start this worker"))
            self._code.set_result(code)

    def lose(self) -> None:
        """Nobody is left who could tell how it ends: if it runs, it is killed."""
        if not self._code.done():
            if self._pid.done():
                with suppress(ProcessLookupError):  # it ended meanwhile
                    os.killpg(self.pid, signal.SIGKILL)
            self.hear(code=-signal.SIGKILL)


def serve() -> list[str]:
    """Load, and fork a worker for every request. Returns in each of them, with its arguments; the server ends with its stdin."""
    # Unbuffered: a worker must not find other workers' requests in a copy of the buffer.
    requests, events = os.fdopen(os.dup(0), "rb", buffering=0), os.dup(1)
    os.dup2(2, 1)  # what modules print while they load is no event
    os.close(os.pidfd_open(os.getpid()))  # Linux before 5.3 has none: better no server than one that fails at its first worker
    _load()
    running: dict[int, tuple[int, int]] = {}  # by the descriptor that says when it ends: what the parent calls it, its pid
    poll = selectors.PollSelector()  # epoll's set would be one for all that are forked
    poll.register(requests, selectors.EVENT_READ)
    while True:
        for key, _ in poll.select():
            if key.fd in running:
                worker, pid = running.pop(key.fd)
                poll.unregister(key.fd)
                os.close(key.fd)
                _tell(events, worker=worker, code=os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
                continue
            line = requests.readline()
            if not line:
                sys.exit()
            worker, arguments, environment, files = json.loads(line)
            with ExitStack() as opened:
                try:
                    standard = [_open(file, mode, opened) for file, mode in zip(files, MODES, strict=True)]
                    pid = os.fork()
                except OSError:
                    _tell(events, worker=worker, code=1)
                    continue
                if pid == 0:
                    os.setsid()
                    for number, descriptor in enumerate(standard):
                        os.dup2(descriptor, number)
            if pid == 0:
                _tell(events, worker=worker, pid=os.getpid())
                requests.close()
                for descriptor in (events, *running):
                    os.close(descriptor)
                os.environ.update(environment)
                tempfile.tempdir = None  # what TMPDIR says now
                return [str(argument) for argument in arguments]
            ended = os.pidfd_open(pid)
            running[ended] = (worker, pid)
            poll.register(ended, selectors.EVENT_READ)


def _load() -> None:
    """Import what workers have in common."""
    collect_rarely()
    for module in PRELOADED:
        with suppress(Exception):  # whatever it is, the worker that needs the module will say so in its report
            import_module(module)
    gc.collect()
    gc.freeze()  # the collector of a worker does not touch, and so copy, what all have in common


def _open(file: str, mode: int, opened: ExitStack) -> int:
    """Without waiting for a named pipe's other end: it is there, or the parent is not."""
    descriptor = os.open(file, mode | os.O_NONBLOCK)
    opened.callback(os.close, descriptor)
    os.set_blocking(descriptor, True)
    return descriptor


def _tell(events: int, **event: int) -> None:
    """A line that is short enough not to be mixed with others'."""
    os.write(events, json.dumps(event).encode() + b"\n")


def _utf8(texts: Iterable[str]) -> list[str]:
    """As the server reads them, which is in UTF-8 mode, whatever the parent's locale makes of the bytes of a path."""
    return [os.fsencode(text).decode("utf-8", "surrogateescape") for text in texts]


if __name__ == "__main__":
    sys.argv = ["edgekit.worker", *serve()]
    from edgekit import worker

    sys.exit(worker.main())
