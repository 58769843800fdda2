"""Artifacts on named devices: each with each, and a reason where nothing can be told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edgekit.errors import UsageError
from edgekit.manifest import read_manifest
from edgekit.projection.database import read_database
from edgekit.projection.project import Projection, project


@dataclass(frozen=True, slots=True)
class Projected:
    """One artifact on one device.

    Attributes:
        folder: the artifact's, as the user gave it.
        device: as the user wrote it.
        projections: one for each setting of the device that stands for the artifact's target.
        reason: why there is none; empty where there is.
    """

    folder: str
    device: str
    projections: tuple[Projection, ...]
    reason: str = ""


def check_devices(devices: Sequence[str]) -> None:
    """Look the names up, before anything that takes time.

    Raises:
        UsageError: a device that nothing is published of.
    """
    for device in devices:
        read_database().of_device(device)


def project_artifacts(folders: Sequence[Path], devices: Sequence[str]) -> tuple[Projected, ...]:
    """Tell how long each artifact's network takes on each device.

    Raises:
        InputError: no artifact.
    """
    found = []
    for folder in folders:
        manifest = read_manifest(folder)
        for device in devices:
            try:
                rows = project(manifest.model, precision=manifest.precision, target=manifest.target, device=device)
                found.append(Projected(str(folder), device, rows))
            except UsageError as error:  # nothing that stands for this target or precision: the others' figures are wanted
                found.append(Projected(str(folder), device, (), str(error)))
    return tuple(found)
