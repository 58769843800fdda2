"""What makes a figure doubtful: its samples, and the machine."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Collection
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekit.latency import noise
from edgekit.latency.noise import BUSY, Activity, Ticks, Watch, find_doubts, read_ticks
from edgekit.machine import available_cores


def test_a_quiet_series_is_not_doubted() -> None:
    assert find_doubts([100, 101, 102, 103] * 10) == ()


def test_outliers_alone_are_no_doubt() -> None:
    """A few slow inferences show in p99; the median can still be trusted."""
    assert find_doubts([100] * 45 + [900] * 5 + [100] * 50) == ()


def test_a_noisy_series_is_doubted() -> None:
    assert find_doubts([100, 150] * 20) == ("the middle half of the samples spreads over 40% of the median",)


@pytest.mark.parametrize(("first", "second", "shown"), [(100, 130, "+30%"), (200, 150, "-25%")])
def test_a_drifting_series_is_doubted(first: int, second: int, shown: str) -> None:
    doubts = find_doubts([first] * 20 + [second] * 20)
    assert f"the second half of the samples is {shown} off the first" in doubts


@given(st.lists(st.integers(1000, 1100), min_size=20, max_size=60))
def test_samples_within_a_tenth_are_never_doubted(samples: list[int]) -> None:
    assert max(samples) / min(samples) <= 1.1
    assert find_doubts(samples) == ()


@given(st.lists(st.integers(1, 10**6), min_size=20, max_size=60), st.integers(2, 1000))
def test_doubts_do_not_depend_on_the_unit(samples: list[int], factor: int) -> None:
    assert len(find_doubts(samples)) == len(find_doubts([value * factor for value in samples]))


STAT = """cpu  150 5 30 1500 20 3 2 40 7 0
cpu0 50 2 15 500 10 1 1 20 3 0
cpu1 50 3 15 500 10 2 1 20 4 0
cpu10 50 0 0 500 0 0 0 0 0 0
intr 4030 0 11
"""


@pytest.mark.parametrize(
    ("cores", "ticks"),
    [({0, 1}, Ticks(140, 40, 1200)), ({10}, Ticks(50, 0, 550)), ({0, 99}, None), ({99}, None), ((), None)],
)
def test_the_kernels_count_is_read_as_proc_5_has_it(tmp_path: Path, cores: Collection[int], ticks: Ticks | None) -> None:
    """Of the cores that are asked for, as after `taskset`: what is done on others takes none of our time."""
    (tmp_path / "stat").write_text(STAT)
    assert read_ticks(cores, tmp_path / "stat") == ticks


@pytest.mark.parametrize("content", ["", "cpu0\n", "cpu0 a b c d e f g h\n", "cpu0 1 2 3\n", "cpu 1 2 3 4 5 6 7 8\n"])
def test_another_form_is_not_guessed_at(tmp_path: Path, content: str) -> None:
    (tmp_path / "stat").write_text(content)
    assert read_ticks({0}, tmp_path / "stat") is None


def test_a_system_without_the_count_says_nothing(tmp_path: Path) -> None:
    assert read_ticks({0}, tmp_path / "none") is None


@pytest.mark.parametrize(("part", "doubted"), [(0.0, False), (0.9 * BUSY, False), (1.1 * BUSY, True), (1.0, True)])
def test_a_tenth_of_the_cores_is_left_to_others(part: float, doubted: bool) -> None:
    assert bool(Activity(part * 4, 0.0, 4).doubts) == doubted


def test_time_that_a_hypervisor_took_is_named() -> None:
    assert Activity(0.0, 0.3, 4).doubts == ("30% of this virtual machine's time went to others",)


def test_a_neighbour_made_busy_on_purpose_is_seen_and_our_own_work_is_not() -> None:
    """Real processes, as many as there are cores. Tests beside this one make it no less busy."""
    command = [sys.executable, "-c", "while True: pass"]
    neighbours = [subprocess.Popen(command) for _ in range(available_cores())]
    try:
        time.sleep(0.2)
        watch = Watch()
        seen = watch.end()
    finally:
        for each in neighbours:
            each.kill()
            each.wait()
    assert seen
    assert seen.other_cores > 0.5 * available_cores()
    assert seen.doubts


def test_our_own_work_is_not_a_neighbour(monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel's count and our own clock, both made up: half a second of ours in a second in which 0.6 s were busy.

    Meanwhile the process is bound to another core, as a runtime may do it.
    """
    own_s, now_s = iter([1.0, 1.5]), iter([10.0, 11.0, 11.0])
    clock = SimpleNamespace(process_time=own_s.__next__, monotonic=now_s.__next__, sleep=lambda seconds: None)
    ticks = {frozenset({2, 3}): iter([Ticks(0, 0, 0), Ticks(busy=60, stolen=0, total=200)])}
    monkeypatch.setattr(noise, "time", clock)
    monkeypatch.setattr(noise, "os", SimpleNamespace(sysconf=lambda name: 100))
    monkeypatch.setattr(noise, "affinity", iter([frozenset({2, 3}), frozenset({5})]).__next__)
    monkeypatch.setattr(noise, "read_ticks", lambda cores: next(ticks[cores]))
    seen = Watch().end()
    assert seen
    assert seen.other_cores == pytest.approx(0.1)
    assert seen.cores == 2
