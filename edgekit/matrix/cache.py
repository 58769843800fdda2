"""Results by the key of what they depend on. Entries are made aside and renamed into place: each is whole, or not there."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from edgekit.document import FileRecord, read_json, record_files, sha256_of, write_json
from edgekit.errors import InputError, OutputError
from edgekit.scratch import scratch_in

if TYPE_CHECKING:
    from filelock import BaseFileLock

VARIABLE = "EDGEKIT_CACHE"
ENTRY, CONTENT = "entry.json", "content"
Kind = Literal["preparation", "artifact", "accuracy", "latency", "profile"]


@dataclass(frozen=True, slots=True)
class Entry:
    """What one result is.

    Attributes:
        key: sha256 of what it depends on.
        kind: of result.
        name: the cell's, or the model's.
        made: when, ISO 8601, UTC.
        files: all of it.
        schema_version: of this file's form; 1.
    """

    key: str
    kind: Kind
    name: str
    made: str
    files: tuple[FileRecord, ...]
    schema_version: int = 1

    @property
    def size_bytes(self) -> int:
        """Of all files together."""
        return sum(file.size_bytes for file in self.files)


def default_root() -> Path:
    """The folder that `EDGEKIT_CACHE` names, or where this system keeps a user's caches."""
    if named := os.environ.get(VARIABLE):
        return Path(named).expanduser()
    from platformdirs import user_cache_path

    return user_cache_path("edgekit")


@dataclass(frozen=True, slots=True)
class Cache:
    """A folder with one folder per result.

    Attributes:
        root: the folder.
        makes_again: earlier runs' results are not recalled, and are replaced.
    """

    root: Path
    makes_again: bool = False

    def recall(self, key: str) -> Path | None:
        """The folder of a result that need not be made; None where it is not known, or to be made again."""
        return None if self.makes_again else self.find(key)

    def find(self, key: str) -> Path | None:
        """The result's folder, or None; its use is remembered."""
        entry = self._place(key) / ENTRY
        try:
            os.utime(entry)
        except FileNotFoundError:
            return None
        except OSError:  # somebody else's cache, which can be read
            pass
        return entry.with_name(CONTENT)

    @contextmanager
    def filling(self, key: str, kind: Kind, name: str) -> Iterator[Path]:
        """Yield a path to make a folder at; it becomes the result if it is there at the end, and no error came.

        Raises:
            OutputError: the cache cannot be written, or the disk is full.
        """
        place = self._place(key)
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            with scratch_in(self.root) as scratch:
                made = scratch / key
                made.mkdir()
                yield made / CONTENT
                if (made / CONTENT).is_dir():
                    files = record_files(made / CONTENT, made / CONTENT)
                    now = datetime.now(UTC).isoformat(timespec="seconds")
                    write_json(made / ENTRY, Entry(key, kind, name, now, files))
                    if self.makes_again:
                        self.remove([key])
                    self._take_place(made, place)
        except OSError as error:
            raise self._refusal(error) from error

    def keep(self, key: str, kind: Kind, name: str, file_name: str, record: object) -> Path:
        """Make a result of one record in one JSON file.

        Returns:
            The result's folder.

        Raises:
            OutputError: the cache cannot be written.
        """
        with self.filling(key, kind, name) as content:
            content.mkdir()
            write_json(content / file_name, record)
        return self._place(key) / CONTENT

    def lock(self, key: str) -> BaseFileLock:
        """Who holds it may make the result; another run waits, and then finds it."""
        from filelock import FileLock

        folder = self.root / "locks"
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise self._refusal(error) from error
        return FileLock(folder / f"{key}.lock")

    def entries(self) -> tuple[Entry, ...]:
        """All results, the ones used longest ago first. A broken one is no result: `verify` names it."""
        found = []
        for path in sorted(self.root.glob(f"entries/*/{ENTRY}"), key=lambda path: path.stat().st_mtime):
            with suppress(InputError):
                found.append(read_json(path, Entry))
        return tuple(found)

    def used(self, key: str) -> datetime:
        """When a result was last asked for."""
        return datetime.fromtimestamp((self._place(key) / ENTRY).stat().st_mtime, UTC)

    def remove(self, keys: Sequence[str]) -> None:
        """Delete results.

        Raises:
            OutputError: they cannot be.
        """
        for key in keys:
            place = self._place(key)
            try:
                with scratch_in(self.root) as scratch:  # renamed first: a half deleted result is none
                    place.rename(scratch / key)
            except FileNotFoundError:
                continue
            except OSError as error:
                raise OutputError(f"cannot delete {place}: {error.strerror}") from error

    def verify(self) -> dict[str, str]:
        """Read every file again. Returns what is wrong, by key."""
        broken = {}
        for place in sorted(self.root.glob("entries/*")):
            try:
                entry: Entry = read_json(place / ENTRY, Entry)
            except InputError as error:
                broken[place.name] = str(error)
                continue
            content = place / CONTENT
            for record in entry.files:
                path = content / record.path
                if not path.is_file():
                    broken[entry.key] = f"{record.path} of {entry.name} is missing"
                elif path.stat().st_size != record.size_bytes or sha256_of(path) != record.sha256:
                    broken[entry.key] = f"{record.path} of {entry.name} is not what was written"
            extra = {path.relative_to(content).as_posix() for path in content.rglob("*") if path.is_file()}
            if added := extra - {record.path for record in entry.files}:
                broken.setdefault(entry.key, f"{min(added)} of {entry.name} was added")
        return broken

    def _refusal(self, error: OSError) -> OutputError:
        reason = error.args[0][0][2] if isinstance(error, shutil.Error) else error.strerror  # that has one for each file
        return OutputError(f"cannot write to the cache {self.root}: {reason}. Choose another with {VARIABLE}")

    def _place(self, key: str) -> Path:
        return self.root / "entries" / key

    @staticmethod
    def _take_place(made: Path, place: Path) -> None:
        """Rename; whoever came first stays, unless it is no whole entry."""
        if not (place / ENTRY).is_file() and place.exists():
            shutil.rmtree(place)
        try:
            made.rename(place)
        except OSError:
            if not (place / ENTRY).is_file():
                raise


def link_tree(source: Path, target: Path) -> Path:
    """Put a folder's files at another place without copying them, where the file system can."""
    return Path(shutil.copytree(source, target, copy_function=_link))


def _link(source: str, target: str) -> str:
    try:
        os.link(source, target)
    except OSError:  # another file system, or one without links
        shutil.copy2(source, target)
    return target
