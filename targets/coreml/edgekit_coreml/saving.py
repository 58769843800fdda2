"""How coremltools saves a package, and what it leaves behind."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any


def save_package(model: Any, path: Path) -> None:
    """Save a model with what its Manifest names and nothing else, readable by whoever may read the Manifest.

    coremltools drops a debugging aid, and makes the model of a private temporary file and folder, whose modes it copies.
    """
    model.save(str(path))
    (path / "executorch_debug_handle_mapping.json").unlink(missing_ok=True)
    file_mode, folder_mode = (path / "Manifest.json").stat().st_mode, path.stat().st_mode
    for each in path.rglob("*"):
        each.chmod(folder_mode if each.is_dir() else file_mode)


@contextlib.contextmanager
def own_temporary_folder() -> Iterator[None]:
    """coremltools leaves a copy of every package it makes in the temporary folder: give it one that goes away."""
    before = tempfile.tempdir
    folder = Path(tempfile.mkdtemp(prefix="edgekit-coreml-"))
    tempfile.tempdir = str(folder)
    try:
        yield
    finally:
        tempfile.tempdir = before
        shutil.rmtree(folder, ignore_errors=True)
