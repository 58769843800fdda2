"""What all suites share, the targets' too: where the shared data is, one thread for torch, and Hypothesis' settings."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch
from hypothesis import settings

REPOSITORY = Path(__file__).parent
SHARED_DATA = Path(os.environ.get("EDGEKIT_SHARED_DATA", REPOSITORY.parent / "shared" / "data"))

# On a busy machine OpenMP's threads spin while they wait for a core: one thread is up to a hundred times faster than two.
torch.set_num_threads(1)

# The same examples in every run, and no limit on the time of one.
settings.register_profile("edgekit", deadline=None, derandomize=True, database=None, max_examples=40)
settings.load_profile("edgekit")


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Without the shared data, skip each test that needs it, by its own name; or fail, where CI must have it."""
    if item.get_closest_marker("shared_data") and not SHARED_DATA.is_dir():
        message = f"{item.name}: the shared data (real checkpoints and photographs) is not at {SHARED_DATA}"
        if os.environ.get("EDGEKIT_REQUIRE_SHARED_DATA"):
            pytest.fail(message)
        pytest.skip(message)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real checkpoints and photographs, which may not be shipped. Tests that use it carry the mark `shared_data`."""
    return SHARED_DATA
