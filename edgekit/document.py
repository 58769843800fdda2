"""How edgekit reads and writes its own files: records as JSON, every field checked, and files by their sha256."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, TypeVar

import msgspec

from edgekit.errors import EdgekitError, InputError, OutputError

SCHEMA_VERSION = 1
MANIFEST = "manifest.json"  # what makes a folder an artifact; `edgekit.manifest` reads it
_Record = TypeVar("_Record")
_Size = Annotated[int, msgspec.Meta(ge=0)]


@dataclass(frozen=True, slots=True)
class FileRecord:
    """One file of an artifact: path relative to the manifest, size, and sha256 in hexadecimal."""

    path: str
    size_bytes: _Size
    sha256: str


def record_files(folder: Path, root: Path) -> tuple[FileRecord, ...]:
    """Hash every file below `folder`, with paths relative to `root`."""
    return tuple(
        FileRecord(path.relative_to(root).as_posix(), path.stat().st_size, sha256_of(path))
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    )


def sha256_of(path: Path) -> str:
    """Hash one file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_json(path: Path, kind: type[_Record]) -> _Record:
    """Decode one of edgekit's own JSON files into its record, every field checked.

    Raises:
        InputError: missing, broken, or of another schema version.
    """
    try:
        content = path.read_bytes()
        try:
            record = msgspec.json.decode(content, type=kind)
        except msgspec.ValidationError:
            _check_version(path, content)  # a reason that says more, if there is one
            raise
        if getattr(record, "schema_version", None) != SCHEMA_VERSION:  # or this kind of record does not say
            _check_version(path, content)
        return record
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(f"{path} is broken: {error}") from error
    except EdgekitError as error:
        raise InputError(f"{path} is broken: {error}" if not isinstance(error, InputError) else str(error)) from error


def write_json(path: Path, record: Any) -> None:
    """Write a record as indented JSON: aside first, then renamed into place.

    Raises:
        OutputError: the folder cannot be written.
    """
    write_bytes(path, encode_json(record))


def encode_json(record: Any) -> bytes:
    """A record as `write_json` writes it."""
    return msgspec.json.format(msgspec.json.encode(record, enc_hook=_plain), indent=2) + b"\n"


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file: aside first, then renamed into place.

    Raises:
        OutputError: the folder cannot be written.
    """
    aside = path.with_name(f".{path.name}.new")
    try:
        aside.write_bytes(content)
        aside.replace(path)
    except OSError as error:
        with suppress(OSError):
            aside.unlink()
        raise OutputError(f"cannot write {path}: {error.strerror}") from error


def _plain(value: Any) -> Any:
    """A plugin may well give `torch.__version__`, which is a str with methods, for a version."""
    for kind in (str, int, float):
        if isinstance(value, kind):
            return kind(value)
    raise TypeError(f"{type(value).__name__} has no place in a report")


def _check_version(path: Path, content: bytes) -> None:
    found = msgspec.json.decode(content, type=_Versioned).schema_version
    if found not in (None, SCHEMA_VERSION):
        raise InputError(f"{path} has schema version {found}; this edgekit reads version {SCHEMA_VERSION}. Convert again")


class _Versioned(msgspec.Struct):
    schema_version: int | None = None
