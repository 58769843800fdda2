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

WITH_SDK = 1
PARTS, KILLS = 10, 5  # in each part, so that parts can run side by side


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
        config = write_config(folder, targets=targets_of(part))
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

    return lambda part: run(min(part, WITH_SDK))  # all parts without one have the same


def targets_of(part: int) -> list[str]:
    """The first parts have a real SDK, whose conversions take most of the time, beside the fake target."""
    return ["fake", "onnx"] if part < WITH_SDK else ["fake"]


@pytest.mark.timeout(1500)
@pytest.mark.parametrize("part", [pytest.param(part, marks=pytest.mark.xdist_group(f"kills {part}")) for part in range(PARTS)])
def test_a_killed_run_is_made_good_by_the_next(
    part: int, tmp_path: Path, cli: Cli, fake_plugin: dict[str, str], undisturbed: Runner
) -> None:
    """Every second kill finds the model prepared, so that more of them fall on conversion, measurement and renaming."""
    expected = undisturbed(part)
    interrupted = 0
    for number in range(KILLS):
        folder = tmp_path / str(number)
        folder.mkdir()
        config = write_config(folder, targets=targets_of(part))
        is_warm = number % 2 == 1
        if is_warm:
            shutil.copytree(expected.prepared, folder / "cache")
        environment = fake_plugin | {"EDGEKIT_CACHE": str(folder / "cache")}
        at = (number + (part + 0.5) / PARTS) / KILLS  # 0 to 1, all fifty evenly over the run
        run = start(config, environment)
        time.sleep(at * (expected.warm_seconds if is_warm else expected.cold_seconds))
        workers = psutil.Process(run.pid).children(recursive=True) if run.poll() is None else []
        run.kill()
        interrupted += run.wait() == -signal.SIGKILL
        _, alive = psutil.wait_procs(workers, timeout=30)
        assert not alive, f"workers outlived their parent: {alive}"
        outcome = cli("matrix", "-c", config, "-q", env=environment)
        assert outcome.code == 0, outcome.stderr
        assert artifacts(folder / "out") == expected.artifacts, f"killed at {at:.0%}"
        assert {cell["outcome"] for cell in read_matrix(folder / "out")["cells"]} == {"passed"}
        left = [
            path for root in (folder / "out", folder / "cache") for path in root.iterdir() if path.name.startswith(".edgekit")
        ]
        assert not left, left
        shutil.rmtree(folder)
    assert interrupted >= KILLS / 2  # else the runs ended before they could be killed
