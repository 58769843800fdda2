"""A third party's plugin: found, converted with, and alone in its misfortune."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from edgekit.target import Target
from edgekit.testing import TargetContract
from tests.e2e.conftest import PLUGINS, Cli, forked_below

Environment = dict[str, str]


class TestFakeTarget(TargetContract):
    @pytest.fixture(scope="class")
    @classmethod
    def target(cls) -> Target:
        sys.path.append(str(PLUGINS))
        from edgekit_fake.target import FakeTarget  # type: ignore[import-not-found,unused-ignore]  # on the path since the line above

        target: Target = FakeTarget()
        return target


def test_it_is_listed_and_converts_like_ours(cli: Cli, fake_plugin: Environment, tmp_path: Path) -> None:
    assert "fake         edgekit-fake 1.0" in cli("targets", env=fake_plugin).stdout
    outcome = cli("convert", "-t", "fake", "-o", tmp_path, "--json", env=fake_plugin)
    assert outcome.code == 0, outcome.stderr
    assert outcome.reports["digits-fake-float32"]["latency"]["p50_ms"] > 0


@pytest.mark.parametrize(
    ("misbehave", "message"),
    [
        ("segfault", "killed by SIGSEGV during: convert"),
        ("exit", "exit code 3"),
        ("raise", "the SDK is not in the mood"),
        ("partial", "the disk is full"),
    ],
)
def test_a_crash_fails_alone(cli: Cli, fake_plugin: Environment, tmp_path: Path, misbehave: str, message: str) -> None:
    outcome = cli(
        "convert", "-t", "fake", "-t", "onnx", "-o", tmp_path, "--json", "--no-latency",
        "--option", f"fake.misbehave={misbehave}", env=fake_plugin,
    )  # fmt: skip
    assert outcome.code == 70
    reports = outcome.reports
    assert reports["digits-onnx-float32"]["status"] == "passed"
    assert reports["digits-fake-float32"]["status"] == "failed"
    assert message in reports["digits-fake-float32"]["problem"]["message"]
    left = {path.name for path in (tmp_path / "digits-fake-float32").iterdir()}
    assert left == {"report.json", "log.txt"}


@pytest.mark.parametrize(
    ("misbehave", "message"),
    [("constant", "does not depend on the input"), ("nan", "NaN"), ("shape", "shape")],
)
def test_wrong_answers_fail(cli: Cli, fake_plugin: Environment, tmp_path: Path, misbehave: str, message: str) -> None:
    outcome = cli(
        "convert", "-t", "fake", "-o", tmp_path, "--json", "--no-latency", "--option", f"misbehave={misbehave}", env=fake_plugin
    )
    assert outcome.code == 1
    report = outcome.reports["digits-fake-float32"]
    assert report["status"] == "failed"
    assert any(message in problem for problem in report["parity"]["outputs"][0]["problems"])
    assert (tmp_path / "digits-fake-float32" / "model.pt2").exists(), "a parity failure is a result: the artifact stays"


def test_what_an_sdk_prints_goes_to_the_log(cli: Cli, fake_plugin: Environment, tmp_path: Path) -> None:
    outcome = cli(
        "convert", "-t", "fake", "-o", tmp_path, "--json", "--no-latency", "--option", "misbehave=print", env=fake_plugin
    )
    assert outcome.code == 0
    log = (tmp_path / "digits-fake-float32" / "log.txt").read_text()
    assert "nonsense from C code" in log
    assert "nonsense from Python" in log


def test_a_plugin_that_cannot_be_imported_says_which(cli: Cli, fake_plugin: Environment, tmp_path: Path) -> None:
    without_code = {"PYTHONPATH": fake_plugin["PYTHONPATH"].split(":")[0]}
    outcome = cli("convert", "-t", "fake", "-o", tmp_path, "--json", env=without_code)
    assert outcome.code == 3
    assert "edgekit_fake.target" in outcome.reports["digits-fake-float32"]["problem"]["message"]


def test_a_worker_that_is_killed_while_it_waits_fails_alone(fake_plugin: Environment, tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "edgekit",
        "convert",
        "-t",
        "fake",
        "-t",
        "onnx",
        "-o",
        str(tmp_path),
        "--json",
        "--no-latency",
    ]
    environment = os.environ | fake_plugin
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stderr
        for line in process.stderr:
            if "fake" in line and "waiting for the program" in line:
                break
        for worker in forked_below(process.pid):
            if Path(f"/proc/{worker.pid}/fd/2").readlink().parent.name == "digits-fake-float32":  # its log
                worker.kill()
        stdout, _ = process.communicate(timeout=120)
    reports = {Path(row["folder"]).name: row["report"] for row in json.loads(stdout)["results"]}
    assert process.returncode == 70
    assert "SIGKILL" in reports["digits-fake-float32"]["problem"]["message"]
    assert reports["digits-onnx-float32"]["status"] == "passed"


def test_a_failure_does_not_take_an_artifacts_place(cli: Cli, fake_plugin: Environment, tmp_path: Path) -> None:
    assert cli("convert", "-t", "fake", "-o", tmp_path, "--no-latency", env=fake_plugin).code == 0
    outcome = cli(
        "convert", "-t", "fake", "-o", tmp_path, "--no-latency", "--force", "--option", "misbehave=raise", env=fake_plugin
    )
    assert outcome.code == 70
    assert (tmp_path / "digits-fake-float32" / "model.pt2").exists()
    assert (tmp_path / "digits-fake-float32.failed" / "report.json").exists()


def test_the_current_folder_is_not_searched_for_modules(tmp_path: Path) -> None:
    """A downloaded folder must not run its code because somebody verifies an artifact in it."""
    (tmp_path / "onnxruntime.py").write_text("open('executed', 'w')")
    done = subprocess.run(
        [str(Path(sys.executable).parent / "edgekit"), "convert", "-t", "onnx", "-o", "out", "--no-latency"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert not (tmp_path / "executed").exists()
