"""What a user sees first: help, lists, tables that are never cut, JSON that is nothing else."""

from __future__ import annotations

import subprocess
import sys

import pytest

from edgekit import __version__
from tests.e2e.conftest import Cli

COMMANDS = (
    "convert",
    "export",
    "verify",
    "profile",
    "benchmark",
    "predict",
    "merge",
    "init",
    "schema",
    "inspect",
    "models",
    "targets",
    "doctor",
    "train",
)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(cli: Cli, command: str) -> None:
    outcome = cli(command, "--help")
    assert outcome.code == 0
    assert outcome.stdout.startswith("Usage:")


def test_version(cli: Cli) -> None:
    assert cli("--version").stdout == f"edgekit {__version__}\n"


@pytest.mark.parametrize(
    ("source", "parameters"), [("v1", "4,231,976"), ("v2", "3,504,872"), ("v3_small", "2,542,856"), ("v3_large", "5,483,032")]
)
def test_inspect_counts_the_published_parameters_however_narrow_the_terminal(cli: Cli, source: str, parameters: str) -> None:
    outcome = cli("inspect", source, env={"COLUMNS": "40"})
    assert parameters in outcome.stdout
    assert "D_K^2 M D_F^2 + M N D_F^2" in outcome.stdout


def test_inspect_as_json(cli: Cli) -> None:
    found = cli("inspect", "mobilenet_v2_0.5_160", "--json").json
    assert found["spec"]["width"] == 0.5
    assert found["parameters"] == sum(layer["parameters"] for layer in found["layers"])
    assert found["layers"][0]["out_size"] == 80


@pytest.mark.parametrize("command", [["models"], ["targets"], ["doctor"]])
def test_json_is_all_there_is_on_stdout(cli: Cli, command: list[str]) -> None:
    assert cli(*command, "--json").json["schema_version"] == 1


def test_doctor_compares_tested_and_installed_versions(cli: Cli) -> None:
    found = cli("doctor", "--json").json
    assert {"package": "torch", "tested": "2.13.0", "installed": "2.13.0"} in found["versions"]
    assert found["targets"]["coreml"]["runs"] in ("reference", "native")


def test_a_closed_pipe_is_no_error() -> None:
    command = f"{sys.executable} -m edgekit inspect v3_large | head -n 1"
    done = subprocess.run(["/bin/bash", "-o", "pipefail", "-c", command], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
