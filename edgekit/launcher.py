"""The parent side of a target's process: start a worker, answer its questions, and never let it outlive the run."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Protocol, Self

from edgekit.document import read_json, write_json
from edgekit.errors import EdgekitError
from edgekit.forkserver import IS_POSSIBLE, ForkServer
from edgekit.report import FILE_NAME as REPORT
from edgekit.report import Problem, Report
from edgekit.request import FILE_NAME as REQUEST

OnStage = Callable[[str, str], None]  # told (cell, stage)
LOG = "log.txt"
LOG_TAIL_LINES = 12
FORKED = ("prepare", "convert")
"""Modes that need PyTorch's exporter. A measured process starts from nothing, as an app does."""


def silent(cell: str, stage: str) -> None:
    """Progress for nobody."""


class Process(Protocol):
    """A worker. `subprocess.Popen` is one."""

    @property
    def stdin(self) -> IO[str] | None:
        """What it reads."""
        ...

    @property
    def stdout(self) -> IO[str] | None:
        """What it writes."""
        ...

    @property
    def pid(self) -> int:
        """Its process id, and that of its group."""
        ...

    def poll(self) -> int | None:
        """Its exit code if it has ended."""
        ...

    def wait(self) -> int:
        """Its exit code, or minus the signal that ended it, when it has."""
        ...


class Resource(Protocol):
    """What a worker may wait for. `threading.Event` is one."""

    def wait(self) -> object:
        """Block until it is there, or given up: False says that the one who asked will not be needed."""
        ...

    def set(self) -> None:
        """Let everybody go on who waits."""
        ...


class Offer:
    """A resource that one worker makes and others wait for."""

    def __init__(self) -> None:
        """Not there yet."""
        self._decided = threading.Event()
        self._is_there = False

    def wait(self) -> bool:
        """Block until it is there (True) or never will be (False)."""
        self._decided.wait()
        return self._is_there

    def set(self) -> None:
        """It is there."""
        self._is_there = True
        self._decided.set()

    def withdraw(self) -> None:
        """What is not there by now will not come."""
        self._decided.set()


@dataclass
class Clock:
    """Calls somebody when a worker has run for too long, in however many pieces.

    Attributes:
        seconds: that it may; None for any number.
        on_end: called once, from a thread.
        is_over: whether it was.
    """

    seconds: float | None
    on_end: Callable[[], object]
    is_over: bool = False
    _since: float = 0.0
    _timer: threading.Timer | None = None

    def start(self) -> None:
        """Begin a piece."""
        if self.seconds is not None:
            self._since = time.monotonic()
            self._timer = threading.Timer(self.seconds, self._ring)
            self._timer.daemon = True
            self._timer.start()

    def stop(self) -> None:
        """End a piece, if one runs."""
        if self._timer and self.seconds is not None:
            self._timer.cancel()
            self._timer = None
            self.seconds -= time.monotonic() - self._since

    def _ring(self) -> None:
        self.is_over = True
        self.on_end()


@dataclass
class Launcher:
    """The workers of one run. A context manager: those that still run at its end, as after Ctrl-C, are killed.

    Attributes:
        on_stage: told (cell, stage) whenever a worker enters a stage; called from the worker's thread.
        ready: resources that workers may ask for, each set when it is there.
        on_progress: told (cell, done, total) as a stage goes on, by workers that say so.
        timeout_seconds: that a worker may run, the time in which it waits for a resource not counted; None for any.
        forks: whether workers that need PyTorch's exporter are forked where that can be: worth it from the second one on.
    """

    on_stage: OnStage = silent
    ready: Mapping[str, Resource] = field(default_factory=dict)
    on_progress: Callable[[str, int, int], None] = lambda cell, done, total: None
    timeout_seconds: float | None = None
    forks: bool = IS_POSSIBLE
    _running: set[Process] = field(default_factory=set)
    _servers: dict[int, ForkServer] = field(default_factory=dict)
    _stopped: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def offering(self, ready: Mapping[str, Resource]) -> Launcher:
        """The same launcher for workers that may ask for other resources: what stops one stops both."""
        return replace(self, ready=ready)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    def run(
        self,
        mode: str,
        cell: str,
        request: Any,
        *,
        artifact: Path,
        work: Path,
        shared: Path | None = None,
        reference: Path | None = None,
        num_threads: int = 1,
        blank: Callable[[Problem], Report],
    ) -> Report:
        """Run one worker to its end and return its report.

        Args:
            mode: one of edgekit.worker.MODES.
            cell: what progress calls it.
            request: the record that the mode reads.
            artifact: the artifact's folder.
            work: where the request, the log and the report go.
            shared: the run's program, model card and reference.
            reference: the answers to compare with; by default those beside the artifact.
            num_threads: the most that the worker's native libraries may use.
            blank: makes a report of a problem when the worker could not.
        """
        write_json(work / REQUEST, request)
        folders = {
            "artifact": artifact,
            "work": work,
            "shared": shared or work,
            "reference": reference or artifact / "reference.npz",
        }
        arguments = [mode]
        for name, path in folders.items():
            arguments += [f"--{name}", str(path.resolve())]
        with (work / LOG).open("a", encoding="utf-8") as log:
            # What SDKs leave in the temporary folder goes with the run, even if the worker is killed.
            temporary = tempfile.mkdtemp(prefix="tmp-", dir=(shared or work).resolve().parent)
            process = self._start(arguments, log, num_threads, Path(temporary))
            clock = Clock(self.timeout_seconds, partial(_kill_group, process))
            try:
                stage = self._converse(process, cell, clock)
                code = process.wait()
            finally:
                clock.stop()
                self._end(process)
                shutil.rmtree(temporary, ignore_errors=True)
        if code == 0:
            report = read_json(work / REPORT, Report)
            if report.problem and report.problem.kind == "EdgekitError":
                return replace(report, problem=replace(report.problem, log=log_tail(work)))
            return report
        cause = f"took longer than the {self.timeout_seconds:g} s of --timeout" if clock.is_over else _cause(code)
        return blank(Problem(stage, "EdgekitError", f"the worker {cause} during: {stage}", log_tail(work)))

    def stop(self) -> None:
        """Kill every worker, and let none start."""
        with self._lock:
            self._stopped.set()
            running = list(self._running)
        for event in self.ready.values():
            event.set()
        for process in running:
            _kill(process)
        for server in self._servers.values():
            server.close()

    @property
    def is_stopped(self) -> bool:
        """Whether the run has come to its end early."""
        return self._stopped.is_set()

    def _start(self, arguments: list[str], log: IO[str], num_threads: int, temporary: Path) -> Process:
        environment = os.environ | {
            "PYTHONUTF8": "1",
            "OMP_NUM_THREADS": str(num_threads),
            "PYTHONUNBUFFERED": "1",
        }
        process: Process | None = None
        if self.forks and arguments[0] in FORKED:
            with suppress(OSError):  # no named pipes on that disk, or the server is gone, as where memory ran out
                process = self._server(num_threads, environment).start(
                    arguments, Path(log.name), {"TMPDIR": str(temporary)}, temporary, self.timeout_seconds
                )
        with self._lock:
            if self._stopped.is_set():
                if process:
                    _kill(process)
                raise EdgekitError("the run was stopped")
            process = process or subprocess.Popen(
                # -P: the current directory is not searched for modules; it may be full of somebody else's
                [sys.executable, "-P", "-m", "edgekit.worker", *arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env=environment | {"TMPDIR": str(temporary)},
                start_new_session=True,  # Ctrl-C reaches the parent alone, which then ends the workers in order
            )
            self._running.add(process)
        return process

    def _server(self, num_threads: int, environment: Mapping[str, str]) -> ForkServer:
        with self._lock:
            if self._stopped.is_set():
                raise EdgekitError("the run was stopped")
            if num_threads not in self._servers:  # OpenMP counts its threads once, when it is loaded
                self._servers[num_threads] = ForkServer(environment)
            return self._servers[num_threads]

    def _converse(self, process: Process, cell: str, clock: Clock) -> Any:
        """Follow the worker's stages and answer its questions until it closes the pipe. Returns the last stage."""
        assert process.stdin
        assert process.stdout
        stage = "start"
        clock.start()
        for line in process.stdout:
            message = json.loads(line)
            if "stage" in message:
                stage = message["stage"]
                self.on_stage(cell, stage)
            elif "tell" in message:
                self.on_stage(cell, message["tell"])
            elif "done" in message:
                self.on_progress(cell, message["done"], message["total"])
            elif "ready" in message:
                self.ready[message["ready"]].set()
            elif "wait" in message:
                self.on_stage(cell, f"waiting for the {message['wait']}")
                clock.stop()
                if self.ready[message["wait"]].wait() is False or self._stopped.is_set():
                    _kill(process)
                    break
                clock.start()
                with suppress(BrokenPipeError):  # it died while it waited: its exit code will say of what
                    process.stdin.write(message["wait"] + "\n")
                    process.stdin.flush()
        return stage

    def _end(self, process: Process) -> None:
        _kill(process)
        with self._lock:
            self._running.discard(process)


@contextmanager
def launched(launcher: Launcher, workers: int) -> Iterator[ThreadPoolExecutor]:
    """Threads that each wait for one worker. On any error, or Ctrl-C, the workers are killed first."""
    with ThreadPoolExecutor(max_workers=workers) as pool:
        try:
            yield pool
        except BaseException:  # Ctrl-C too; the launcher's own end would come after the pool has waited for its workers
            launcher.stop()
            pool.shutdown(cancel_futures=True)
            raise


def log_tail(work: Path) -> str:
    """The last lines of a worker's log."""
    try:
        return "\n".join((work / LOG).read_text("utf-8", errors="replace").splitlines()[-LOG_TAIL_LINES:])
    except OSError:
        return ""


def _kill(process: Process) -> None:
    """End a worker and all that it started."""
    if process.poll() is None:
        _kill_group(process)
        process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe:
            with suppress(BrokenPipeError):
                pipe.close()


def _kill_group(process: Process) -> None:
    with suppress(ProcessLookupError):  # it ended meanwhile
        os.killpg(process.pid, signal.SIGKILL)


def _cause(code: int) -> str:
    if code == -signal.SIGKILL:
        return "was killed by SIGKILL, as the system does where memory runs out,"
    if code < 0:
        return f"was killed by {signal.Signals(-code).name}"
    return f"ended with exit code {code}"
