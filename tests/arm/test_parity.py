"""The embedded model's artifacts pass on Arm: emulated, with Arm's kernels, which their instructions give away."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx.numpy_helper
import pytest
from numpy.typing import NDArray

from edgekit.document import FileRecord, sha256_of, write_json
from edgekit.manifest import FILE_NAME, read_manifest
from tests.arm.conftest import CELLS, TARGETS
from tests.arm.cpu import CORTEX_A72, I8MM
from tests.arm.emulation import Emulator
from tests.arm.kernels import assert_passes

CLASSIFIER = (10, 360)  # of the embedded model


@pytest.mark.parametrize("cell", CELLS)
def test_the_embedded_model_passes_with_the_kernels_of_its_precision(
    cortex_a76: Emulator, digits: dict[str, Path], cell: str
) -> None:
    assert_passes(cortex_a76, digits[cell])


@pytest.mark.parametrize("target", TARGETS)
def test_int8_passes_with_matrix_products(arm: Path, digits: dict[str, Path], target: str) -> None:
    assert_passes(Emulator(arm, I8MM), digits[f"{target}-int8"])


@pytest.mark.parametrize("target", ["executorch", "onnx"])
def test_int8_passes_on_a_cpu_without_dot_products(arm: Path, digits: dict[str, Path], target: str) -> None:
    assert_passes(Emulator(arm, CORTEX_A72), digits[f"{target}-int8"])


def test_openvino_compiles_no_int8_model_for_a_cpu_without_dot_products(arm: Path, digits: dict[str, Path]) -> None:
    with pytest.raises(subprocess.CalledProcessError) as error:
        Emulator(arm, CORTEX_A72).judge(digits["openvino-int8"])
    assert "object is not initialized" in error.value.stderr


@pytest.mark.parametrize("precision", ["float32", "float16"])
def test_executorch_computes_in_float32_where_the_cpu_has_no_float16(arm: Path, digits: dict[str, Path], precision: str) -> None:
    assert_passes(Emulator(arm, CORTEX_A72), digits[f"executorch-{precision}"])


@pytest.mark.parametrize(("precision", "factor"), [("float32", 1.01), ("int8", 0.5)])
@pytest.mark.parametrize("target", TARGETS)
def test_changed_weights_in_one_layer_fail(
    cortex_a76: Emulator, digits: dict[str, Path], target: str, precision: str, factor: float, tmp_path: Path
) -> None:
    folder = tmp_path / "changed"
    shutil.copytree(digits[f"{target}-{precision}"], folder)
    weights = _classifier(digits[f"onnx-{precision}"])  # all three store it as it is
    _replace(folder, weights.tobytes(), (weights * factor).astype(weights.dtype).tobytes())
    verdict = cortex_a76.judge(folder)
    assert not verdict.parity.passed
    assert "dB SQNR" in verdict.parity.problems[0]


def _classifier(artifact: Path) -> NDArray[np.float32] | NDArray[np.int8]:
    arrays = map(onnx.numpy_helper.to_array, onnx.load(artifact / "model.onnx").graph.initializer)
    return next(array for array in arrays if array.shape == CLASSIFIER)


def _replace(artifact: Path, old: bytes, new: bytes) -> None:
    """In the one file that has it, and let the manifest describe that file."""
    manifest = read_manifest(artifact)
    files = [artifact / file.path for file in manifest.files]
    (model,) = (path for path in files if path.read_bytes().count(old) == 1)
    model.write_bytes(model.read_bytes().replace(old, new))
    records = tuple(FileRecord(file.path, file.size_bytes, sha256_of(artifact / file.path)) for file in manifest.files)
    write_json(artifact / FILE_NAME, replace(manifest, files=records))
