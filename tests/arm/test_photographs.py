"""A trained MobileNet's artifacts pass on Arm, emulated, on photographs."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.arm.conftest import CELLS
from tests.arm.emulation import Emulator
from tests.arm.kernels import assert_passes


@pytest.mark.shared_data
@pytest.mark.parametrize("cell", CELLS)
def test_it_passes_with_the_kernels_of_its_precision(cortex_a76: Emulator, photographed: dict[str, Path], cell: str) -> None:
    assert_passes(cortex_a76, photographed[cell])
