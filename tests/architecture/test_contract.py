"""Every target of ours is held to the contract, in its own tests, as a third party's would be."""

from __future__ import annotations

from pathlib import Path

import pytest

TARGETS = sorted((Path(__file__).parents[2] / "targets").iterdir())


@pytest.mark.parametrize("folder", [folder for folder in TARGETS if folder.is_dir()], ids=lambda folder: folder.name)
def test_it_is_among_the_tests_of_every_target(folder: Path) -> None:
    tests = folder / "tests" / f"test_{folder.name}_contract.py"
    assert "(TargetContract):" in tests.read_text("utf-8")
