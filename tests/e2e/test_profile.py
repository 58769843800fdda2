"""`profile`: several thread counts, runs without a pause, artifacts in turns, and a machine that is not quiet."""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edgekit.document import read_json, record_files, write_json
from edgekit.machine import available_cores
from edgekit.manifest import Manifest
from edgekit.report import Report
from tests.e2e.conftest import Cli, Outcome

SHORT = ("--max-seconds", "0.2", "--warmup", "0.2", "-q")


@pytest.fixture(scope="module")
def artifacts(all_targets: tuple[Path, Outcome], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """An artifact and a copy of it: their reports are written anew."""
    folder = tmp_path_factory.mktemp("profile")
    first = shutil.copytree(all_targets[0] / "digits-onnx-float32", folder / "old")
    return first, shutil.copytree(first, folder / "new")


@pytest.fixture(scope="module")
def compared(artifacts: tuple[Path, Path], cli: Cli) -> Outcome:
    return cli("profile", *artifacts, "--compare", "--launches", "3", "--threads", "1", "--json", *SHORT)


def test_every_number_of_threads_has_a_row_and_a_distribution_of_its_own(artifacts: tuple[Path, Path], cli: Cli) -> None:
    counts = ("--threads", "1", "--threads", "2")
    outcome = cli("profile", artifacts[0], *counts, *SHORT)
    assert outcome.code == 0, outcome.stderr
    heading, first, second, *_ = outcome.stdout.splitlines()
    place = heading.index("threads")
    assert [row[place : place + len("threads")].strip() for row in (first, second)] == ["1", "2"]
    report: Report = read_json(artifacts[0] / "report.json", Report)
    assert report.latency
    assert [each.num_threads for each in (report.latency, *report.more_latencies)] == [1, 2]
    assert report.more_latencies[0].samples_ns != report.latency.samples_ns
    assert len(report.latency.affinity) == available_cores()


def test_one_thread_and_all_cores_unless_asked(artifacts: tuple[Path, Path], cli: Cli) -> None:
    report = cli("profile", artifacts[0], "--json", *SHORT).reports["old"]
    counts = [each["num_threads"] for each in (report["latency"], *report["more_latencies"])]
    assert counts == sorted({1, available_cores()})


def test_a_run_without_a_pause_tells_its_drift(artifacts: tuple[Path, Path], cli: Cli) -> None:
    outcome = cli("profile", artifacts[0], "--threads", "1", "--sustain", "1.5s", *SHORT)
    assert outcome.code == 0, outcome.stderr
    assert "old, 1 threads, 2 s without a pause: " in outcome.stdout
    assert "from the first tenth to the last" in outcome.stdout
    report: Report = read_json(artifacts[0] / "report.json", Report)
    assert report.latency
    assert report.latency.sustained
    assert report.latency.sustained.seconds >= 1.5


@pytest.mark.parametrize("wrong", ["a minute", "0s", "-5s", "s", "nan", "1e999"])
def test_a_time_that_is_none_is_refused(artifacts: tuple[Path, Path], cli: Cli, wrong: str) -> None:
    outcome = cli("profile", artifacts[0], "--sustain", wrong)
    assert outcome.code == 2
    assert "a time is given as 60s, 5m or 1h" in outcome.stderr


def test_two_artifacts_are_compared_in_turns(compared: Outcome) -> None:
    """What the verdict is depends on the machine; that it follows from the interval does not."""
    assert compared.code == 0, compared.stderr
    (found,) = compared.json["comparisons"]
    assert (found["first"], found["second"], found["num_threads"]) == ("old", "new", 1)
    assert len(found["launches"]) == 3
    assert all(len(launch[side]) == 10 for launch in found["launches"] for side in ("first_ms", "second_ms"))
    assert found["low"] <= found["ratio"] <= found["high"]
    assert found["verdict"] == ("faster" if found["high"] < 1 else "slower" if found["low"] > 1 else "unproven")


def test_a_comparison_needs_two(artifacts: tuple[Path, Path], cli: Cli) -> None:
    outcome = cli("profile", artifacts[0], "--compare")
    assert outcome.code == 2
    assert "--compare needs two artifacts or more" in outcome.stderr


def test_a_comparison_is_not_made_here_where_a_board_is_asked(artifacts: tuple[Path, Path], cli: Cli) -> None:
    outcome = cli("profile", *artifacts, "--compare", "--device", "ssh://kitchen", *SHORT)
    assert outcome.code == 2
    assert "--compare times artifacts in turns on this machine, and ssh://kitchen is another" in outcome.stderr
    assert outcome.stdout == ""


def test_an_artifact_that_does_not_run_ends_the_comparison_and_says_which(
    artifacts: tuple[Path, Path], cli: Cli, tmp_path: Path
) -> None:
    broken = shutil.copytree(artifacts[0], tmp_path / "broken")
    (broken / "model.onnx").write_bytes(b"no model")
    manifest: Manifest = read_json(broken / "manifest.json", Manifest)
    write_json(broken / "manifest.json", replace(manifest, files=record_files(broken, broken)[:0]))
    outcome = cli("profile", artifacts[0], broken, "--compare", "--threads", "1", *SHORT)
    assert outcome.code not in (0, 2), outcome.stdout
    assert "broken cannot be compared: " in outcome.stderr


def test_core_ml_is_not_timed_by_its_stand_in(artifacts: tuple[Path, Path], all_targets: tuple[Path, Outcome], cli: Cli) -> None:
    if sys.platform == "darwin":
        pytest.skip("Core ML itself runs here")
    package = shutil.copytree(all_targets[0] / "digits-coreml-float32", artifacts[0].parent / "coreml", dirs_exist_ok=True)
    outcome = cli("profile", artifacts[0], package, "--compare", "--threads", "1", *SHORT)
    assert outcome.code == 3
    assert "coreml cannot be compared: its latency would mean nothing" in outcome.stderr


@pytest.mark.parametrize("processor", ["Apple M2", ""])
def test_what_was_measured_where_core_ml_ran_stays(
    artifacts: tuple[Path, Path], all_targets: tuple[Path, Outcome], cli: Cli, processor: str
) -> None:
    """Copied here from a Mac with its report, or made on this machine as it was: it is no figure of this run."""
    if sys.platform == "darwin":
        pytest.skip("Core ML itself runs here")
    package = shutil.copytree(all_targets[0] / "digits-coreml-float32", artifacts[0].parent / f"of-{processor}")
    before: Report = read_json(package / "report.json", Report)
    there = replace(before.machine, system="Darwin-24.1", processor=processor) if processor else before.machine
    measured: Report = read_json(all_targets[0] / "digits-onnx-float32" / "report.json", Report)
    assert measured.latency
    one, two = (replace(measured.latency, machine=there, num_threads=number) for number in (1, 8))
    write_json(package / "report.json", replace(before, latency=one, more_latencies=(two,)))
    for _ in range(2):
        outcome = cli("profile", package, "--threads", "1", "--threads", "2", "--device", "iPhone 14 Pro", *SHORT)
        assert outcome.code == 0, outcome.stderr
        after: Report = read_json(package / "report.json", Report)
        assert (after.latency, after.more_latencies) == (one, (two,))
        (note,) = (note for note in after.notes if note.startswith("no latency measured"))
        assert f"an earlier run's on {there.processor}" in note
        assert note in outcome.stdout
        assert ("this machine" in outcome.stdout.partition("90% interval")[2]) == (there == before.machine)


def test_a_machine_made_busy_on_purpose_is_flagged(artifacts: tuple[Path, Path], cli: Cli) -> None:
    neighbours = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(available_cores())]
    try:
        outcome = cli("profile", artifacts[0], "--threads", "1", "--json", *SHORT)
    finally:
        for each in neighbours:
            each.kill()
            each.wait()
    latency: dict[str, Any] = outcome.reports["old"]["latency"]
    assert latency["other_cores"] > 0.2
    assert any("cores busy" in doubt for doubt in latency["doubts"])
