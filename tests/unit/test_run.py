"""Launch after launch, on launches that are made up: what starts them is the only part that is replaced."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from edgekit import run
from edgekit.latency.comparison import ComparisonPlan, Launch


def test_artifacts_change_places_from_launch_to_launch_and_keep_their_times(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is loaded second is a hundredth faster: it leaves no trace in the ratio."""
    times_ms = {Path("old"): 8.0, Path("new"): 10.0}
    seen: list[tuple[Path, Path]] = []

    def interleave(places: tuple[Path, Path], work: Path, **more: Any) -> Launch:
        seen.append(places)
        first_ms, second_ms = (times_ms[place] for place in places)
        return Launch((first_ms,), (0.99 * second_ms,))

    monkeypatch.setattr(run, "interleave", interleave)
    monkeypatch.setattr(run, "artifact_folder", lambda path: path)
    (found,) = run.compare([Path("old"), Path("new")], num_threads=1, plan=ComparisonPlan())
    assert seen == [(Path("old"), Path("new")), (Path("new"), Path("old"))] * 4
    assert found.ratio == pytest.approx(1.25)
    assert (found.first, found.second, found.verdict) == ("old", "new", "slower")
