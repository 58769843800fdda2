"""What all suites share: where the shared data is, and one thread for torch."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch

REPOSITORY = Path(__file__).parents[1]
# On a busy machine OpenMP's threads spin while they wait for a core: one thread is up to a hundred times faster than two.
torch.set_num_threads(1)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real checkpoints and photographs. They may not be shipped, so a checkout elsewhere does without them, and says so."""
    folder = Path(os.environ.get("EDGEKIT_SHARED_DATA", REPOSITORY.parent / "shared" / "data"))
    if not folder.is_dir():
        if os.environ.get("EDGEKIT_REQUIRE_SHARED_DATA"):
            pytest.fail(f"the shared data must be at {folder} (EDGEKIT_SHARED_DATA)")
        pytest.skip("the shared data (real checkpoints and photographs) is not here")
    return folder
