"""SIGKILL of a whole run at fifty moments: the next run leaves exactly the artifacts of an undisturbed one."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import psutil
import pytest

from tests.e2e.conftest import Cli
from tests.e2e.matrices import artifacts, read_matrix, write_config

WITH_SDK, TIMED = 1, 5
PARTS, KILLS = 10, 5  # in each part


def start(config: Path, environment: dict[str, str]) -> subprocess.Popen[bytes]:
    """`edgekit matrix` in a session of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "edgekit", "matrix", "-c", str(config), "-q"],
        env=os.environ | environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


@dataclass(frozen=True)
class Undisturbed:
    """A run that nobody kills.

    Attributes:
        artifacts: what it leaves: sha256 by path.
        cold_seconds: what it takes with an empty cache.
        warm_seconds: with a model that is prepared.
        prepared: a cache with that alone.
    """

    artifacts: dict[str, str]
    cold_seconds: float
    warm_seconds: float
    prepared: Path


Runner = Callable[[int], Undisturbed]


@pytest.fixture(scope="module")
def undisturbed(cli: Cli, fake_plugin: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Runner:
    """Run the matrix of a part without disturbance, once in a process."""

    @cache
    def run(part: int) -> Undisturbed:
        folder = tmp_path_factory.mktemp("undisturbed")
        environment = fake_plugin | {"EDGEKIT_CACHE": str(folder / "cache")}
        config = write_config_of(part, folder)
        began = time.monotonic()
        assert cli("matrix", "-c", config, "-q", env=environment).code == 0
        cold_seconds = time.monotonic() - began
        made = artifacts(folder / "out")
        for target in targets_of(part):
            assert cli("cache", "rm", f"digits-{target}-float32", env=environment).code == 0
        prepared = shutil.copytree(folder / "cache", folder / "prepared")
        began = time.monotonic()
        assert cli("matrix", "-c", config, "-q", env=environment).code == 0
        warm_seconds = time.monotonic() - began
        assert artifacts(folder / "out") == made  # what is made twice is the same twice
        return Undisturbed(made, cold_seconds, warm_seconds, Path(prepared))

    return lambda part: run(max(first for first in (0, WITH_SDK, TIMED) if first <= part))  # those after it have the same


def targets_of(part: int) -> list[str]:
    """The first parts have a real SDK, whose conversions take most of the time, beside the fake target."""
    return ["fake", "onnx"] if part < WITH_SDK else ["fake"]


def write_config_of(part: int, folder: Path) -> Path:
    """The first half measures latencies, which then are half of a run. In the other one more kills fall on all else."""
    return write_config(folder, targets=targets_of(part), is_timed=part < TIMED)


def trains_of(part: int) -> list[tuple[bool, tuple[int, ...]]]:
    """Kills, by number, that follow one another in one folder before a run is left to end; and whether the model is prepared.

    One kill finds nothing there. The others find a prepared model, so that more of them fall on conversion, measurement and
    renaming, and come in pairs: the second one kills the run that was to make good the first.
    """
    cold = part % KILLS
    warm = [number for number in range(KILLS) if number != cold]
    return [(False, (cold,)), *((True, tuple(warm[i : i + 2])) for i in range(0, len(warm), 2))]


def kill(config: Path, environment: dict[str, str], seconds: float) -> bool:
    """Start a run and kill it after so long; whether it was still running. Its workers do not outlive it."""
    run = start(config, environment)
    time.sleep(seconds)
    workers = psutil.Process(run.pid).children(recursive=True) if run.poll() is None else []
    run.kill()
    is_interrupted = run.wait() == -signal.SIGKILL
    _, alive = psutil.wait_procs(workers, timeout=30)
    assert not alive, f"workers outlived their parent: {alive}"
    return is_interrupted


@pytest.mark.timeout(1500)
@pytest.mark.parametrize(
    "part",
    [pytest.param(n, marks=pytest.mark.xdist_group(f"kills {'timed' if n < TIMED else 'untimed'}")) for n in range(PARTS)],
)
def test_a_killed_run_is_made_good_by_the_next(
    part: int, tmp_path: Path, cli: Cli, fake_plugin: dict[str, str], undisturbed: Runner
) -> None:
    expected = undisturbed(part)
    interrupted = 0
    for is_warm, train in trains_of(part):
        folder = tmp_path / f"{train[0]}"
        folder.mkdir()
        config = write_config_of(part, folder)
        if is_warm:
            shutil.copytree(expected.prepared, folder / "cache")
        environment = fake_plugin | {"EDGEKIT_CACHE": str(folder / "cache")}
        moments = [(number + (part + 0.5) / PARTS) / KILLS for number in train]  # 0 to 1, all fifty evenly over the run
        for at in moments:
            interrupted += kill(config, environment, at * (expected.warm_seconds if is_warm else expected.cold_seconds))
        outcome = cli("matrix", "-c", config, "-q", env=environment)
        assert outcome.code == 0, outcome.stderr
        assert artifacts(folder / "out") == expected.artifacts, f"killed at {moments}"
        assert {cell["outcome"] for cell in read_matrix(folder / "out")["cells"]} == {"passed"}
        left = [
            path for root in (folder / "out", folder / "cache") for path in root.iterdir() if path.name.startswith(".edgekit")
        ]
        assert not left, left
        shutil.rmtree(folder)
    assert interrupted >= KILLS / 2  # else the runs ended before they could be killed
