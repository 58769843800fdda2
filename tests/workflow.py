"""Workflows and actions as data, and their shell parts run here. What GitHub's runner does around them is not here."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

REPOSITORY = Path(__file__).parents[1]
ACTION = REPOSITORY / "action.yml"
WORKFLOW = REPOSITORY / ".github" / "workflows" / "convert.yml"
EXPRESSION = re.compile(r"\$\{\{\s*(.*?)\s*\}\}")


@dataclass(frozen=True)
class Step:
    """A step that has a shell script."""

    job: str
    name: str
    script: str
    env: Mapping[str, str]


@dataclass(frozen=True)
class Done:
    """How a script ended, and what it wrote to $GITHUB_OUTPUT."""

    code: int
    stdout: str
    stderr: str
    outputs: Mapping[str, str]


def read_yaml(path: Path) -> dict[str, Any]:
    """Read YAML 1.2, in which `on` is a word."""
    found: dict[str, Any] = YAML(typ="safe").load(path.read_text())
    return found


def jobs_of(path: Path) -> dict[str, list[dict[str, Any]]]:
    """The steps by job; those of an action as one job."""
    content = read_yaml(path)
    if "runs" in content:
        return {"action": content["runs"]["steps"]}
    return {name: job["steps"] for name, job in content["jobs"].items()}


def steps_of(path: Path) -> list[Step]:
    """All steps that have a script."""
    return [
        Step(job, step.get("name", ""), step["run"], step.get("env", {}))
        for job, steps in jobs_of(path).items()
        for step in steps
        if "run" in step
    ]


def step_of(path: Path, name: str) -> Step:
    """The one step of a name."""
    (found,) = [step for step in steps_of(path) if step.name == name]
    return found


def run_step(step: Step, folder: Path, values: Mapping[str, str], *, first_on_path: Path | None = None, **env: str) -> Done:
    """Run a script as GitHub's runner runs `shell: bash`, from a folder.

    Args:
        step: whose script; its environment's expressions are looked up in `values`, and one that is missing there is an error.
        folder: the workspace.
        values: of expressions, by their text.
        first_on_path: a folder with programs that go before all others.
        env: more of the environment.
    """
    known = {name: EXPRESSION.sub(lambda found: values[found[1]], str(text)) for name, text in step.env.items()}
    output, temp = folder / ".github-output", folder / ".runner-temp"
    output.write_text("")
    temp.mkdir(exist_ok=True)
    places = [*([str(first_on_path)] if first_on_path else []), str(Path(sys.executable).parent), os.environ["PATH"]]
    runner = {"GITHUB_OUTPUT": str(output), "RUNNER_TEMP": str(temp), "PATH": os.pathsep.join(places)}
    done = subprocess.run(
        ["/bin/bash", "--noprofile", "--norc", "-e", "-o", "pipefail", "-c", step.script],
        cwd=folder,
        env=os.environ | runner | known | env,
        capture_output=True,
        text=True,
        check=False,
    )
    outputs = dict(line.split("=", 1) for line in output.read_text().splitlines())
    return Done(done.returncode, done.stdout, done.stderr, outputs)
