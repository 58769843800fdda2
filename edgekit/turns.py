"""Two artifacts timed in turns, each in a process of its own: while one runs, the other waits for a line on its stdin.

The worker's side is `take_turns`, the parent's `interleave`. The parent hands the turn from one to the other through what workers
can do anyway: ask for a resource, and block until it is there.
"""

from __future__ import annotations

import statistics
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from edgekit.document import read_json, write_json
from edgekit.errors import BY_NAME, EdgekitError, TargetMissing
from edgekit.interface import random_input
from edgekit.latency import sample, warm_up
from edgekit.latency.comparison import ComparisonPlan, Launch, turns
from edgekit.launcher import Launcher, launched
from edgekit.manifest import read_manifest
from edgekit.report import Problem, Report
from edgekit.request import FILE_NAME as REQUEST
from edgekit.request import TurnsRequest

if TYPE_CHECKING:
    from edgekit.desk import Desk, Line

BLOCKS = "blocks.json"
MIN_INFERENCES = 3  # in a block, for a median


class Baton:
    """Says whose turn it is. Each side waits for it before every block, and thereby says that the one before has ended."""

    def __init__(self, rounds: int) -> None:
        """The order: each loads and warms up, then `turns`."""
        self._order = [0, 1, *turns(rounds)]
        self._place = 0
        self._holder: int | None = None
        self._free = threading.Condition()

    def take(self, number: int) -> None:
        """End this side's turn, if it has it, and wait for its next."""
        with self._free:
            self._release(number)
            self._free.wait_for(lambda: self._holder is None and self._order[self._place :][:1] in ([], [number]))
            if self._order[self._place :]:
                self._holder, self._place = number, self._place + 1

    def leave(self, number: int) -> None:
        """This side has ended, or will never run again: its turns are nobody's."""
        with self._free:
            self._release(number)
            self._order = [*self._order[: self._place], *(each for each in self._order[self._place :] if each != number)]
            self._free.notify_all()

    def _release(self, number: int) -> None:
        if self._holder == number:
            self._holder = None
            self._free.notify_all()


@dataclass(frozen=True, slots=True)
class Side:
    """One side's turns, as a resource that its worker waits for."""

    baton: Baton
    number: int

    def wait(self) -> None:
        """Block until the turn has come."""
        self.baton.take(self.number)

    def set(self) -> None:
        """Give all turns up: the run was stopped."""
        self.baton.leave(0)
        self.baton.leave(1)


@dataclass(frozen=True, slots=True)
class Blocks:
    """Medians of one artifact's blocks, in their order."""

    median_ms: tuple[float, ...]


def interleave(
    folders: tuple[Path, Path],
    work: Path,
    *,
    num_threads: int,
    plan: ComparisonPlan,
    blank: Callable[[Path], Callable[[Problem], Report]],
) -> Launch:
    """Start both artifacts once and time them in turns.

    Args:
        folders: of the artifacts.
        work: an empty folder for this launch.
        num_threads: of each runtime.
        plan: how long.
        blank: given a folder, makes reports of its problems.

    Raises:
        EdgekitError: one of them does not run; of the class that its problem names.
    """
    baton = Baton(plan.rounds)
    resources = {f"turn {number + 1}": Side(baton, number) for number in (0, 1)}
    launcher = Launcher(ready=resources)

    def run(number: int) -> Report:
        folder, desk = folders[number], work / str(number)
        desk.mkdir()
        try:
            return launcher.run(
                "turns",
                folder.name,
                TurnsRequest(f"turn {number + 1}", num_threads, plan),
                artifact=folder,
                work=desk,
                num_threads=num_threads,
                blank=blank(folder),
            )
        finally:
            baton.leave(number)

    with launched(launcher, 2) as pool:
        reports = [future.result() for future in [pool.submit(run, number) for number in (0, 1)]]
    for folder, report in zip(folders, reports, strict=True):
        if report.problem:
            kind = BY_NAME.get(report.problem.kind, EdgekitError)
            raise kind(f"{folder.name} cannot be compared: {report.problem.message}")
    first, second = (read_json(work / str(number) / BLOCKS, Blocks) for number in (0, 1))
    return Launch(first.median_ms, second.median_ms)


def take_turns(desk: Desk, line: Line) -> Report:
    """The worker's side: load and warm up, then a block at every turn. The blocks' medians go to blocks.json."""
    from edgekit import pipeline

    request: TurnsRequest = read_json(desk.work / REQUEST, TurnsRequest)
    plan, manifest = request.plan, read_manifest(desk.artifact)
    target = pipeline.load_target(manifest, line)
    if target.probe().runs != "native":
        raise TargetMissing(f"its latency would mean nothing: {target.probe().reason}")
    job = pipeline.load_job(manifest, desk.artifact, request.num_threads)
    inputs = {job.inputs[0].name: random_input(job.inputs[0])}
    line.wait(request.turn)
    line.enter("latency")
    blocks = []
    with target.load(job) as runner:
        warm_up(lambda: runner.infer(inputs), plan.max_warmup_seconds)
        for _ in range(plan.rounds):
            line.wait(request.turn)
            samples = sample(lambda: runner.infer(inputs), 10**9, plan.block_seconds, MIN_INFERENCES)
            blocks.append(statistics.median(samples) / 1e6)
    write_json(desk.work / BLOCKS, Blocks(tuple(blocks)))
    return pipeline.blank_report(desk)
