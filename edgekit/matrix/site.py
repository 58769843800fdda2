"""Where cells run: on this machine, or, in `edgekit.matrix.cluster`, on others."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from edgekit.job import convert_cell, profile_cell
from edgekit.launcher import Launcher, Offer
from edgekit.machine import Machine, available_cores, describe_machine
from edgekit.matrix.cell import Cell
from edgekit.report import Report
from edgekit.request import ProfileRequest

CELL_BYTES = 1_500_000_000
"""Memory that a conversion may take: measured by `benchmarks/matrix.py`, rounded up."""
_CGROUP = Path("/sys/fs/cgroup")


@dataclass(frozen=True, slots=True)
class Preparation:
    """What a model's cells share, as it is being made.

    Attributes:
        folder: where.
        offers: what cells wait for.
        done: ends when all of it is there, or with the error that ended it.
    """

    folder: Path
    offers: Mapping[str, Offer]
    done: Future[None]


class Site(Protocol):
    """Runs cells. Every method blocks, and is called by several threads."""

    @property
    def slots(self) -> int:
        """Conversions side by side."""
        ...

    @property
    def where(self) -> Machine | str:
        """What a latency measured here depends on, besides the artifact."""
        ...

    def convert(self, cell: Cell, folder: Path, prepared: Preparation) -> Report:
        """Make an artifact, its report and its log in a folder that is not there yet."""
        ...

    def profile(self, cell: Cell, request: ProfileRequest, report: Report, folder: Path, staging: Path) -> Report:
        """Measure an artifact's latency, alone on its machine, and put it into its report."""
        ...


class Local:
    """This machine: a worker process for each cell, as many as there are cores and memory for."""

    def __init__(self, launcher: Launcher, jobs: int = 0) -> None:
        """Count.

        Args:
            launcher: of the workers.
            jobs: side by side; 0 for as many as fit.
        """
        self._launcher = launcher
        self._jobs = jobs

    @property
    def slots(self) -> int:
        """As many as were asked for, or as fit."""
        return self._jobs or max(1, min(available_cores(), available_memory_bytes() // CELL_BYTES))

    @property
    def where(self) -> Machine:
        """This machine."""
        return describe_machine()

    def convert(self, cell: Cell, folder: Path, prepared: Preparation) -> Report:
        """Run one worker. It starts at once, and waits for what it needs of the preparation."""
        return convert_cell(self._launcher.offering(prepared.offers), cell.name, cell.request, folder, prepared.folder)

    def profile(self, cell: Cell, request: ProfileRequest, report: Report, folder: Path, staging: Path) -> Report:
        """Run one worker, while no other of edgekit's measures on this machine."""
        return profile_cell(self._launcher, cell.name, request, report, folder, staging)


def available_memory_bytes() -> int:
    """Memory that can be had without swapping, on the machine or in the container that limits it."""
    import psutil  # 50 ms, and not needed where everything is known

    available = int(psutil.virtual_memory().available)
    try:
        limit = (_CGROUP / "memory.max").read_text().strip()
        used = int((_CGROUP / "memory.current").read_text())
    except (OSError, ValueError):
        return available
    return available if limit == "max" else max(0, min(available, int(limit) - used))
