"""Every installed target keeps the contract."""

from __future__ import annotations

import pytest

from edgekit import registry
from edgekit.target import Target
from edgekit.testing import TargetContract


class TestInstalledTargets(TargetContract):
    @pytest.fixture(scope="class", params=registry.installed() or ["none"])
    @classmethod
    def target(cls, request: pytest.FixtureRequest) -> Target:
        return registry.load(request.param)
