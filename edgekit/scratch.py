"""Folders for what is being made. One whose process has died, however suddenly, goes with the next."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PREFIX = ".edgekit-"


@contextmanager
def scratch_in(folder: Path) -> Iterator[Path]:
    """Make an empty folder in `folder`, gone at the end, and remove what dead processes left there.

    A file beside it is locked as long as this process lives: the system frees the lock even after SIGKILL.

    Raises:
        OSError: it cannot be made.
    """
    from filelock import FileLock

    _sweep(folder)
    scratch = folder / f"{PREFIX}{uuid.uuid4().hex[:12]}"
    lock = FileLock(_lock_path(scratch))
    with lock:  # before the folder is there: who finds it without its lock held knows that nobody needs it
        scratch.mkdir()
        try:
            yield scratch
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
            _lock_path(scratch).unlink(missing_ok=True)


def _sweep(folder: Path) -> None:
    from filelock import FileLock, Timeout

    for path in folder.glob(f"{PREFIX}*.lock"):
        lock = FileLock(path)
        try:
            with lock.acquire(blocking=False):
                shutil.rmtree(path.with_suffix(""), ignore_errors=True)
                path.unlink(missing_ok=True)
        except (Timeout, OSError):  # its process lives; or another one is sweeping too
            continue


def _lock_path(scratch: Path) -> Path:
    return scratch.with_name(f"{scratch.name}.lock")
