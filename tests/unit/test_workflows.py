"""The workflow and the action for users: valid, pinned, careful with rights and with what others wrote. None ran on GitHub."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.workflow import ACTION, EXPRESSION, REPOSITORY, WORKFLOW, jobs_of, read_yaml, run_step, step_of, steps_of

GITLAB = REPOSITORY / "docs" / "how-to" / "use-in-gitlab.md"
BOTH = (ACTION, WORKFLOW)
BLOCK = re.compile(r"```yaml\n(.*?)```", re.DOTALL)
PINNED = re.compile(r"[\w.-]+/[\w./-]+@v\d+(\.\d+\.\d+)?")


def is_valid(schema: str, path: Path) -> bool:
    """Ask check-jsonschema, with the schema that it carries."""
    argv = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", schema, str(path)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1), done.stderr
    return done.returncode == 0


@pytest.mark.parametrize(
    ("schema", "path", "right", "wrong"),
    [
        ("vendor.github-workflows", WORKFLOW, "runs-on:", "run-on:"),
        ("custom.github-workflows-require-timeout", WORKFLOW, "timeout-minutes: 120", "# no limit"),
        ("vendor.github-actions", ACTION, "using: composite", "using: compost"),
    ],
)
def test_it_is_valid_by_the_published_schema(schema: str, path: Path, right: str, wrong: str, tmp_path: Path) -> None:
    assert is_valid(schema, path)
    broken = tmp_path / path.name
    broken.write_text(path.read_text().replace(right, wrong))
    assert broken.read_text() != path.read_text()
    assert not is_valid(schema, broken)


def test_the_how_to_for_gitlab_is_valid_by_the_published_schema(tmp_path: Path) -> None:
    blocks = BLOCK.findall(GITLAB.read_text())
    assert blocks
    for number, block in enumerate(blocks):
        path = tmp_path / f"{number}.yml"
        path.write_text(block)
        assert is_valid("vendor.gitlab-ci", path), block
        broken = tmp_path / f"{number}-broken.yml"
        broken.write_text(block.replace("script:", "scripts: 3\n  scirpt:"))
        assert broken.read_text() != block
        assert not is_valid("vendor.gitlab-ci", broken)


def test_the_workflows_in_the_how_to_for_github_are_valid_by_the_published_schema(tmp_path: Path) -> None:
    blocks = BLOCK.findall((REPOSITORY / "docs" / "how-to" / "use-in-github.md").read_text())
    assert blocks
    for number, block in enumerate(blocks):
        path = tmp_path / f"{number}.yml"
        path.write_text(block)
        assert is_valid("vendor.github-workflows", path), block
        used = [step["uses"] for steps in jobs_of(path).values() for step in steps if "uses" in step]
        assert all(PINNED.fullmatch(use) or use == "OWNER/edgekit@REF" for use in used), used


@pytest.mark.parametrize("path", BOTH, ids=lambda path: path.stem)
def test_others_actions_are_pinned_by_version(path: Path) -> None:
    used = [step["uses"] for steps in jobs_of(path).values() for step in steps if "uses" in step]
    assert used
    assert all(use == "./" or PINNED.fullmatch(use) for use in used), used
    assert not PINNED.fullmatch("actions/checkout@main")


@pytest.mark.parametrize("path", BOTH, ids=lambda path: path.stem)
def test_no_expression_is_put_into_a_script(path: Path) -> None:
    """A model's or a branch's name would be run as part of it. What a script needs comes in its environment."""
    assert steps_of(path)
    for step in steps_of(path):
        assert not EXPRESSION.search(step.script), step.name
    assert EXPRESSION.search("echo ${{ github.head_ref }}")  # the control


@pytest.mark.parametrize("path", BOTH, ids=lambda path: path.stem)
def test_bash_can_read_every_script(path: Path) -> None:
    for step in steps_of(path):
        done = subprocess.run(["/bin/bash", "-n", "-c", step.script], capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{step.name}: {done.stderr}"
    assert subprocess.run(["/bin/bash", "-n", "-c", "if true"], capture_output=True, check=False).returncode != 0


def test_the_workflow_may_read_and_no_more() -> None:
    content = read_yaml(WORKFLOW)
    assert content["permissions"] == {"contents": "read"}
    assert not any("permissions" in job for job in content["jobs"].values())
    assert content["concurrency"]["cancel-in-progress"] is True
    for steps in jobs_of(WORKFLOW).values():
        checkouts = [step for step in steps if step.get("uses", "").startswith("actions/checkout@")]
        assert all(step["with"]["persist-credentials"] is False for step in checkouts)


def test_the_workflow_gives_the_action_what_it_takes() -> None:
    inputs = read_yaml(ACTION)["inputs"]
    given = [step["with"] for steps in jobs_of(WORKFLOW).values() for step in steps if step.get("uses") == "./"]
    assert len(given) == len(jobs_of(WORKFLOW))
    assert all(set(each) <= set(inputs) for each in given)
    outputs = {value["value"] for value in read_yaml(ACTION)["outputs"].values()}
    assert outputs == {f"${{{{ steps.run.outputs.{name} }}}}" for name in ("exit-code", "matrix-json", "report")}


def install(tmp_path: Path, targets: str, version: str = "") -> tuple[int, list[str]]:
    """Run the action's installation with a stand-in for Python that only tells what it was asked."""
    stand_in = tmp_path / "bin"
    stand_in.mkdir(exist_ok=True)
    (stand_in / "python").write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    (stand_in / "python").chmod(0o755)
    values = {
        "github.action_path": str(REPOSITORY),
        "inputs.targets": targets,
        "inputs.version": version,
        "inputs.pip-extra-index-url": "",
    }
    done = run_step(step_of(ACTION, "Install edgekit"), tmp_path, values, first_on_path=stand_in)
    return done.code, done.stdout.splitlines()


def test_the_action_installs_its_own_copy_at_the_tested_versions(tmp_path: Path) -> None:
    code, asked = install(tmp_path, "onnx \n coreml")
    assert code == 0
    assert asked[:3] == ["-m", "pip", "install"]
    assert Path(asked[asked.index("--constraint") + 1]) == REPOSITORY / "edgekit" / "constraints.txt"
    folders = [Path(each) for each in asked[-3:]]
    assert folders == [REPOSITORY, REPOSITORY / "targets" / "onnx", REPOSITORY / "targets" / "coreml"]
    assert all((folder / "pyproject.toml").is_file() for folder in folders)


def test_the_action_installs_a_version_that_is_asked_for(tmp_path: Path) -> None:
    code, asked = install(tmp_path, "onnx", "0.1.0; rm -rf /")
    assert code == 0
    assert asked[-2:] == ["edgekit==0.1.0; rm -rf /", "edgekit-onnx==0.1.0; rm -rf /"]  # one argument, and pip's to refuse


@pytest.mark.parametrize("targets", ["tflite", "../../etc", "onnx;ls", "onnx\ntflite"])
def test_the_action_knows_its_targets(targets: str, tmp_path: Path) -> None:
    code, told = install(tmp_path, targets)
    assert code == 2
    assert "::error" in told[0]


def test_the_verdict_is_edgekits_exit_code(tmp_path: Path) -> None:
    for given, code in (("0", 0), ("1", 1), ("3", 3), ("", 70)):
        assert run_step(step_of(ACTION, "Verdict"), tmp_path, {"steps.run.outputs.exit-code": given}).code == code


def test_the_jobs_come_from_the_list_of_cells(tmp_path: Path) -> None:
    (tmp_path / "edgekit.toml").write_text(
        'targets = ["onnx", "openvino"]\nprecisions = ["float32", "float16"]\n'
        '[[models]]\nmodel = "digits"\n[[models]]\nmodel = "digits"\nname = "small"\nresolutions = [48, 64]\n'
    )
    done = run_step(step_of(WORKFLOW, "List the models"), tmp_path, {}, CONFIG="edgekit.toml")
    assert done.code == 0, done.stderr
    assert json.loads(done.outputs["models"]) == ["digits", "small-48px", "small-64px"]
    done = run_step(step_of(WORKFLOW, "List the models"), tmp_path, {}, CONFIG="none.toml")
    assert done.code == 5


def test_the_repository_has_the_file_that_its_workflow_reads(tmp_path: Path) -> None:
    place = REPOSITORY / ".github" / "edgekit.toml"
    assert str(place.relative_to(REPOSITORY)) in read_yaml(WORKFLOW)["env"]["CONFIG"]
    done = run_step(step_of(WORKFLOW, "List the models"), tmp_path, {}, CONFIG=str(place))
    assert json.loads(done.outputs["models"]) == ["digits"]
