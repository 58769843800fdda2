"""What an artifact is expected to cost is told once, whatever its own verdict."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edgekit.launcher import Launcher
from edgekit.matrix.cache import Cache
from edgekit.matrix.cell import Cell, Subject
from edgekit.matrix.count import Known
from edgekit.matrix.expectation import expect_costs
from edgekit.matrix.site import Local
from edgekit.mobilenet.overrides import Overrides
from edgekit.report import Problem, Report
from edgekit.target import RuntimeInfo
from tests import gallery

OFF = Problem("parity", "NegativeResult", "8.9 dB where 12 are the least")
CRASH = Problem("latency", "InternalError", "the worker died")
SUBJECT = Subject("net", "digits", Overrides(), None, None, None, None, 8, allow_overlap=False, resolution=None)


class StandIn(Launcher):
    """In place of a launcher: no worker, but what one would tell, and how often it was asked."""

    asked = 0
    told: Report

    def run(self, *arguments: Any, **others: Any) -> Report:
        """Tell it."""
        type(self).asked += 1
        return self.told


@pytest.mark.parametrize(
    ("own", "told", "asked"),
    [(None, None, 1), (OFF, OFF, 1), (None, CRASH, 3), (OFF, CRASH, 3)],
    ids=["passed", "failed its check", "profiling crashed", "both"],
)
def test_only_an_accident_is_tried_again(
    own: Problem | None, told: Problem | None, asked: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime = RuntimeInfo("reference", "1", "CPU", "float64", kind="reference")
    report = gallery.report("coreml", runtime=runtime, latency=None, operators=None, static_profile=None, problem=own)
    profile = None if told is CRASH else gallery.expectations()
    monkeypatch.setattr(StandIn, "told", replace(report, static_profile=profile, problem=told), raising=False)
    monkeypatch.setattr(StandIn, "asked", 0)
    known = [Known(Cell(SUBJECT, "coreml", "float32", {}), tmp_path, "key")]
    for _ in range(3):
        launcher = StandIn(lambda cell, stage: None)
        found = expect_costs({known[0].cell.name: report}, known, Cache(tmp_path), launcher, tmp_path, Local(launcher, 1))
        (said,) = found.values()
        assert (said.static_profile, said.problem) == (profile, own)  # its own verdict stays
    assert StandIn.asked == asked
