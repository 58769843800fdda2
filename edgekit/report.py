"""`report.json`: what came of one target, and what CI may conclude from it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from edgekit import errors
from edgekit.accuracy import Accuracy
from edgekit.calibration import Calibration
from edgekit.document import SCHEMA_VERSION, FileRecord
from edgekit.envelope import Envelope
from edgekit.examination import Finding, OperationError
from edgekit.latency import Latency
from edgekit.machine import Machine
from edgekit.operators import OperatorTimes
from edgekit.parity import Parity
from edgekit.profile import StaticProfile
from edgekit.target import RuntimeInfo

FILE_NAME = "report.json"
Status = Literal["passed", "converted", "failed", "skipped"]
RuntimeKind = Literal["native", "reference"]
Stage = Literal["start", "connect", "import", "capture", "convert", "load", "parity", "latency", "evaluate", "done"]

# Which answer a run of several targets gives to the shell: a crash hides everything, a "no" hides a "not verified".
SEVERITY = (70, 130, 5, 4, 2, 1, 3, 0)


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a target did not pass.

    Attributes:
        stage: where it happened.
        kind: the exception's class, one of edgekit.errors for what users can act on.
        message: what happened, why, and what to do.
        log: last lines of the worker's output, where they may help.
    """

    stage: Stage
    kind: str
    message: str
    log: str = ""

    @property
    def exit_code(self) -> int:
        """Of the exception's class."""
        return errors.BY_NAME.get(self.kind, errors.EdgekitError).exit_code


@dataclass(frozen=True, slots=True)
class Judgement:
    """What one runtime on one machine said of an artifact's numbers.

    Attributes:
        status: "passed" or "failed".
        kind: of the runtime: "native", or "reference" for a stand-in.
        machine: where it ran.
        runtime: which one; None where it refused to load the artifact.
        parity: the figures; None where it refused.
        problem: why it did not pass.
        findings: what the runtime saw inside that is not finite, or nearly too large.
    """

    status: Status
    kind: RuntimeKind
    machine: Machine
    runtime: RuntimeInfo | None
    parity: Parity | None
    problem: Problem | None
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True)
class Report:
    """One artifact, or why there is none.

    Attributes:
        schema_version: of this file's form; 1.
        model: short name.
        target: the plugin's name.
        precision: as requested.
        status: "passed": converted, and its numbers hold. "converted": made, but not verified. "failed" and "skipped" with
            the problem.
        size_bytes: of all the artifact's files.
        runtime: what ran it for parity.
        parity: the verdict on its numbers.
        latency: with the machine it was measured on; None where it was not, with the reason in `notes`.
        more_latencies: the same with other numbers of threads, each in a process of its own.
        seconds: wall time per stage.
        versions: of the packages that took part.
        machine: where the verdict on its numbers was obtained; without one, where it was made.
        notes: what a reader must know to read the figures rightly.
        problem: why it did not pass.
        asked: kind of the runtime that was asked for the verdict, also where it refused to load; None where none was.
        files: of the artifact, by which reports about the same one are known.
        operators: how long each takes, where the runtime tells, of a run of its own; None where it was not asked.
        static_profile: what each operator costs and where it is expected to run, not measured; None where it was not asked for.
        others: what other runtimes said of the same files. The verdict above stands.
        findings: what the runtime saw inside that is not finite, or nearly too large.
        operations: of a quantised artifact, each operator judged alone.
        calibration: what an int8 artifact's ranges were measured on.
        envelope: the numbers in other arithmetics; None where they were not asked for.
        accuracy: on labelled pictures, against the float model; None where it was not asked for. evaluation.json has the rest.
        board: name of the board that answered and was timed, "kitchen" or a serial number; empty for the machine edgekit runs on.
    """

    model: str
    target: str
    precision: str
    status: Status
    machine: Machine
    schema_version: int = SCHEMA_VERSION
    size_bytes: int | None = None
    runtime: RuntimeInfo | None = None
    parity: Parity | None = None
    latency: Latency | None = None
    seconds: Mapping[str, float] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    problem: Problem | None = None
    asked: RuntimeKind | None = None
    files: tuple[FileRecord, ...] = ()
    operators: OperatorTimes | None = None
    static_profile: StaticProfile | None = None
    others: tuple[Judgement, ...] = ()
    findings: tuple[Finding, ...] = ()
    operations: tuple[OperationError, ...] = ()
    envelope: Envelope | None = None
    accuracy: Accuracy | None = None
    more_latencies: tuple[Latency, ...] = ()
    calibration: Calibration | None = None
    board: str = ""

    def board_of(self, latency: Latency) -> str:
        """Which board it was measured on; empty for none. A merged report may have one's verdict and another's latency."""
        return self.board if latency.machine == self.machine else ""

    @property
    def judgement(self) -> Judgement | None:
        """The verdict on its numbers; None where no runtime was asked."""
        if self.asked is None:
            return None
        passed = self.parity is not None and self.parity.passed
        problem = None if passed else self.problem
        status: Status = "passed" if passed else "failed"
        return Judgement(status, self.asked, self.machine, self.runtime, self.parity, problem, self.findings)

    @property
    def exit_code(self) -> int:
        """0 passed, 1 a negative result, 3 not verified or not installed, others as the problem's class says."""
        if self.problem:
            return self.problem.exit_code
        return {"passed": 0, "converted": 3, "failed": 1, "skipped": 3}[self.status]


def overall_exit_code(codes: Iterable[int]) -> int:
    """The one exit code of several results: the most severe."""
    return min(codes, key=SEVERITY.index, default=0)
