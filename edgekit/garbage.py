"""Python's collector of reference cycles, called less often than by default."""

from __future__ import annotations

import gc

ALLOCATIONS = 100_000  # between two collections, instead of 700


def collect_rarely() -> None:
    """For a process that ends soon, of which nearly everything lives as long as itself: modules, records, graphs.

    Importing coremltools takes 0.83 of the time so, and a matrix of which everything is known 0.88.
    """
    gc.set_threshold(ALLOCATIONS)
