"""Every command that the README and the documentation show is run, in order, from an empty folder, with the embedded model."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
PAGES = [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").rglob("*.md"))]
BLOCK = re.compile(r"(?P<before>[^\n]*)\n```console\n(?P<body>.*?)```", re.DOTALL)


def commands(page: Path) -> Iterator[str]:
    """The `$ ` lines of a page's console blocks, but for blocks that say why they are not executed."""
    for block in BLOCK.finditer(page.read_text("utf-8")):
        if "not executed" not in block["before"]:
            for line in block["body"].replace("\\\n", " ").splitlines():
                if line.startswith("$ "):
                    yield line.removeprefix("$ ")


PAGES_WITH_COMMANDS = [page for page in PAGES if list(commands(page))]


def test_there_is_something_to_run() -> None:
    assert REPOSITORY / "README.md" in PAGES_WITH_COMMANDS
    assert len(PAGES_WITH_COMMANDS) >= 3


@pytest.mark.parametrize("page", PAGES_WITH_COMMANDS, ids=lambda page: page.stem)
def test_commands_work(page: Path, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = os.environ | {"PATH": path, "EDGEKIT_CACHE": str(tmp_path_factory.mktemp("cache"))}
    for command in commands(page):
        done = subprocess.run(
            ["/bin/bash", "-ec", command], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    assert {path.name for path in tmp_path.iterdir()} <= {"out", "edgekit.toml", "edgekit.schema.json"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_links_lead_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text("utf-8")):
        assert (page.parent / link).exists(), link


def test_every_shown_flag_exists() -> None:
    """Flags in the reference are those of --help."""
    helps = {}
    for command in (
        "convert",
        "verify",
        "profile",
        "predict",
        "evaluate",
        "merge",
        "matrix",
        "cache rm",
        "cache verify",
        "init",
        "compare",
        "inspect",
        "models",
        "targets",
        "devices",
        "doctor",
    ):
        argv = [sys.executable, "-m", "edgekit", *command.split(), "--help"]
        helps[command] = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
    everything = " ".join(helps.values()) + " --seed --epochs --output --help --version"
    for line in (REPOSITORY / "docs" / "reference" / "commands.md").read_text("utf-8").splitlines():
        for flag in re.findall(r"`(--[a-z-]+)", line):
            assert flag in everything, shlex.quote(flag)
