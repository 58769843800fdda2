"""What all suites share, the targets' too: the shared data, one thread for torch, and what runs in which process when."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from hypothesis import settings

REPOSITORY = Path(__file__).parent
SHARED_DATA = Path(os.environ.get("EDGEKIT_SHARED_DATA", REPOSITORY.parent / "shared" / "data"))

# Fixtures that take minutes to make: all files that use one run in one process.
ARTIFACTS = ("digits", "all_targets")
# What takes longest, in this order: it starts first, so that at the end no process waits for another.
LONGEST = (
    "tests/e2e/test_checkpoints.py",
    "targets/coreml/tests digits",
    "targets/executorch/tests digits",
    "tests/e2e/test_matrix.py",
    "tests/docs/test_commands.py",
    "tests/e2e/test_int8.py",
    "tests/e2e/test_plugin.py",
    "tests/e2e all_targets",
    "targets/onnx/tests digits",
    "targets/openvino/tests digits",
    "tests/e2e/test_train_digits.py",
    "tests/e2e/test_workflows.py",
    "tests/e2e/test_init.py",
    "tests/e2e/test_cluster.py",
    "tests/e2e/test_kills.py",
)

# On a busy machine OpenMP's threads spin while they wait for a core: one thread is up to a hundred times faster than two. Here
# that is said before torch is imported, and to the commands that tests run.
os.environ["OMP_NUM_THREADS"] = "1"

# A shell's background job ignores SIGINT, and what it starts inherits that. Tests press Ctrl-C.
signal.signal(signal.SIGINT, signal.default_int_handler)

# The same examples in every run, and no limit on the time of one.
settings.register_profile("edgekit", deadline=None, derandomize=True, database=None, max_examples=40)
settings.load_profile("edgekit")


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist reads the marks
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Group tests by file, or by the artifacts that several files share, and put the longest groups first."""
    groups = {item.path: str(item.path.relative_to(REPOSITORY)) for item in items}
    for item in items:
        fixtures = getattr(item, "_fixtureinfo").name2fixturedefs  # noqa: B009  (pytest has no public name for it)
        for name in ARTIFACTS:
            if name in fixtures:
                groups[item.path] = f"{fixtures[name][-1].baseid} {name}"
    for item in items:
        if not item.get_closest_marker("xdist_group"):
            item.add_marker(pytest.mark.xdist_group(groups[item.path]))
    order = {group: place for place, group in enumerate(LONGEST)}
    items.sort(key=lambda item: order.get(groups[item.path], len(order)))


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
