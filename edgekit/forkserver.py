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
import signal
import subprocess
import sys
import tempfile
import threading
import traceback
import weakref
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, InvalidStateError, wait
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import IO, NoReturn

from edgekit.garbage import collect_rarely

# `torch.export.export` imports the first of them when it is called, which takes as long again as torch.
PRELOADED = ("torch.export._trace", "torch.export.passes", "edgekit.worker", "edgekit.mobilenet.program", "edgekit.judge")
# A macOS process that has loaded frameworks may not be forked (https://github.com/python/cpython/issues/77906), and POSIX leaves
# open what O_RDWR does to a named pipe.
IS_POSSIBLE = sys.platform == "linux"


class ForkServer:
    """The parent's side. The server ends when it is closed, and with its last reference at the latest."""

    def __init__(self, environment: Mapping[str, str], log: IO[str]) -> None:
        """Start it. It loads while nobody waits.

        Args:
            environment: of the server, and of its workers but for what they change.
            log: gets what is printed while it loads.
        """
        server = subprocess.Popen(
            [sys.executable, "-P", "-m", "edgekit.forkserver"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            env=environment,
            start_new_session=True,
        )
        assert server.stdin
        self._requests = server.stdin
        self._workers: list[Forked] = []
        threading.Thread(target=_listen, args=(server.stdout, self._workers), daemon=True).start()
        self._end = weakref.finalize(self, _end, server)

    def start(self, arguments: Sequence[str], log: IO[str], environment: Mapping[str, str], folder: Path) -> Forked:
        """Ask for a worker.

        Args:
            arguments: of `edgekit.worker`.
            log: gets what it prints.
            environment: what it changes in the server's.
            folder: gets its pipes.

        Raises:
            OSError: the server has ended, or the folder cannot have named pipes.
        """
        if self._requests.closed:
            raise BrokenPipeError("the server has ended")
        forked = Forked(folder / "stdin", folder / "stdout")
        self._workers.append(forked)
        files = [str(folder / "stdin"), str(folder / "stdout"), str(Path(log.name).resolve())]
        try:
            print(
                json.dumps([len(self._workers) - 1, list(arguments), dict(environment), files]), file=self._requests, flush=True
            )
        except OSError:
            forked.fail()
            forked.stdin.close()
            forked.stdout.close()
            raise
        return forked

    def close(self) -> None:
        """End the server, not its workers. Those that it had not started will not be."""
        self._end()
        for worker in self._workers:
            worker.fail()


class Forked:
    """A worker, with what the launcher needs of a `subprocess.Popen`.

    Attributes:
        stdin: what the worker reads.
    """

    def __init__(self, stdin: Path, stdout: Path) -> None:
        """Make its pipes, which are not there yet."""
        os.mkfifo(stdin, 0o600)
        os.mkfifo(stdout, 0o600)
        # Neither waits for the worker. It waits for nobody either: had we died meanwhile, it would do so for ever.
        self.stdin = os.fdopen(os.open(stdin, os.O_RDWR), "w", encoding="utf-8")
        self._stdout = os.fdopen(os.open(stdout, os.O_RDONLY | os.O_NONBLOCK), encoding="utf-8")
        os.set_blocking(self._stdout.fileno(), True)
        self._pid: Future[int] = Future()
        self._code: Future[int] = Future()

    @property
    def stdout(self) -> IO[str]:
        """What the worker writes; blocks until it can. Before that the pipe would seem to be at its end."""
        wait([self._pid])
        return self._stdout

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

    def take(self, pid: int | None = None, code: int | None = None) -> None:
        """Learn what has become of it. What comes after `fail` is not heard: that worker ends with its stdin."""
        if pid is not None:
            with suppress(InvalidStateError):
                self._pid.set_result(pid)
        if code is not None:
            self.fail()
            with suppress(InvalidStateError):
                self._code.set_result(code)

    def fail(self) -> None:
        """It will not be started, unless it was."""
        with suppress(InvalidStateError):
            self._pid.set_exception(ProcessLookupError("the server ended before it could start this worker"))
            self._code.set_result(1)


def _listen(events: IO[str], workers: list[Forked]) -> None:
    """Until the server has ended, and all who wait for its workers."""
    with events:
        for line in events:
            told = json.loads(line)
            workers[told.pop("worker")].take(**told)
    for worker in workers:
        worker.take(code=-signal.SIGKILL)


def serve() -> None:
    """The server: load, then fork a worker for every request, until the parent has ended."""
    # Unbuffered: a worker must not find other workers' requests in a copy of the buffer.
    requests, tell = os.fdopen(os.dup(0), "rb", buffering=0), os.dup(1)
    os.dup2(2, 1)
    collect_rarely()
    for module in PRELOADED:
        with suppress(ImportError):  # the worker that needs it will say so, where its report can tell
            import_module(module)
    gc.collect()
    gc.freeze()  # the collector of a worker does not touch, and so copy, what all have in common
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for those who wait
    for request in requests:
        if os.fork() == 0:
            requests.close()
            _attend(tell, *json.loads(request))


def _attend(tell: int, worker: int, arguments: list[str], environment: dict[str, str], files: list[str]) -> NoReturn:
    """In a process of its own: start the worker, wait for it, and tell how it ended. The server is free meanwhile."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    code = 1
    try:
        pid = os.fork()
        if pid == 0:
            os.setsid()
            for file, mode, standard in zip(files, (os.O_RDONLY, os.O_WRONLY, os.O_WRONLY | os.O_APPEND), (0, 1, 2), strict=True):
                opened = os.open(file, mode | os.O_NONBLOCK)
                os.set_blocking(opened, True)
                os.dup2(opened, standard)
                os.close(opened)
            _tell(tell, worker=worker, pid=os.getpid())
            os.close(tell)
            _work(arguments, environment)
        os.close(0)  # of the requests: were it open, the parent could not see that the server has ended
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    finally:
        with suppress(BrokenPipeError):  # the parent is dead
            _tell(tell, worker=worker, code=code)
        os._exit(0)


def _tell(tell: int, **told: int) -> None:
    """A line that is short enough not to be mixed with others'."""
    os.write(tell, json.dumps(told).encode() + b"\n")


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


def _end(server: subprocess.Popen[str]) -> None:
    assert server.stdin
    with suppress(BrokenPipeError):  # it has ended already
        server.stdin.close()
    server.kill()
    server.wait()


if __name__ == "__main__":
    serve()
