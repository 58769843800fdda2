"""Runs the command line as a user does: a process, its streams, its exit code."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

PLUGINS = Path(__file__).parents[1] / "plugins"


@dataclass(frozen=True)
class Outcome:
    """What a command said and how it ended."""

    code: int
    stdout: str
    stderr: str

    @property
    def json(self) -> Any:
        return json.loads(self.stdout)

    @property
    def reports(self) -> dict[str, Any]:
        """Report by artifact folder's name."""
        return {Path(row["folder"]).name: row["report"] for row in self.json["results"]}


Cli = Callable[..., Outcome]


def run_cli(*arguments: str | Path, env: dict[str, str] | None = None, cwd: Path | None = None) -> Outcome:
    """`edgekit ARGUMENTS...` in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "edgekit", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | (env or {}),
        cwd=cwd,
    )
    return Outcome(done.returncode, done.stdout, done.stderr)


def forked_below(pid: int) -> list[psutil.Process]:
    """Workers that prepare or convert, below a process: forked from its server, and leading sessions, unlike what they start."""
    workers = []
    for process in psutil.Process(pid).children(recursive=True):
        with suppress(psutil.NoSuchProcess, ProcessLookupError):  # it ended meanwhile
            parent = process.parent()
            if parent and "edgekit.forkserver" in parent.cmdline() and os.getsid(process.pid) == process.pid:
                workers.append(process)
    return workers


@pytest.fixture(scope="session")
def cli() -> Cli:
    return run_cli


@pytest.fixture(scope="session")
def fake_plugin(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Environment in which the fake target is an installed third party's distribution."""
    metadata = tmp_path_factory.mktemp("site") / "edgekit_fake-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: edgekit-fake\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text("[edgekit.targets]\nfake = edgekit_fake.target:FakeTarget\n")
    own = os.environ.get("PYTHONPATH")
    return {"PYTHONPATH": os.pathsep.join([str(metadata.parent), str(PLUGINS), *([own] if own else [])])}


@pytest.fixture(scope="session")
def all_targets(cli: Cli, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Outcome]:
    """The embedded model, every target, both precisions: made once for all tests that look at artifacts."""
    folder = tmp_path_factory.mktemp("all") / "out"
    outcome = cli("convert", "-t", "all", "-p", "float32", "-p", "float16", "-o", folder, "--json")
    return folder, outcome
