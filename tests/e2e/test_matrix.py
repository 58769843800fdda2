"""`edgekit matrix` as a user runs it: every cell's outcome, nothing twice, and what happens when something goes wrong."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.conftest import Cli, Outcome
from tests.e2e.matrices import artifacts, read_matrix, write_config

GOALS = """
calibration = "digits"
evaluation = "digits"
[goals]
min_sqnr_db = 30
max_top1_drop = 5
[goals.onnx]
max_size_mb = 0.5
[goals.fake]
min_delegated = 0.5
"""


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory, fake_plugin: dict[str, str]) -> dict[str, str]:
    """With the fake target, and a cache of this file's own."""
    return fake_plugin | {"EDGEKIT_CACHE": str(tmp_path_factory.mktemp("cache"))}


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory, environment: dict[str, str], cli: Cli) -> tuple[Path, Outcome]:
    """A matrix with goals that are met, missed, and not to be judged; its folder."""
    folder = tmp_path_factory.mktemp("matrix")
    config = write_config(folder, targets=["onnx", "fake"], precisions=["float32", "int8"], more=GOALS)
    return folder, cli("matrix", "-c", config, env=environment)


def outcomes(folder: Path) -> dict[str, tuple[str, str]]:
    """Outcome and reason by cell."""
    return {cell["name"]: (cell["outcome"], cell["reason"]) for cell in read_matrix(folder / "out")["cells"]}


def test_every_cell_ends_with_an_outcome_and_a_reason(first: tuple[Path, Outcome]) -> None:
    folder, outcome = first
    found = outcomes(folder)
    assert found["digits-onnx-int8"] == ("passed", "")
    assert found["digits-onnx-float32"][0] == "failed"
    assert found["digits-onnx-float32"][1].startswith("max_size_mb is 1.0")
    assert found["digits-fake-float32"][0] == "converted"
    assert "min_delegated not judged" in found["digits-fake-float32"][1]
    assert found["digits-fake-int8"][0] == "skipped"
    assert "no precision 'int8'" in found["digits-fake-int8"][1]
    assert outcome.code == 1
    for word in ("passed", "failed", "not verified", "skipped"):
        assert word in outcome.stdout


def test_the_output_has_artifacts_and_reports(first: tuple[Path, Outcome], cli: Cli) -> None:
    out = first[0] / "out"
    assert {path.name for path in out.iterdir() if path.is_file()} == {"matrix.json", "report.html", "junit.xml", "matrix.md"}
    assert (out / "digits-onnx-int8" / "evaluation.json").is_file()
    assert cli("verify", out / "digits-onnx-int8", "-q").code == 0
    cell = next(cell for cell in read_matrix(out)["cells"] if cell["name"] == "digits-onnx-int8")
    assert cell["report"]["accuracy"]["count"] == 180
    assert cell["report"]["latency"]["p50_ms"] > 0
    assert {goal["name"]: goal["verdict"] for goal in cell["goals"]} == {
        "min_sqnr_db": "met",
        "max_top1_drop": "met",
        "max_size_mb": "met",
    }


def test_a_second_run_makes_nothing(first: tuple[Path, Outcome], environment: dict[str, str], cli: Cli) -> None:
    folder, outcome = first
    before = artifacts(folder / "out")
    again = cli("matrix", "-c", folder / "edgekit.toml", env=environment)
    assert again.code == outcome.code
    assert ": import" in outcome.stderr
    assert ": import" not in again.stderr  # no worker was started
    assert all(cell["is_reused"] for cell in read_matrix(folder / "out")["cells"])
    assert artifacts(folder / "out") == before


def test_a_deleted_artifact_comes_back_without_a_conversion(
    first: tuple[Path, Outcome], environment: dict[str, str], cli: Cli
) -> None:
    folder = first[0]
    before = artifacts(folder / "out")
    shutil.rmtree(folder / "out")
    again = cli("matrix", "-c", folder / "edgekit.toml", env=environment)
    assert ": import" not in again.stderr
    assert artifacts(folder / "out") == before


def test_other_goals_are_judged_on_the_same_artifacts(
    first: tuple[Path, Outcome], environment: dict[str, str], cli: Cli, tmp_path: Path
) -> None:
    goals = GOALS.partition("[goals.fake]")[0].replace("max_size_mb = 0.5", "max_size_mb = 9")
    config = write_config(tmp_path, targets=["onnx"], precisions=["float32", "int8"], more=goals)
    again = cli("matrix", "-c", config, "--json", env=environment)
    assert again.code == 0, again.stderr
    assert ": import" not in again.stderr


def test_a_changed_model_is_converted_alone(environment: dict[str, str], cli: Cli, tmp_path: Path) -> None:
    shipped = Path(__file__).parents[2] / "edgekit" / "digits" / "model.safetensors"
    for name in ("one", "two"):
        shutil.copy(shipped, tmp_path / f"{name}.safetensors")
    config = write_config(tmp_path, targets=["fake"], models=["one.safetensors", "two.safetensors"])
    assert cli("matrix", "-c", config, "-q", env=environment).code == 0
    content = bytearray(shipped.read_bytes())
    content[-1] ^= 1  # the last bit of a weight
    (tmp_path / "two.safetensors").write_bytes(content)
    again = cli("matrix", "-c", config, "--json", env=environment)
    cells = {cell["name"]: cell["is_reused"] for cell in again.json["matrix"]["cells"]}
    assert cells == {"one-fake-float32": True, "two-fake-float32": False}
    assert "one" not in {line.partition("-")[0] for line in again.stderr.splitlines() if ": convert" in line}


def test_rebuild_makes_all_again(environment: dict[str, str], cli: Cli, tmp_path: Path) -> None:
    config = write_config(tmp_path, targets=["fake"], more='evaluation = "digits"')
    assert cli("matrix", "-c", config, "-q", env=environment).code == 0
    again = cli("matrix", "-c", config, "--rebuild", env=environment)
    for stage in ("convert", "evaluate", "latency"):
        assert f"digits-fake-float32: {stage}" in again.stderr


@pytest.mark.parametrize(
    ("misbehaviour", "told"),
    [
        ("segfault", "was killed by SIGSEGV during: convert"),
        ("exit", "ended with exit code 3 during: convert"),
        ("raise", "the SDK is not in the mood"),
        ("full", "No space left on device"),
    ],
)
def test_what_befalls_a_worker_fails_its_cell_alone(
    misbehaviour: str, told: str, environment: dict[str, str], cli: Cli, tmp_path: Path
) -> None:
    config = write_config(tmp_path, targets=["fake", "onnx"], options={"fake": {"misbehave": misbehaviour}})
    outcome = cli("matrix", "-c", config, env=environment)
    found = outcomes(tmp_path)
    assert found["digits-fake-float32"][0] == "failed"
    assert told in found["digits-fake-float32"][1]
    assert found["digits-onnx-float32"][0] == "passed"
    assert outcome.code == 70
    assert not (tmp_path / "out" / "digits-fake-float32" / "manifest.json").exists()
    again = cli("matrix", "-c", config, env=environment)
    assert "digits-fake-float32: convert" in again.stderr  # an accident is not remembered


def test_a_worker_that_takes_too_long_is_ended(environment: dict[str, str], cli: Cli, tmp_path: Path) -> None:
    config = write_config(tmp_path, targets=["fake"], options={"fake": {"misbehave": "endless"}})
    outcome = cli("matrix", "-c", config, "--timeout", "30s", "-q", env=environment)
    assert outcome.code == 70
    assert "took longer than the 30 s of --timeout during: convert" in outcome.stdout


def test_what_cannot_be_timed_here_says_where_it_is_expected_to_run(
    environment: dict[str, str], cli: Cli, tmp_path: Path
) -> None:
    config = write_config(tmp_path, targets=["coreml"])
    assert cli("matrix", "-c", config, "-q", env=environment).code == 0
    (cell,) = read_matrix(tmp_path / "out")["cells"]
    if cell["report"]["runtime"]["kind"] == "reference":  # not on a Mac
        assert cell["report"]["static_profile"]["macs"] > 0
        assert cell["report"]["latency"] is None
    again = cli("matrix", "-c", config, env=environment)
    assert ": import" not in again.stderr


def test_fail_fast_begins_nothing_more(environment: dict[str, str], cli: Cli, tmp_path: Path) -> None:
    config = write_config(tmp_path, targets=["fake", "onnx"], options={"fake": {"misbehave": "raise"}})
    cli("matrix", "-c", config, "--fail-fast", "--jobs", "1", "--rebuild", "-q", env=environment)
    assert outcomes(tmp_path)["digits-onnx-float32"] == ("skipped", "start: --fail-fast: not begun, for another cell had failed")


def test_only_and_skip_say_what_they_left_out(environment: dict[str, str], cli: Cli, tmp_path: Path) -> None:
    config = write_config(tmp_path, targets=["fake", "onnx"])
    outcome = cli("matrix", "-c", config, "--only", "target=fake", "-q", env=environment)
    assert outcome.code == 0
    assert outcomes(tmp_path)["digits-onnx-float32"] == ("skipped", "--only target=fake")
    none = cli("matrix", "-c", config, "--skip", "target=tflite", env=environment)
    assert none.code == 2
    assert "matches no cell" in none.stderr


def test_list_runs_nothing(cli: Cli, tmp_path: Path) -> None:
    config = write_config(tmp_path, targets=["onnx", "coreml"], precisions=["float32", "float16"])
    outcome = cli("matrix", "-c", config, "--list", "--json", "--skip", "target=coreml")
    assert outcome.json == {
        "schema_version": 1,
        "cells": [
            {"name": f"digits-onnx-{precision}", "model": "digits", "resolution": None, "target": "onnx", "precision": precision}
            for precision in ("float32", "float16")
        ],
    }
    assert not (tmp_path / "out").exists()


def test_two_runs_on_one_folder_do_not_hurt_each_other(environment: dict[str, str], cli: Cli, tmp_path: Path) -> None:
    config = write_config(tmp_path, targets=["fake"], options={"fake": {"misbehave": "slow"}})
    outcomes_: list[Outcome] = []
    threads = [threading.Thread(target=lambda: outcomes_.append(cli("matrix", "-c", config, env=environment))) for _ in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [outcome.code for outcome in outcomes_] == [0, 0]
    assert sum("digits-fake-float32: convert" in outcome.stderr for outcome in outcomes_) == 1
    assert cli("verify", tmp_path / "out" / "digits-fake-float32", "-q", env=environment).code == 0
    assert not [path for path in (tmp_path / "out").iterdir() if path.name.startswith(".")]


def test_a_cancelled_run_leaves_nothing_behind(environment: dict[str, str], tmp_path: Path) -> None:
    """SIGTERM, which a CI sends, is handled as Ctrl-C is; a test that runs in the background would not get the latter."""
    config = write_config(tmp_path, targets=["fake"], options={"fake": {"misbehave": "endless"}})
    command = [sys.executable, "-m", "edgekit", "matrix", "-c", str(config)]
    with subprocess.Popen(command, env=os.environ | environment, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr
        for line in process.stderr:
            if line.startswith("digits-fake-float32: convert"):
                break
        time.sleep(0.5)
        process.send_signal(signal.SIGTERM)
        rest = process.stderr.read()
        assert process.wait(60) == 130, rest
    assert "interrupted" in rest
    assert not (tmp_path / "out").exists()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 300 kB. Making one takes root's rights."""
    place = tmp_path / "small"
    place.mkdir()
    mount, umount = shutil.which("mount"), shutil.which("umount")
    if not mount or not umount:
        pytest.skip("this system mounts in another way")
    options = ["-t", "tmpfs", "-o", "size=300k", "tmpfs"]
    if subprocess.run([mount, *options, str(place)], capture_output=True, check=False).returncode:
        pytest.skip("no file system may be mounted here")
    yield place
    subprocess.run([umount, str(place)], check=True)


@pytest.mark.parametrize("full", ["cache", "out"])
def test_a_full_disk_is_an_error_and_no_truncated_artifact(
    full: str, small_disk: Path, environment: dict[str, str], cli: Cli, tmp_path: Path
) -> None:
    config = write_config(tmp_path, targets=["onnx"])
    cache = {"EDGEKIT_CACHE": str(small_disk / "cache")} if full == "cache" else {}
    output = small_disk / "out" if full == "out" else tmp_path / "out"
    outcome = cli("matrix", "-c", config, "-o", output, env=environment | cache)
    assert outcome.code in (5, 70), outcome.stdout
    logs = [path.read_text() for path in tmp_path.rglob("log.txt")]  # of a worker that could not even write its report
    assert any("No space left on device" in text for text in (outcome.stdout, outcome.stderr, *logs))
    assert not list(output.glob("*/manifest.json"))
    assert not list(output.glob(".edgekit*"))


def test_a_model_that_is_not_there_fails_its_cells_alone(environment: dict[str, str], cli: Cli, tmp_path: Path) -> None:
    config = write_config(tmp_path, targets=["fake"], models=["digits", "nothing.pth"])
    outcome = cli("matrix", "-c", config, "-q", env=environment)
    assert outcome.code == 5
    assert outcomes(tmp_path)["digits-fake-float32"][0] == "passed"
    assert "no such model" in outcomes(tmp_path)["nothing-fake-float32"][1]


def test_the_cache_is_listed_checked_and_emptied(first: tuple[Path, Outcome], environment: dict[str, str], cli: Cli) -> None:
    rows = cli("cache", "ls", "--json", env=environment).json["entries"]
    assert {"artifact", "preparation", "accuracy", "latency"} <= {row["kind"] for row in rows}
    assert cli("cache", "verify", env=environment).code == 0
    onnx = next(row for row in rows if row["kind"] == "artifact" and row["name"] == "digits-onnx-int8")
    broken = Path(environment["EDGEKIT_CACHE"]) / "entries" / onnx["key"] / "content" / "manifest.json"
    broken.write_text(json.dumps(json.loads(broken.read_text()) | {"target": "other"}))
    verified = cli("cache", "verify", env=environment)
    assert verified.code == 1
    assert "manifest.json of digits-onnx-int8 is not what was written" in verified.stdout
    assert cli("cache", "verify", "--remove", env=environment).code == 0
    assert cli("cache", "rm", "digits-fake-float32", env=environment).code == 0
    assert cli("cache", "rm", "nothing-like-it", env=environment).code == 2
    assert "digits-fake-float32" not in cli("cache", "ls", env=environment).stdout
    assert cli("cache", "rm", env=environment).code == 2
    assert cli("cache", "rm", "--all", env=environment).code == 0
    assert cli("cache", "ls", "--json", env=environment).json["entries"] == []
