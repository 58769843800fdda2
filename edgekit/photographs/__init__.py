"""Four small real photographs, the inputs of parity checks for colour models; origins and licences in LICENSES.md.

They have no labels: they show whether two runtimes agree on a real picture, not whether either is right.
"""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from edgekit.errors import InputError


def paths() -> tuple[Path, ...]:
    """List the photographs by name: JPEG files, RGB, the short side 256 pixels.

    Raises:
        InputError: edgekit is installed in a form without files of its own, e.g. a zip archive.
    """
    folder = resources.files(__name__)
    if not isinstance(folder, Path):
        raise InputError(f"the photographs in {folder} are not files: install edgekit unpacked, or give images of yours")
    return tuple(sorted(folder.glob("*.jpg")))
