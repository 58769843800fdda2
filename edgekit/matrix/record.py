"""matrix.json: what came of every cell."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from edgekit.document import SCHEMA_VERSION
from edgekit.machine import Machine
from edgekit.report import Report, Status, overall_exit_code

FILE_NAME = "matrix.json"
Verdict = Literal["met", "missed", "not judged"]


@dataclass(frozen=True, slots=True)
class GoalResult:
    """Whether an artifact reaches one goal.

    Attributes:
        name: as in edgekit.toml: "min_sqnr_db", "max_p95_ms" and so on; the name has the unit.
        limit: what was asked for.
        value: what was measured; None where nothing was.
        verdict: "not judged" where nothing was measured, or where the figure is too doubtful to say no.
        reason: why it was not judged; empty otherwise.
    """

    name: str
    limit: float
    value: float | None
    verdict: Verdict
    reason: str = ""


@dataclass(frozen=True, slots=True)
class CellResult:
    """What came of one cell.

    Attributes:
        name: of the cell, and of its folder in the output: MODEL-TARGET-PRECISION.
        model: short name; with the resolution where the file asks for one.
        resolution: as asked for, in pixels; None for the checkpoint's own.
        target: the plugin's name.
        precision: as requested.
        key: sha256 of all that the artifact depends on; empty where that could not be told.
        outcome: "passed": converted, its numbers hold, all goals met. "converted": made, and the numbers or a goal not judged.
            "failed" and "skipped": see the reason.
        reason: why it did not pass, in one sentence; empty where it did.
        exit_code: what this cell alone would give to the shell.
        is_reused: it was converted by an earlier run.
        goals: one by one.
        report: of the artifact; None where there was not even an attempt.
    """

    name: str
    model: str
    resolution: int | None
    target: str
    precision: str
    key: str
    outcome: Status
    reason: str
    exit_code: int
    is_reused: bool
    goals: tuple[GoalResult, ...] = ()
    report: Report | None = None


@dataclass(frozen=True, slots=True)
class MatrixReport:
    """A whole run.

    Attributes:
        edgekit_version: that ran it.
        machine: that ran it. Each report names the machine of its own figures.
        cells: in the order of the file.
        wall_seconds: of the run.
        versions: of the packages that took part, by name.
        schema_version: of this file's form; 1.
    """

    edgekit_version: str
    machine: Machine
    cells: tuple[CellResult, ...]
    wall_seconds: float
    versions: Mapping[str, str] = field(default_factory=dict)
    schema_version: int = SCHEMA_VERSION

    @property
    def exit_code(self) -> int:
        """The most severe of all cells'; one that --only or --skip left out is none of them."""
        return overall_exit_code(cell.exit_code for cell in self.cells)
