"""What CI may conclude from a cell's report and its goals."""

from __future__ import annotations

from dataclasses import dataclass, replace

from edgekit.matrix.config import Limits
from edgekit.matrix.goal import judge_goals
from edgekit.matrix.record import CellResult, GoalResult
from edgekit.report import Report, Status

NOT_VERIFIED = 3


@dataclass(frozen=True, slots=True)
class CellVerdict:
    """An outcome, why, what the shell is told, and the goals behind it."""

    outcome: Status
    reason: str
    exit_code: int
    goals: tuple[GoalResult, ...]

    def on(self, result: CellResult) -> CellResult:
        """The result with this verdict."""
        return replace(result, outcome=self.outcome, reason=self.reason, exit_code=self.exit_code, goals=self.goals)


def give_verdict(report: Report, limits: Limits) -> CellVerdict:
    """Judge a cell: what failed before a goal was looked at, then a goal that is missed, then one that could not be judged."""
    goals = judge_goals(report, limits) if report.size_bytes is not None else ()
    problem = report.problem
    if problem and problem.kind == "UsageError" and problem.stage == "import":  # a precision that the target does not have
        return CellVerdict("skipped", problem.message, NOT_VERIFIED, goals)
    if report.status != "passed":
        return CellVerdict(report.status, _told(report), report.exit_code, goals)
    missed = [goal for goal in goals if goal.verdict == "missed"]
    if missed:
        return CellVerdict("failed", "; ".join(f"{goal.name} is {goal.value:g}, not {goal.limit:g}" for goal in missed), 1, goals)
    unjudged = [goal for goal in goals if goal.verdict == "not judged"]
    if unjudged:
        told = "; ".join(f"{goal.name} not judged: {goal.reason}" for goal in unjudged)
        return CellVerdict("converted", told, NOT_VERIFIED, goals)
    return CellVerdict("passed", "", 0, goals)


def _told(report: Report) -> str:
    if report.problem:
        return f"{report.problem.stage}: {report.problem.message}"
    return "its numbers were not checked"
