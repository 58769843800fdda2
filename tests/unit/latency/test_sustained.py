"""A run without pauses, from the times at which its inferences ended."""

from __future__ import annotations

from itertools import accumulate
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekit.latency import sustained
from edgekit.latency.noise import Activity
from edgekit.latency.sustained import MAX_WINDOWS, describe, sustain

MILLISECOND = 1_000_000


def ends(*samples_ms: float) -> list[int]:
    return [round(end * MILLISECOND) for end in accumulate(samples_ms, initial=1000.0)]


def test_a_steady_run_has_no_drift() -> None:
    run = describe(ends(*[10.0] * 1000))
    assert (run.seconds, run.inferences, run.per_second, run.drift) == (10.0, 1000, 100.0, 0.0)
    assert [window.p50_ms for window in run.windows] == [10.0] * 10


def test_a_device_that_gets_hot_drifts() -> None:
    run = describe(ends(*[10.0] * 500, *[15.0] * 500))
    assert run.drift == pytest.approx(0.5)
    assert run.windows[0].p50_ms == 10.0
    assert run.windows[-1].p50_ms == 15.0


def test_one_slow_inference_is_no_drift() -> None:
    assert describe(ends(*[10.0] * 999, 300.0)).drift < 30.0
    assert describe(ends(*[10.0] * 990, 60.0, *[10.0] * 20)).drift == 0.0


def test_a_run_of_one_slow_inference_is_described() -> None:
    run = describe(ends(5000.0))
    assert (run.inferences, run.drift, len(run.windows)) == (1, 0.0, 1)


@given(st.lists(st.floats(0.1, 5000.0), min_size=1, max_size=300))
def test_every_inference_is_in_one_window(samples_ms: list[float]) -> None:
    run = describe(ends(*samples_ms))
    assert sum(window.inferences for window in run.windows) == run.inferences == len(samples_ms)
    assert len(run.windows) <= MAX_WINDOWS
    assert all(window.p50_ms <= window.p95_ms * 1.000001 for window in run.windows)


def test_a_real_run_lasts_as_long_as_it_was_asked_to() -> None:
    calls: list[int] = []
    run = sustain(lambda: calls.append(1), 0.05)
    assert run.seconds >= 0.05
    assert run.inferences == len(calls)


def test_what_went_on_meanwhile_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """A neighbour who comes in the middle looks like heat."""
    monkeypatch.setattr(sustained, "Watch", lambda: SimpleNamespace(end=lambda: Activity(2.0, 0.0, 2)))
    assert sustain(lambda: None, 0.01).doubts == ("other processes kept 2.0 of 2 cores busy",)
