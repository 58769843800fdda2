"""One measurement at a time on a machine, of those that one user asks for: a latency beside another one is of neither."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

WAITS = "waiting for another measurement on this machine"


@contextmanager
def alone(on_wait: Callable[[], object] = lambda: None) -> Iterator[None]:
    """Hold the user's measurement lock; edgekit's other processes of the same user wait for it.

    The lock is of a file in the temporary folder, and the system frees it when its holder dies.

    Args:
        on_wait: told when somebody else has it.
    """
    from filelock import FileLock, Timeout

    lock = FileLock(Path(tempfile.gettempdir()) / f"edgekit-latency-{os.getuid()}.lock")
    try:
        lock.acquire(blocking=False)
    except Timeout:
        on_wait()
        lock.acquire()
    try:
        yield
    finally:
        lock.release()
