"""Goals of edgekit.toml against what was measured."""

from __future__ import annotations

from collections.abc import Iterator

from edgekit.matrix.config import Limits
from edgekit.matrix.record import GoalResult
from edgekit.report import Report


def judge_goals(report: Report, limits: Limits) -> tuple[GoalResult, ...]:
    """Judge an artifact by every goal it has. What was not measured is not judged, and never met."""
    return tuple(_judge(report, limits))


def _judge(report: Report, limits: Limits) -> Iterator[GoalResult]:
    for name, limit in ((name, getattr(limits, name)) for name in limits.__struct_fields__):
        if limit is None:
            continue
        value, missing = _measured(report, name)
        if value is None:
            yield GoalResult(name, limit, None, "not judged", missing)
        elif value >= limit if name.startswith("min") else value <= limit:
            yield GoalResult(name, limit, value, "met")
        elif name == "max_p95_ms" and report.latency and report.latency.doubts:
            # a neighbour makes a program slower, never faster: a doubtful figure can say yes, but not no
            yield GoalResult(name, limit, value, "not judged", f"too noisy to say no: {'; '.join(report.latency.doubts)}")
        else:
            yield GoalResult(name, limit, value, "missed")


def _measured(report: Report, name: str) -> tuple[float | None, str]:
    """The figure behind a goal, and why there is none."""
    if name == "min_sqnr_db":
        return (report.parity.worst_sqnr_db if report.parity else None), "the numbers were not checked"
    if name == "max_top1_drop":
        return (report.accuracy.drop_points if report.accuracy else None), "no accuracy was counted: give `evaluation`"
    if name == "max_p95_ms":
        return (report.latency.p95_ms if report.latency else None), _no_latency(report)
    if name == "max_size_mb":
        return (report.size_bytes / 1e6 if report.size_bytes is not None else None), "there is no artifact"
    return (report.runtime.delegated_fraction if report.runtime else None), "the runtime does not tell what it delegates"


def _no_latency(report: Report) -> str:
    if report.runtime and report.runtime.kind == "reference":
        return "the vendor's runtime is not here, so no latency was measured"
    return "no latency was measured"
