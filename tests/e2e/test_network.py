"""Nothing phones home: converting, checking and profiling open no socket, in the parent or in any worker."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.conftest import Cli

# Raises at the attempt, and writes it down, in case somebody swallows the exception.
HOOK = """
import os, sys
def forbid(event, arguments):
    if event in ("socket.__new__", "socket.getaddrinfo", "socket.connect", "socket.gethostbyname"):
        with open(os.environ["SOCKETS_LOG"], "a") as log:
            log.write(f"{event} {arguments!r} in {sys.argv!r}\\n")
        raise RuntimeError(f"a socket was opened: {event}")
sys.addaudithook(forbid)
"""


@pytest.fixture
def forbidden(tmp_path: Path) -> dict[str, str]:
    (tmp_path / "hook").mkdir()
    (tmp_path / "hook" / "sitecustomize.py").write_text(HOOK)
    # Both are signs by which SDKs recognise automatic tests and send nothing: a user's shell has neither.
    return {"PYTHONPATH": str(tmp_path / "hook"), "SOCKETS_LOG": str(tmp_path / "sockets"), "CI": "", "PYTEST_CURRENT_TEST": ""}


def test_no_socket_is_opened(cli: Cli, forbidden: dict[str, str], tmp_path: Path) -> None:
    outcome = cli("convert", "-t", "all", "-o", tmp_path / "out", "--json", env=forbidden)
    assert outcome.code == 0, outcome.stderr
    log = Path(forbidden["SOCKETS_LOG"])
    assert not log.exists(), log.read_text()


def test_the_hook_would_notice(forbidden: dict[str, str]) -> None:
    """Negative control."""
    code = "import socket\ntry:\n    socket.create_connection(('192.0.2.1', 9))\nexcept Exception: pass"
    subprocess.run([sys.executable, "-c", code], env=os.environ | forbidden, check=True)
    assert Path(forbidden["SOCKETS_LOG"]).exists()
