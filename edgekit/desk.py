"""A worker's place: where it finds things and leaves them, and its line to the parent."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from queue import SimpleQueue
from typing import TextIO

from edgekit.precision import INT8
from edgekit.report import Stage


@dataclass(frozen=True, slots=True)
class Desk:
    """Where a worker finds things and leaves them.

    Attributes:
        mode: one of edgekit.worker.MODES.
        artifact: the artifact's folder.
        work: where request.json is and report.json goes; for "convert" the artifact is made here.
        shared: the run's program, model card and reference.
        reference: the answers to compare with.
    """

    mode: str
    artifact: Path
    work: Path
    shared: Path
    reference: Path


def program_name(precision: str) -> str:
    """The program that is converted to a precision, as a resource to wait for and, with `.pt2`, as a file."""
    return f"program-{INT8}" if precision == INT8 else "program"


def reference_name(precision: str) -> str:
    """The answers that an artifact of a precision is judged by, as a resource to wait for and, with `.npz`, as a file.

    Those of int8 have a file of their own, so that the others need not wait for the calibration.
    """
    return f"reference-{INT8}" if precision == INT8 else "reference"


INT8_PROGRAM = f"{program_name(INT8)}.pt2"
"""Beside an int8 artifact: what it is to compute, for whoever wants to check that on other pictures."""


@dataclass
class Line:
    """The pipe to the parent, what it answers, and a stopwatch per stage."""

    pipe: TextIO
    answers: SimpleQueue[str] = field(default_factory=SimpleQueue)
    stage: Stage = "start"
    seconds: dict[str, float] = field(default_factory=dict)
    since: float = field(default_factory=time.perf_counter)

    def enter(self, stage: Stage) -> None:
        """Begin a stage and tell the parent."""
        self._stop()
        self.stage = stage
        self._say({"stage": stage})

    def tell(self, text: str) -> None:
        """Tell the parent what happens inside of the stage."""
        self._say({"tell": text})

    def offer(self, resource: str) -> None:
        """Tell the parent that something is made which other workers may wait for."""
        self._say({"ready": resource})

    def advance(self, done: int, total: int) -> None:
        """Tell the parent how far the stage is."""
        self._say({"done": done, "total": total})

    def wait(self, resource: str) -> None:
        """Ask the parent for something that is being made, and block until it is there. Counted in no stage."""
        self._stop()
        self._say({"wait": resource})
        if self.answers.get() != resource:
            os._exit(1)  # not what we asked for: nobody would read the report
        self.since = time.perf_counter()

    def _stop(self) -> None:
        now = time.perf_counter()
        self.seconds[self.stage] = self.seconds.get(self.stage, 0.0) + now - self.since
        self.since = now

    def _say(self, message: Mapping[str, str | int]) -> None:
        self.pipe.write(json.dumps(message) + "\n")
        self.pipe.flush()
