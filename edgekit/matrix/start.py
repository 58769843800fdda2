"""`edgekit init`: the first edgekit.toml of a project, and its schema beside it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import msgspec

from edgekit.document import write_bytes
from edgekit.errors import InputError, OutputError, UsageError
from edgekit.matrix.cell import EMBEDDED
from edgekit.matrix.config import Config
from edgekit.matrix.file import parse_config
from edgekit.matrix.schema import config_schema
from edgekit.matrix.template import SCHEMA_NAME, first_config


def write_first_config(path: Path, models: Sequence[str], targets: Sequence[str], *, force: bool) -> Config:
    """Write an edgekit.toml, and the schema that editors check it with.

    Args:
        path: of the file.
        models: as the user names them, seen from the current folder.
        targets: installed.
        force: replace files that are there already.

    Returns:
        What the file says, read back from what is written.

    Raises:
        UsageError: two models of one name, or one that no file can name.
        OutputError: there is a file already, or the folder cannot be written.
    """
    if path.is_dir():  # and so it has no name beside which there could be a schema
        raise OutputError(f"{path} is a folder: name a file")
    text = first_config([_seen_from(path.parent, model) for model in dict.fromkeys(models)], targets)
    schema = msgspec.json.format(msgspec.json.encode(config_schema()), indent=2) + b"\n"
    beside = path.with_name(SCHEMA_NAME)
    try:
        content = text.encode()
        config = parse_config(text, path)
    except (InputError, UnicodeEncodeError) as error:
        raise UsageError(f"there would be no such {path.name} for these models: {error}") from error
    if not path.parent.is_dir():
        raise OutputError(f"there is no folder {path.parent} to write {path.name} into. Make it first")
    for place, made in ((path, content), (beside, schema)):
        _check_place(place, made, force=force)
    write_bytes(beside, schema)
    write_bytes(path, content)
    return config


def _check_place(place: Path, content: bytes, *, force: bool) -> None:
    """Refuse to replace a file unasked; one that is the same already is as good as written."""
    if place.is_dir():
        raise OutputError(f"{place} is a folder: name a file")
    if place.exists() and not force and (place.name != SCHEMA_NAME or place.read_bytes() != content):
        raise OutputError(f"{place} is there already. Replace it with --force, or choose another --config")


def _seen_from(folder: Path, model: str) -> str:
    """A path of the current folder, as the file's folder has it; a name that is no path stays."""
    if model in ("", EMBEDDED) or Path(model).is_absolute() or not os.path.lexists(model):
        return model
    return Path(os.path.relpath(model, folder)).as_posix()
