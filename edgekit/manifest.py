"""`manifest.json`: all that an app, or `predict`, `verify` and `profile`, must know to use the artifact beside it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import msgspec

from edgekit.document import MANIFEST, FileRecord, read_json, sha256_of
from edgekit.errors import InputError
from edgekit.mobilenet.spec import MobileNetSpec
from edgekit.preprocessing import Preprocessing
from edgekit.target import TensorSpec

FILE_NAME = MANIFEST
_Tensors = Annotated[tuple[TensorSpec, ...], msgspec.Meta(min_length=1)]


@dataclass(frozen=True, slots=True)
class ModelCard:
    """The model behind an artifact, whatever the target.

    Attributes:
        name: short name.
        source: the hub id, or the name of the file or folder.
        sha256: of the checkpoint's tensors file.
        task: what the outputs mean, e.g. "classification".
        spec: the network's definition.
        preprocessing: from picture to input.
        labels: one per class, or empty.
    """

    name: str
    source: str
    sha256: str
    task: str
    spec: MobileNetSpec
    preprocessing: Preprocessing
    labels: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Manifest:
    """An artifact and how to use it.

    Attributes:
        schema_version: of this file's form; 1.
        edgekit_version: that wrote it.
        model: what was converted.
        target: the plugin's name.
        format: the artifact's format and version.
        precision: as requested.
        entry: the file or folder to load, relative to the manifest.
        inputs: names, shapes, dtypes and layouts.
        outputs: likewise.
        files: every file of the artifact.
        options: the plugin's options in force.
        notes: facts a user should know.
        versions: of the packages that made it.
    """

    schema_version: int
    edgekit_version: str
    model: ModelCard
    target: str
    format: str
    precision: str
    entry: str
    inputs: _Tensors
    outputs: _Tensors
    files: tuple[FileRecord, ...]
    options: Mapping[str, str]
    notes: tuple[str, ...]
    versions: Mapping[str, str]

    @property
    def size_bytes(self) -> int:
        """Of all the artifact's files together."""
        return sum(file.size_bytes for file in self.files)


def read_manifest(folder: Path) -> Manifest:
    """Read an artifact folder's manifest and check that its files are the ones it was written for.

    Raises:
        InputError: no manifest, a broken one, one of a later edgekit, or a file that is missing or was changed.
    """
    if not (folder / FILE_NAME).is_file():
        raise InputError(f"{folder} is no edgekit artifact: it has no {FILE_NAME}. Make one with `edgekit convert`")
    manifest = read_json(folder / FILE_NAME, Manifest)
    try:
        _check_files(folder, manifest)
    except (OSError, ValueError) as error:  # ValueError: a name with a null byte
        raise InputError(f"{folder / FILE_NAME} names a file that cannot be read: {error}") from error
    return manifest


def _check_files(folder: Path, manifest: Manifest) -> None:
    for name in (manifest.entry, *(file.path for file in manifest.files)):
        if not (folder / name).resolve().is_relative_to(folder.resolve()):
            raise InputError(f"{folder / FILE_NAME} names a file outside its folder: {name}")
    if not (folder / manifest.entry).exists():
        raise InputError(f"{folder / manifest.entry} is missing: {FILE_NAME} names it as the entry")
    for record in manifest.files:
        path = folder / record.path
        if not path.is_file():
            raise InputError(f"{path} is missing: {FILE_NAME} lists it")
        if sha256_of(path) != record.sha256:
            raise InputError(f"{path} is not the file that {FILE_NAME} describes: its sha256 differs. Convert again")
