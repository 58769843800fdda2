"""Cells on a Dask cluster: workers that the user started with `dask worker` make artifacts and send them back.

Nothing is shared but the network: what a model's cells need travels to the workers once, as the result of a task, so that it is
sent again from elsewhere when a worker dies. Dask starts the tasks of a dead worker on another one.
"""

from __future__ import annotations

import io
import tarfile
import tempfile
import threading
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Any

from edgekit.document import read_json, write_json
from edgekit.errors import EdgekitError, NetworkError, TargetMissing, UsageError
from edgekit.job import convert_cell, offers, profile_cell
from edgekit.launcher import Launcher
from edgekit.matrix.cell import Cell
from edgekit.matrix.fingerprint import software_of
from edgekit.matrix.site import Preparation
from edgekit.report import FILE_NAME as REPORT
from edgekit.report import Report
from edgekit.request import ConvertRequest, ProfileRequest

CONNECT_SECONDS = 20
JOIN_SECONDS = 10  # for the first worker, which may be starting just now
POLL_SECONDS = 1  # in which Ctrl-C is noticed
_FOLDER = "folder"


@dataclass
class Cluster:
    """A Dask cluster. Every method blocks, and is called by several threads.

    Attributes:
        client: connected to its scheduler.
        address: as the user gave it.
        launcher: of the run: told of stages; its time limit holds on the cluster too.
        slots: conversions side by side.
    """

    client: Any
    address: str
    launcher: Launcher
    slots: int
    _sent: dict[Path, Any] = field(default_factory=dict)
    _checked: dict[str, str] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def where(self) -> str:
        """Its machines are not told apart: a latency that one of them measured is known, with that machine's name in it."""
        return self.address

    def convert(self, cell: Cell, folder: Path, prepared: Preparation) -> Report:
        """Wait until the whole model is prepared, and have a worker make the artifact."""
        self.launcher.on_stage(cell.name, "waiting for the model")
        prepared.done.result()
        self._check(cell.target)
        self.launcher.on_stage(cell.name, "on the cluster")
        task = partial(convert_there, cell.name, cell.request, timeout_seconds=self.launcher.timeout_seconds)
        unpack(self._run(task, self._send(prepared.folder)), folder)
        report: Report = read_json(folder / REPORT, Report)
        return report

    def profile(self, cell: Cell, request: ProfileRequest, report: Report, folder: Path, staging: Path) -> Report:
        """Send the artifact to a worker that measures it, alone on its machine."""
        if report.runtime is None or report.runtime.kind == "reference":
            return report
        self._check(cell.target)
        self.launcher.on_stage(cell.name, "latency on the cluster")
        task = partial(profile_there, cell.name, request, timeout_seconds=self.launcher.timeout_seconds)
        there = staging / f"{cell.name}.profile"
        unpack(self._run(task, pack(folder)), there)
        profiled: Report = read_json(there / REPORT, Report)
        return profiled

    def _send(self, folder: Path) -> Any:
        """What cells share, on the cluster: a task, for a task's result is made again when the worker that had it dies."""
        with self._lock:
            if folder not in self._sent:
                self._sent[folder] = self.client.submit(bytes, pack(folder), key=f"prepared-{uuid.uuid4().hex}")
            return self._sent[folder]

    def _run(self, task: Any, argument: Any) -> bytes:
        from distributed import KilledWorker
        from distributed.client import FutureCancelledError

        future = self.client.submit(task, argument, key=f"edgekit-{uuid.uuid4().hex}")
        try:
            while True:
                with suppress(TimeoutError):
                    result: bytes = future.result(timeout=POLL_SECONDS)
                    return result
                if self.launcher.is_stopped:
                    future.cancel()
                    raise EdgekitError("the run was stopped")
        except KilledWorker as error:
            raise EdgekitError(f"its worker on the cluster died, several times: {error}") from error
        except (FutureCancelledError, OSError) as error:
            raise NetworkError(f"the cluster at {self.address} was lost: {error}") from error

    def _check(self, target: str) -> None:
        """See to it that the workers have what this machine has: an artifact's key says with what it was made.

        Raises:
            TargetMissing: there is none, or it is of another version.
        """
        with self._lock:
            if target not in self._checked:
                self._checked[target] = _difference(software_of(target), self.client.run(_software_there, target))
        if self._checked[target]:
            raise TargetMissing(self._checked[target])


def convert_there(name: str, request: ConvertRequest, prepared: bytes, *, timeout_seconds: float | None) -> bytes:
    """Make an artifact, on a worker: what cells share goes in, the artifact's folder comes out."""
    with tempfile.TemporaryDirectory(prefix="edgekit-") as place:
        shared, folder = Path(place) / "shared", Path(place) / _FOLDER
        unpack(prepared, shared)
        ready = offers([request.precision])
        for offer in ready.values():
            offer.set()
        launcher = Launcher(ready=ready, timeout_seconds=timeout_seconds, forks=False)
        convert_cell(launcher, name, request, folder, shared)
        return pack(folder)


def profile_there(name: str, request: ProfileRequest, artifact: bytes, *, timeout_seconds: float | None) -> bytes:
    """Measure an artifact, on a worker: its folder goes in, its report comes out."""
    with tempfile.TemporaryDirectory(prefix="edgekit-") as place:
        folder = Path(place) / _FOLDER
        unpack(artifact, folder)
        report: Report = read_json(folder / REPORT, Report)
        launcher = Launcher(timeout_seconds=timeout_seconds)
        profiled = profile_cell(launcher, name, request, report, folder, Path(place))
        found = Path(place) / "profile"
        found.mkdir()
        write_json(found / REPORT, profiled)
        return pack(found)


@contextmanager
def cluster_at(address: str, launcher: Launcher, jobs: int) -> Iterator[Cluster]:
    """Connect to a scheduler.

    Args:
        address: tcp://HOST:PORT.
        launcher: of the run.
        jobs: conversions side by side; 0 for one on each thread of the workers.

    Raises:
        TargetMissing: distributed is not installed here.
        NetworkError: nobody answers there.
        UsageError: no worker has joined it.
    """
    try:
        from distributed import Client
    except ImportError as error:
        raise TargetMissing(
            'a cluster takes the package distributed, here and on its workers: pip install "edgekit[dask]"'
        ) from error
    try:
        client = Client(address, timeout=CONNECT_SECONDS, set_as_default=False)
    except (OSError, ValueError) as error:
        raise NetworkError(f"no Dask scheduler answers at {address}: {error}. Start one with `dask scheduler`") from error
    with client:
        try:
            client.wait_for_workers(1, timeout=JOIN_SECONDS)
        except TimeoutError as error:
            raise UsageError(
                f"the scheduler at {address} has no worker. Start some with `dask worker {address} --nthreads 1`"
            ) from error
        threads = sum(client.nthreads().values())
        yield Cluster(client, address, launcher, jobs or threads)


def pack(folder: Path) -> bytes:
    """A folder as bytes."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as archive:
        archive.add(folder, _FOLDER)
    return content.getvalue()


def unpack(content: bytes, folder: Path) -> None:
    """Make a folder of its bytes. A name that leads out of it is refused by `tarfile`."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".unpack-", dir=folder.parent) as place:
        with tarfile.open(fileobj=io.BytesIO(content)) as archive:
            archive.extractall(place, filter="data")
        (Path(place) / _FOLDER).rename(folder)


def _software_there(target: str) -> str:
    """What a worker has; a sentence that begins with "no " where something is missing."""
    try:
        return software_of(target)
    except (EdgekitError, metadata.PackageNotFoundError) as error:
        return f"no {target}: {error}"


def _difference(here: str, there: Mapping[str, str]) -> str:
    """What is wrong with the workers' software; empty where nothing is."""
    for worker, software in there.items():
        if software.startswith("no "):
            return f"the worker {worker} has {software}"
        if software != here:
            return (
                f"the worker {worker} has other versions than this machine, and its artifacts would not be these: "
                f"{_first_difference(here, software)}. Install the same on both"
            )
    return ""


def _first_difference(here: str, there: str) -> str:
    mine, theirs = set(here.splitlines()), set(there.splitlines())
    return f"{'; '.join(sorted(theirs - mine)) or 'nothing'} there, {'; '.join(sorted(mine - theirs)) or 'nothing'} here"
