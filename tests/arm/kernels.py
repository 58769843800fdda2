"""The kernels that an artifact has to run with."""

from __future__ import annotations

from pathlib import Path

from edgekit.manifest import read_manifest
from tests.arm.cpu import CORTEX_A72, CORTEX_A76, I8MM
from tests.arm.emulation import Emulator

FLOAT32, FLOAT16, DOT, MATRIX = "float32 products", "float16 products", "int8 dot products", "int8 matrix products"
KERNELS = {  # the best that each CPU has; Armv8.0 multiplies int8 with instructions that much else uses
    CORTEX_A72: {"float32": FLOAT32, "float16": FLOAT32, "int8": ""},
    CORTEX_A76: {"float32": FLOAT32, "float16": FLOAT16, "int8": DOT},
    I8MM: {"int8": MATRIX},
}
FLOAT32_ARITHMETIC = ("openvino", "float16")  # whose weights alone are float16


def assert_passes(emulator: Emulator, artifact: Path) -> None:
    """It passes, with the kernels that the CPU has for the precision, and none that are for another."""
    verdict, manifest = emulator.judge(artifact), read_manifest(artifact)
    assert verdict.parity.passed, verdict.parity.problems
    kernels = KERNELS[emulator.cpu][manifest.precision]
    if (manifest.target, manifest.precision) == FLOAT32_ARITHMETIC:
        kernels = FLOAT32
    assert kernels in ("", *verdict.products)
    assert {FLOAT16, DOT, MATRIX} & set(verdict.products) <= {kernels}
