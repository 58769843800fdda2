"""What every target must do, Core ML does."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from edgekit.target import Target
from edgekit.testing import Made, TargetContract
from edgekit_coreml.target import CoreMLTarget


class TestCoreMLTarget(TargetContract):
    @pytest.fixture(scope="class")
    @classmethod
    def target(cls) -> Target:
        return CoreMLTarget()

    @pytest.fixture(scope="class")
    @classmethod
    def made(cls, digits: Mapping[str, Made]) -> Mapping[str, Made]:
        return {precision: digits[precision] for precision in CoreMLTarget.tolerances}
