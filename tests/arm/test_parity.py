"""The artifacts pass on Arm: emulated, with Arm's kernels, which their instructions give away."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import onnx.numpy_helper
import pytest
from numpy.typing import NDArray

from edgekit.manifest import read_manifest
from tests.arm.conftest import CELLS
from tests.arm.cpu import CORTEX_A72, CORTEX_A76, I8MM, Cpu
from tests.arm.emulation import Emulator

FLOAT32, FLOAT16, DOT, MATRIX = "float32 products", "float16 products", "int8 dot products", "int8 matrix products"
KERNELS = {  # what each CPU has best; a plain Armv8.0 multiplies int8 with instructions that much else has
    CORTEX_A72: {"float32": FLOAT32, "float16": FLOAT32, "int8": ""},
    CORTEX_A76: {"float32": FLOAT32, "float16": FLOAT16, "int8": DOT},
    I8MM: {"int8": MATRIX},
}
TARGETS = ("executorch", "onnx")
CLASSIFIER = (10, 360)  # of the embedded model


def _passes(emulator: Emulator, artifact: Path) -> None:
    """With the kernels that the CPU has for the precision, and no others of those that only newer CPUs have."""
    verdict = emulator.judge(artifact)
    assert verdict.parity.passed, verdict.parity.problems
    kernels = KERNELS[emulator.cpu][read_manifest(artifact).precision]
    assert kernels in ("", *verdict.products)
    assert {FLOAT16, DOT, MATRIX} & set(verdict.products) <= {kernels}


@pytest.mark.parametrize("cell", CELLS)
def test_the_embedded_model_passes_with_the_kernels_of_its_precision(
    cortex_a76: Emulator, digits: dict[str, Path], cell: str
) -> None:
    _passes(cortex_a76, digits[cell])


@pytest.mark.shared_data
@pytest.mark.parametrize("cell", CELLS)
def test_a_trained_mobilenet_passes_on_photographs(cortex_a76: Emulator, v1: dict[str, Path], cell: str) -> None:
    _passes(cortex_a76, v1[cell])


@pytest.mark.parametrize("cpu", [CORTEX_A72, I8MM], ids=lambda cpu: cpu.name)
@pytest.mark.parametrize("target", TARGETS)
def test_int8_passes_on_cpus_without_dot_products_and_with_matrix_products(
    arm: Path, digits: dict[str, Path], target: str, cpu: Cpu
) -> None:
    _passes(Emulator(arm, cpu), digits[f"{target}-int8"])


@pytest.mark.parametrize("precision", ["float32", "float16"])
def test_executorch_computes_in_float32_where_the_cpu_has_no_float16(arm: Path, digits: dict[str, Path], precision: str) -> None:
    _passes(Emulator(arm, CORTEX_A72), digits[f"executorch-{precision}"])


@pytest.mark.parametrize(("precision", "factor"), [("float32", 1.01), ("int8", 0.5)])
@pytest.mark.parametrize("target", TARGETS)
def test_changed_weights_in_one_layer_fail(
    cortex_a76: Emulator, digits: dict[str, Path], target: str, precision: str, factor: float, tmp_path: Path
) -> None:
    folder = tmp_path / "changed"
    shutil.copytree(digits[f"{target}-{precision}"], folder)
    model = folder / read_manifest(folder).entry
    weights, content = _classifier(digits[f"onnx-{precision}"]), model.read_bytes()
    assert content.count(weights.tobytes()) == 1, "both targets store it as it is"
    model.write_bytes(content.replace(weights.tobytes(), (weights * factor).astype(weights.dtype).tobytes()))
    verdict = cortex_a76.judge(folder)
    assert not verdict.parity.passed
    assert "dB SQNR" in verdict.parity.problems[0]


def _classifier(artifact: Path) -> NDArray[np.float32] | NDArray[np.int8]:
    arrays = map(onnx.numpy_helper.to_array, onnx.load(artifact / "model.onnx").graph.initializer)
    return next(array for array in arrays if array.shape == CLASSIFIER)
