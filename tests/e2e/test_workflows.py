"""The workflow's scripts one after the other, as its jobs run them, on the embedded model and this machine alone.

GitHub's part (runners, artifacts, caches) is played by the test: it copies what one job uploads to where the next one downloads
it. The job on arm64 runs here on this machine's architecture; that on macOS cannot run, and leaves what it was given.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.workflow import ACTION, WORKFLOW, run_step, step_of

CONFIG = """
models = ["digits"]
targets = ["onnx", "coreml"]
precisions = ["float16"]
latency = {{ iterations = 20, max_seconds = 0.2, warmup = 0.2 }}
[goals]
max_size_mb = {max_size_mb}
"""


def prepare(folder: Path, max_size_mb: float = 2.0) -> Path:
    folder.mkdir()
    (folder / "edgekit.toml").write_text(CONFIG.format(max_size_mb=max_size_mb))
    return folder


def upload(job: Path, pattern: str, to: Path) -> None:
    for path in (job / "parts").glob(pattern):
        place = to / path.relative_to(job / "parts")
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, place)


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.mark.parametrize(("max_size_mb", "code"), [(2.0, 0), (0.1, 1)], ids=["goals are met", "a goal is missed"])
def test_from_the_list_to_the_verdict(tmp_path: Path, cache: Path, max_size_mb: float, code: int) -> None:
    listed = run_step(step_of(WORKFLOW, "List the models"), prepare(tmp_path / "list", max_size_mb), {}, CONFIG="edgekit.toml")
    (model,) = json.loads(listed.outputs["models"])
    linux = prepare(tmp_path / "linux", max_size_mb)
    values = {"matrix.model": model, "runner.temp": str(cache)}
    done = run_step(step_of(WORKFLOW, "Convert and check"), linux, values, CONFIG="edgekit.toml", GITHUB_STEP_SUMMARY="/none/x")
    assert done.code == 0, done.stderr  # also where a goal is missed: the last job judges
    verdict = tmp_path / "verdict"
    for name, targets, commands in (("arm64", "onnx openvino", "verify"), ("macos", "", "verify profile")):
        job = tmp_path / name
        shutil.copytree(linux / "parts", job / "downloaded")
        values = {"matrix.name": name, "matrix.targets": targets, "matrix.commands": commands}
        done = run_step(step_of(WORKFLOW, "Check the same files here"), job, values)
        assert done.code == 0, done.stderr
        for pattern in ("**/matrix.json", "**/report.json"):
            upload(job, pattern, verdict / "parts")
    shutil.copytree(linux / "parts", verdict / "parts", dirs_exist_ok=True)
    summary = tmp_path / "summary.md"
    both = {"needs.linux.result": "success", "needs.elsewhere.result": "success"}
    done = run_step(step_of(WORKFLOW, "Put the verdicts together"), verdict, both, GITHUB_STEP_SUMMARY=str(summary))
    assert done.code == code, done.stderr
    assert "digits" in summary.read_text()
    matrix = json.loads((verdict / "out" / "matrix.json").read_text())
    assert {cell["name"]: cell["exit_code"] for cell in matrix["cells"]} == {
        "digits-onnx-float16": code,
        "digits-coreml-float16": code,
    }
    assert (verdict / "out" / "digits-onnx-float16" / "model.onnx").is_file()
    shutil.rmtree(verdict / "out")
    failed = both | {"needs.elsewhere.result": "failure"}
    done = run_step(step_of(WORKFLOW, "Put the verdicts together"), verdict, failed, GITHUB_STEP_SUMMARY=str(summary))
    assert done.code == (code or 70)


def test_no_matrix_is_no_success(tmp_path: Path) -> None:
    values = {"needs.linux.result": "failure", "needs.elsewhere.result": "failure"}
    assert run_step(step_of(WORKFLOW, "Put the verdicts together"), tmp_path, values).code == 70


def test_the_action_runs_the_matrix(tmp_path: Path, cache: Path) -> None:
    prepare(tmp_path / "repo", 0.1)
    values = {
        "inputs.config": "edgekit.toml",
        "inputs.output": "some out",
        "inputs.arguments": "--only\n*-onnx-*\n--quiet\n",
        "runner.temp": str(cache),
    }
    done = run_step(step_of(ACTION, "Convert, check, judge"), tmp_path / "repo", values)
    assert done.code == 0, done.stderr
    assert done.outputs == {
        "exit-code": "1",
        "matrix-json": "some out/matrix.json",
        "report": "some out/report.html",
    }
    cells = json.loads((tmp_path / "repo" / "some out" / "matrix.json").read_text())["cells"]
    assert {cell["name"]: cell["outcome"] for cell in cells} == {
        "digits-onnx-float16": "failed",
        "digits-coreml-float16": "skipped",
    }
