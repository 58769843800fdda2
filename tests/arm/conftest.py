"""The emulated CPUs and the artifacts that run on them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.arm.cpu import CORTEX_A76
from tests.arm.emulation import Emulator
from tests.arm.sysroot import DEFAULT, READY, TOOLS

TARGETS = ("executorch", "onnx", "openvino")  # Core ML runs on Apple's systems alone
PRECISIONS = ("float32", "float16", "int8")
CELLS = tuple(f"{target}-{precision}" for target in TARGETS for precision in PRECISIONS)


@pytest.fixture(scope="session")
def arm() -> Path:
    """What `make test-arm` sets up. Without it tests are skipped, or fail where they must run."""
    if not (DEFAULT / READY).is_file():
        message = f"no arm64 root at {DEFAULT}: `make test-arm` makes it, with Debian's {' and '.join(TOOLS.values())}"
        if os.environ.get("EDGEKIT_REQUIRE_ARM"):
            pytest.fail(message)
        pytest.skip(message)
    return DEFAULT


@pytest.fixture(scope="session")
def cortex_a76(arm: Path) -> Emulator:
    return Emulator(arm, CORTEX_A76)


@pytest.fixture(scope="session")
def digits(arm: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The embedded model's artifacts, by cell."""
    return _convert("digits", tmp_path_factory.mktemp("digits"))


@pytest.fixture(scope="session")
def photographed(arm: Path, shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A trained MobileNet's artifacts, judged on photographs."""
    model, pictures = shared_data / "models" / "mobilenet_v1_0.25_128", shared_data / "images_dev"
    return _convert(str(model), tmp_path_factory.mktemp("v1"), "--calibration", str(pictures))


def _convert(model: str, output: Path, *arguments: str) -> dict[str, Path]:
    """Convert on this machine, in every precision that is judged here."""
    cells = [part for name in TARGETS for part in ("-t", name)]
    cells += [part for name in PRECISIONS for part in ("-p", name)]
    command = [sys.executable, "-m", "edgekit", "convert", "-m", model, *cells, *arguments, "-o", str(output)]
    done = subprocess.run([*command, "--no-latency", "-j", "1", "-q"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return {cell: next(output.glob(f"*-{cell}")) for cell in CELLS}
