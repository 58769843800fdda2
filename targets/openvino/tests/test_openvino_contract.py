"""What every target must do, OpenVINO does."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from edgekit.target import Target
from edgekit.testing import Made, TargetContract
from edgekit_openvino.target import OpenVINOTarget


class TestOpenVINOTarget(TargetContract):
    @pytest.fixture(scope="class")
    @classmethod
    def target(cls) -> Target:
        return OpenVINOTarget()

    @pytest.fixture(scope="class")
    @classmethod
    def made(cls, digits: Mapping[str, Made]) -> Mapping[str, Made]:
        return {precision: digits[precision] for precision in OpenVINOTarget.tolerances}
