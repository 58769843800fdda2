"""A board, whatever reaches it: one task goes there, one record comes back, and nothing stays."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from edgekit.latency import Latency, LatencyPlan
from edgekit.machine import Machine
from edgekit.manifest import Manifest
from edgekit.reference import Outputs
from edgekit.report import Problem, Stage
from edgekit.target import LoadJob, RuntimeInfo, Target

OnStage = Callable[[Stage], None]


@dataclass(frozen=True, slots=True)
class Task:
    """What a board is to do.

    Attributes:
        folder: the artifact's, here.
        manifest: of the artifact.
        target: its plugin.
        job: how it is to be loaded; the path is in `folder`, and the threads are those of `threads`.
        threads: of the runtime, each number measured in a process of its own, the numbers judged with the first; 0 for one on
            each core of the board.
        samples_nchw: float32, the inputs that are judged.
        random_nchw: float32, the one that is timed.
        plan: how to measure latency; None for the numbers alone.
    """

    folder: Path
    manifest: Manifest
    target: Target
    job: LoadJob
    threads: tuple[int, ...]
    samples_nchw: NDArray[np.float32]
    random_nchw: NDArray[np.float32]
    plan: LatencyPlan | None

    @property
    def planned_seconds(self) -> float:
        """What the plan asks for."""
        return self.plan.seconds if self.plan else 0.0


@dataclass(frozen=True, slots=True)
class Measured:
    """What came back.

    Attributes:
        board: name in its report: of the host, or the serial number.
        node: what the board calls itself.
        machine: the board.
        versions: of the packages that it was to have.
        runtime: what ran; None where it refused the artifact.
        answers: one for each sample that was sent; empty where it refused.
        latencies: one for each number of threads, where they were asked for and the board's runner can tell.
        problem: why the runtime refused.
        notes: what a reader must know, one sentence each.
    """

    board: str
    node: str
    machine: Machine
    versions: Mapping[str, str] = field(default_factory=dict)
    runtime: RuntimeInfo | None = None
    answers: tuple[Outputs, ...] = ()
    latencies: tuple[Latency, ...] = ()
    problem: Problem | None = None
    notes: tuple[str, ...] = ()


class Board(Protocol):
    """A machine that artifacts can be measured on."""

    def measure(self, task: Task, on_stage: OnStage) -> Measured:
        """Send the artifact to a fresh folder there, run it, bring back what came of it, and remove the folder whatever happens.

        Raises:
            edgekit.errors.UsageError: this target's artifacts cannot be measured on such a board.
            edgekit.errors.NetworkError: the board is not reached, does not let us in, or is lost.
            edgekit.errors.TargetMissing: it lacks a program or a package.
            edgekit.errors.OutputError: its disk is full or cannot be written.
            edgekit.errors.EdgekitError: the runner crashed there.
        """
        ...
