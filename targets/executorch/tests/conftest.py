"""Artifacts that several modules look at: converting takes many seconds."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from edgekit.testing import Made, make_artifact, make_case
from edgekit_executorch.target import ExecuTorchTarget


@pytest.fixture(scope="session")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Made]:
    """The embedded model, a V3-Small, by precision."""
    target, trained = ExecuTorchTarget(), make_case().trained
    return {p: make_artifact(target, trained.of(p), p, tmp_path_factory.mktemp(p)) for p in target.tolerances}
