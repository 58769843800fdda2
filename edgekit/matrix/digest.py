"""Sha256 of files, remembered: one that is as it was is not read again, and a checkpoint can be large.

A file is as it was if its size, inode and both times are; git's index tells it so as well. A file that was changed less than
two seconds before it was read is not remembered: another change could come within the same tick of its file system's clock
(git-scm.com/docs/racy-git).
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import msgspec

from edgekit.document import sha256_of
from edgekit.scratch import scratch_in

FILE_NAME = "digests.json"
SETTLED_NS = 2_000_000_000


class Digest(NamedTuple):
    """What a file was like when it was read, and its sha256; times in nanoseconds since 1970."""

    size_bytes: int
    inode: int
    modified_ns: int
    changed_ns: int
    sha256: str


class Digests:
    """Those of one cache folder. A file of them that cannot be read or written costs time and nothing else."""

    def __init__(self, root: Path) -> None:
        self._path = root / FILE_NAME

    def sha256_of(self, paths: Sequence[Path]) -> list[str]:
        """Of each file, in order.

        Raises:
            OSError: a file cannot be read.
        """
        found = [self._recall(path) for path in paths]
        made: dict[Path, Digest] = {}
        if fresh := [path for path, digest in zip(paths, found, strict=True) if digest is None]:
            with ThreadPoolExecutor() as pool:  # hashing lets other threads run
                made = dict(zip(fresh, pool.map(_read, fresh), strict=True))
            if settled := {path: digest for path, digest in made.items() if digest.changed_ns}:
                self._keep(settled)
        return [(digest or made[path]).sha256 for path, digest in zip(paths, found, strict=True)]

    def forget(self) -> None:
        """Read every file again from now on."""
        with suppress(OSError):
            self._path.unlink(missing_ok=True)
        self.__dict__.pop("_known", None)

    @cached_property
    def _known(self) -> dict[str, Digest]:
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=dict[str, Digest])
        except (OSError, msgspec.DecodeError, UnicodeDecodeError):
            return {}

    def _recall(self, path: Path) -> Digest | None:
        known = self._known.get(os.path.abspath(path))
        return known if known and known[:-1] == _state(path) else None

    def _keep(self, made: Mapping[Path, Digest]) -> None:
        self._known.update((os.path.abspath(path), digest) for path, digest in made.items())
        there = {path: digest for path, digest in self._known.items() if os.path.exists(path)}
        with suppress(OSError, UnicodeEncodeError):  # a name need not be text
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with scratch_in(self._path.parent) as scratch:
                (scratch / FILE_NAME).write_bytes(msgspec.json.encode(there))
                (scratch / FILE_NAME).replace(self._path)  # of two runs at once the last one's stays


def _state(path: Path) -> tuple[int, int, int, int]:
    stat = path.stat()
    return stat.st_size, stat.st_ino, stat.st_mtime_ns, stat.st_ctime_ns


def _read(path: Path) -> Digest:
    """Read a file; without times if it changes too fast to be remembered."""
    before, now_ns = _state(path), time.time_ns()
    sha256 = sha256_of(path)
    is_settled = _state(path) == before and now_ns - max(before[2:]) > SETTLED_NS
    return Digest(*before, sha256) if is_settled else Digest(*before[:2], 0, 0, sha256)
