"""A file that is as it was is not read again; one that is not, is."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
import pytest

from edgekit.document import sha256_of
from edgekit.matrix import digest
from edgekit.matrix.digest import FILE_NAME, SETTLED_NS, Digests


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Weights that nobody has touched for a while. The clock that counts, ctime, cannot be set back: the limit is."""
    path = tmp_path / "weights"
    path.write_bytes(b"weights")
    return path


@pytest.fixture(autouse=True)
def reads(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The files that were read; all of them settled."""
    read: list[Path] = []

    def noted(path: Path) -> str:
        read.append(path)
        return sha256_of(path)

    monkeypatch.setattr(digest, "SETTLED_NS", -1)
    monkeypatch.setattr(digest, "sha256_of", noted)
    return read


def test_a_file_is_read_once_whoever_asks(tmp_path: Path, file: Path, reads: list[Path]) -> None:
    expected = [sha256_of(file)]
    assert [Digests(tmp_path / "cache").sha256_of([file]) for _ in range(3)] == [expected] * 3
    assert reads == [file]


@pytest.mark.parametrize("keeps_its_times", [False, True])
def test_a_changed_file_is_read_again(tmp_path: Path, file: Path, keeps_its_times: bool) -> None:
    """The same size; and even with its old date set, for that changes ctime."""
    before = file.stat()
    (first,) = Digests(tmp_path / "cache").sha256_of([file])
    file.write_bytes(b"WEIGHTS")
    if keeps_its_times:
        os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    (second,) = Digests(tmp_path / "cache").sha256_of([file])
    assert second == sha256_of(file) != first


def test_another_file_in_its_place_is_read(tmp_path: Path, file: Path) -> None:
    Digests(tmp_path / "cache").sha256_of([file])
    other = tmp_path / "other"
    other.write_bytes(b"WEIGHTS")
    other.replace(file)
    assert Digests(tmp_path / "cache").sha256_of([file]) == [sha256_of(file)]


def test_what_changed_just_now_is_not_remembered(
    tmp_path: Path, file: Path, reads: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another change could have the same date."""
    monkeypatch.setattr(digest, "SETTLED_NS", SETTLED_NS)
    for _ in range(2):
        Digests(tmp_path / "cache").sha256_of([file])
    assert reads == [file, file]


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"a": 1}', b"\xff", b'{"\xff": 1}', b'{"a": [1, 2, 3, 4]}'])
def test_a_broken_memory_is_no_memory(tmp_path: Path, file: Path, content: bytes) -> None:
    (tmp_path / FILE_NAME).write_bytes(content)
    assert Digests(tmp_path).sha256_of([file]) == [sha256_of(file)]
    assert list(msgspec.json.decode((tmp_path / FILE_NAME).read_bytes())) == [str(file)]


def test_without_a_place_to_remember_it_is_slower_and_right(tmp_path: Path, file: Path) -> None:
    (tmp_path / "taken").write_text("a file, no folder")
    assert Digests(tmp_path / "taken").sha256_of([file, file]) == [sha256_of(file)] * 2


def test_a_name_that_is_no_text_is_not_remembered(tmp_path: Path) -> None:
    file = tmp_path / os.fsdecode(b"weights-\xff")
    file.write_bytes(b"weights")
    for _ in range(2):
        assert Digests(tmp_path / "cache").sha256_of([file]) == [sha256_of(file)]


def test_files_that_are_gone_are_forgotten(tmp_path: Path, file: Path) -> None:
    digests = Digests(tmp_path / "cache")
    digests.sha256_of([file])
    other = file.rename(tmp_path / "renamed")
    digests.sha256_of([other])
    assert list(msgspec.json.decode((tmp_path / "cache" / FILE_NAME).read_bytes())) == [str(other)]


def test_a_file_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Digests(tmp_path / "cache").sha256_of([tmp_path / "nothing"])


def test_what_is_forgotten_is_read_again(tmp_path: Path, file: Path, reads: list[Path]) -> None:
    digests = Digests(tmp_path)
    for _ in range(2):
        digests.sha256_of([file])
        digests.forget()
    assert reads == [file, file]
    assert not (tmp_path / FILE_NAME).exists()
