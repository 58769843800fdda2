"""Goals against figures: each is met, missed, and not judged."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edgekit.accuracy import Accuracy, Drop, share
from edgekit.matrix.config import Limits
from edgekit.matrix.goal import judge_goals
from edgekit.matrix.verdict import give_verdict
from edgekit.report import Problem, Report
from edgekit.target import RuntimeInfo
from tests import gallery

REPORT = replace(
    gallery.report(),
    status="passed",
    size_bytes=2_000_000,
    parity=gallery.parity(50.0),
    latency=gallery.latency(10.0),
    accuracy=Accuracy(100, share(90, 100), share(99, 100), drop=Drop(1.5, 0.0, 3.0)),
    runtime=RuntimeInfo("runtime", "1.0", "CPU", "float32", delegated_fraction=0.8),
)
# the report has a runtime: mypy cannot know
BARE = replace(REPORT, parity=None, latency=None, accuracy=None, runtime=replace(REPORT.runtime, delegated_fraction=None))  # type: ignore[type-var]


def verdict_of(report: Report, **limits: float) -> str:
    (goal,) = judge_goals(report, Limits(**limits))
    return goal.verdict


@pytest.mark.parametrize(
    ("name", "met", "missed"),
    [
        ("min_sqnr_db", 50.0, 50.1),
        ("max_top1_drop", 1.5, 1.4),
        ("max_p95_ms", 1000.0, 0.001),
        ("max_size_mb", 2.0, 1.999),
        ("min_delegated", 0.8, 0.81),
    ],
)
def test_a_goal_is_met_or_missed(name: str, met: float, missed: float) -> None:
    assert verdict_of(REPORT, **{name: met}) == "met"
    assert verdict_of(REPORT, **{name: missed}) == "missed"


@pytest.mark.parametrize("name", ["min_sqnr_db", "max_top1_drop", "max_p95_ms", "min_delegated"])
def test_what_was_not_measured_is_not_judged(name: str) -> None:
    (goal,) = judge_goals(BARE, Limits(**{name: 0.5}))
    assert (goal.verdict, goal.value) == ("not judged", None)
    assert goal.reason


def test_a_doubtful_latency_can_say_yes_but_not_no() -> None:
    noisy = replace(REPORT, latency=gallery.latency(10.0, doubts=("a neighbour",)))
    assert verdict_of(noisy, max_p95_ms=1000) == "met"
    (goal,) = judge_goals(noisy, Limits(max_p95_ms=0.001))
    assert goal.verdict == "not judged"
    assert "a neighbour" in goal.reason


def test_the_outcome_is_the_worst_that_is_known() -> None:
    assert give_verdict(REPORT, Limits()).outcome == "passed"
    assert give_verdict(REPORT, Limits(min_sqnr_db=40)).exit_code == 0
    missed = give_verdict(REPORT, Limits(min_sqnr_db=60, max_p95_ms=1000))
    assert (missed.outcome, missed.exit_code, missed.reason) == ("failed", 1, "min_sqnr_db is 50, not 60")
    unjudged = give_verdict(replace(REPORT, latency=None), Limits(max_p95_ms=5))
    assert (unjudged.outcome, unjudged.exit_code) == ("converted", 3)
    both = give_verdict(replace(REPORT, latency=None), Limits(max_p95_ms=5, min_sqnr_db=60))
    assert (both.outcome, both.exit_code) == ("failed", 1)


def test_what_failed_before_a_goal_was_looked_at_stays_the_reason() -> None:
    crashed = replace(REPORT, status="failed", problem=Problem("convert", "EdgekitError", "the worker was killed"))
    found = give_verdict(crashed, Limits(min_sqnr_db=10))
    assert (found.outcome, found.exit_code, found.reason) == ("failed", 70, "convert: the worker was killed")


def test_a_precision_that_a_target_does_not_have_is_skipped() -> None:
    asked = replace(REPORT, status="failed", size_bytes=None, problem=Problem("import", "UsageError", "has no precision"))
    found = give_verdict(asked, Limits(min_sqnr_db=10))
    assert (found.outcome, found.exit_code, found.goals) == ("skipped", 3, ())
    option = replace(asked, problem=Problem("convert", "UsageError", "no such option"))
    assert give_verdict(option, Limits()).outcome == "failed"
