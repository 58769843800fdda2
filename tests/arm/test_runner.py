"""The runner for ExecuTorch says what is wrong, on stderr and with its exit code."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest

from tests.arm.cpu import CPUS, Cpu
from tests.arm.emulation import Emulator
from tests.arm.sysroot import python_of

REFUSED, USAGE = 1, 2


def _run(emulator: Emulator, *arguments: str | Path) -> tuple[int, str]:
    with pytest.raises(subprocess.CalledProcessError) as error:
        emulator.run(emulator.folder / "run_pte", *arguments)
    return error.value.returncode, error.value.stderr


@pytest.fixture
def inputs(tmp_path: Path) -> Path:
    """One input of the embedded model."""
    path = tmp_path / "inputs"
    np.zeros((1, 1, 32, 32), np.float32).tofile(path)
    return path


@pytest.fixture
def model(digits: dict[str, Path]) -> Path:
    return digits["executorch-float32"] / "model.pte"


def test_without_arguments_it_tells_its_usage(cortex_a76: Emulator) -> None:
    code, message = _run(cortex_a76)
    assert code == USAGE
    assert "usage: run_pte MODEL.pte INPUTS OUTPUT_FOLDER" in message


@pytest.mark.parametrize("content", [b"", b"no program", b"\0" * 4096], ids=["empty", "text", "zeros"])
def test_a_file_that_is_no_program_is_refused(cortex_a76: Emulator, inputs: Path, content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "model.pte"
    path.write_bytes(content)
    code, message = _run(cortex_a76, path, inputs, tmp_path)
    assert code == REFUSED
    assert f"run_pte: {path}: ExecuTorch error" in message


def test_a_truncated_program_is_refused(cortex_a76: Emulator, model: Path, inputs: Path, tmp_path: Path) -> None:
    path = tmp_path / "half.pte"
    path.write_bytes(model.read_bytes()[: model.stat().st_size // 2])
    code, _ = _run(cortex_a76, path, inputs, tmp_path)
    assert code == REFUSED


@pytest.mark.parametrize("count", [0, 1, 1023, 1025])
def test_values_that_are_no_whole_inputs_are_refused(cortex_a76: Emulator, model: Path, count: int, tmp_path: Path) -> None:
    path = tmp_path / "inputs"
    np.zeros(count, np.float32).tofile(path)
    code, message = _run(cortex_a76, model, path, tmp_path)
    assert code == USAGE
    assert str(path) in message


def test_a_folder_that_is_not_there_is_told(cortex_a76: Emulator, model: Path, inputs: Path, tmp_path: Path) -> None:
    code, message = _run(cortex_a76, model, inputs, tmp_path / "missing")
    assert code == USAGE
    assert "missing" in message


@pytest.mark.parametrize("cpu", CPUS, ids=lambda cpu: cpu.name)
def test_the_root_is_arm_s_and_its_cpu_is_the_one_that_is_emulated(arm: Path, cpu: Cpu) -> None:
    program = "import platform; print(platform.machine(), open('/proc/cpuinfo').read())"
    done = Emulator(arm, cpu).run(python_of(arm), "-c", program)
    assert done.stdout.startswith("aarch64")
    assert cpu.part in done.stdout
