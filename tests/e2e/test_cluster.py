"""The matrix on a real Dask scheduler with real workers, on loopback; one of them is killed while it converts."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.e2e.conftest import Cli
from tests.e2e.matrices import read_matrix, write_config

pytest.importorskip("distributed", reason="the package distributed is an optional extra")


@pytest.fixture
def scheduler(tmp_path: Path) -> Iterator[str]:
    """A scheduler on a free port; its address."""
    file = tmp_path / "scheduler.json"
    command = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard"]
    process = subprocess.Popen([*command, "--scheduler-file", str(file)], stderr=subprocess.DEVNULL)
    try:
        yield _wait_for_address(file)
    finally:
        process.terminate()
        process.wait(30)


def _wait_for_address(file: Path) -> str:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if file.is_file() and (text := file.read_text()):
            return str(json.loads(text)["address"])
        time.sleep(0.1)
    raise TimeoutError("the scheduler did not start")


def start_worker(address: str, folder: Path, env: dict[str, str]) -> subprocess.Popen[bytes]:
    """`dask worker` as a user starts it, without the nanny: what is killed stays dead."""
    folder.mkdir()
    command = [sys.executable, "-m", "distributed.cli.dask_worker", address, "--nthreads", "1", "--no-nanny", "--no-dashboard"]
    with (folder / "log.txt").open("wb") as log:
        return subprocess.Popen([*command, "--local-directory", str(folder)], stderr=log, env=os.environ | env)


def converting(worker: subprocess.Popen[bytes]) -> bool:
    """Whether a cell is being converted below a Dask worker right now."""
    try:
        children = psutil.Process(worker.pid).children(recursive=True)
        return any("edgekit.worker" in child.cmdline() and "convert" in child.cmdline() for child in children)
    except psutil.NoSuchProcess:
        return False


def test_a_worker_killed_while_it_converts_costs_nothing_but_time(
    scheduler: str, tmp_path: Path, fake_plugin: dict[str, str]
) -> None:
    workers = [start_worker(scheduler, tmp_path / f"worker-{number}", fake_plugin) for number in (0, 1)]
    config = write_config(tmp_path, targets=["fake", "onnx"], precisions=["float32"], options={"fake": {"misbehave": "slow"}})
    run = subprocess.Popen(
        [sys.executable, "-m", "edgekit", "matrix", "-c", str(config), "--scheduler", scheduler, "-q"],
        env=os.environ | fake_plugin | {"EDGEKIT_CACHE": str(tmp_path / "cache")},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        deadline = time.monotonic() + 240
        busy = None
        while busy is None and time.monotonic() < deadline and run.poll() is None:
            busy = next((worker for worker in workers if converting(worker)), None)
            time.sleep(0.05)
        assert busy, run.communicate()
        busy.send_signal(signal.SIGKILL)
        busy.wait()
        stdout, stderr = run.communicate(timeout=400)
        assert run.returncode == 0, (stdout, stderr)
    finally:
        run.kill()
        for worker in workers:
            worker.kill()
            worker.wait()
    matrix = read_matrix(tmp_path / "out")
    assert {cell["outcome"] for cell in matrix["cells"]} == {"passed"}
    for cell in matrix["cells"]:
        assert (tmp_path / "out" / cell["name"] / "manifest.json").is_file()
        assert cell["report"]["latency"]["p50_ms"] > 0


def test_a_cluster_without_workers_is_said(scheduler: str, tmp_path: Path, cli: Cli) -> None:
    config = write_config(tmp_path, targets=["onnx"])
    outcome = cli("matrix", "-c", config, "--scheduler", scheduler, "-q", env={"EDGEKIT_CACHE": str(tmp_path / "cache")})
    assert outcome.code == 2
    assert "has no worker" in outcome.stderr


def test_a_worker_without_the_target_is_named(scheduler: str, tmp_path: Path, cli: Cli, fake_plugin: dict[str, str]) -> None:
    worker = start_worker(scheduler, tmp_path / "worker", {})
    try:
        config = write_config(tmp_path, targets=["fake"])
        cache = {"EDGEKIT_CACHE": str(tmp_path / "cache")}
        outcome = cli("matrix", "-c", config, "--scheduler", scheduler, "-q", env=fake_plugin | cache)
    finally:
        worker.kill()
        worker.wait()
    assert outcome.code == 3
    assert "has no fake" in outcome.stdout


def test_nobody_at_the_address_is_a_network_error(tmp_path: Path, cli: Cli) -> None:
    config = write_config(tmp_path, targets=["onnx"])
    outcome = cli("matrix", "-c", config, "--scheduler", "tcp://127.0.0.1:9", "-q", env={"EDGEKIT_CACHE": str(tmp_path / "c")})
    assert outcome.code == 4
    assert "no Dask scheduler answers" in outcome.stderr
