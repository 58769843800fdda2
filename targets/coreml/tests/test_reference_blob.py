"""The weight file, built by hand from its published layout."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from edgekit.errors import InputError
from edgekit_coreml.reference.blob import BlobFile

VALUES = np.array([1.5, -2.0, 0.25], np.float32)


def stored(
    *,
    version: int = 2,
    sentinel: int = 0xDEADBEEF,
    dtype: int = 2,
    size: int = 12,
    start: int = 128,
    data: bytes = VALUES.tobytes(),
) -> bytes:
    header = struct.pack("<II", 1, version).ljust(64, b"\0")
    return header + struct.pack("<IIQQ", sentinel, dtype, size, start).ljust(64, b"\0") + data


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "weight.bin"


def test_reads_a_blob(path: Path) -> None:
    path.write_bytes(stored())
    np.testing.assert_array_equal(BlobFile(path).read(64, "float32", 3), VALUES)


@pytest.mark.parametrize(("number", "name"), [(1, "float16"), (3, "uint8"), (4, "int8"), (6, "int16"), (14, "int32")])
def test_reads_every_plain_type(path: Path, number: int, name: str) -> None:
    values = np.array([1, 2, 3], name)
    path.write_bytes(stored(dtype=number, size=values.nbytes, data=values.tobytes()))
    np.testing.assert_array_equal(BlobFile(path).read(64, name, 3), values)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (stored()[:-1], "bytes 128 to 140 of a file of 139"),
        (stored()[:100], "lies beyond the end of the file"),
        (stored()[:10], "the header lies beyond the end"),
        (b"", "the header lies beyond the end"),
        (stored(version=1), "header says 1"),
        (stored(sentinel=0xDEADBEEE), "has no blob at offset 64"),
        (stored(start=2**63), "truncated or damaged"),
        (stored(start=2**64 - 64), "truncated or damaged"),
        (stored(start=129, data=b"\0" * 13), "truncated or damaged"),
        (stored(dtype=1), "holds float16, but the model declares float32"),
        (stored(dtype=8), "holds int4, but the model declares float32"),
        (stored(dtype=99), "holds unknown dtype 99"),
        (stored(size=16), "has 16 bytes, but the model declares 3 values"),
    ],
)
def test_refuses_a_damaged_file(path: Path, content: bytes, message: str) -> None:
    path.write_bytes(content)
    with pytest.raises(InputError, match=message) as caught:
        BlobFile(path).read(64, "float32", 3)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("offset", [0, 65, 128, 2**40, 2**64 - 1])
def test_refuses_an_offset_that_is_not_a_blob(path: Path, offset: int) -> None:
    path.write_bytes(stored())
    with pytest.raises(InputError, match="blob at offset"):
        BlobFile(path).read(offset, "float32", 3)


def test_refuses_a_missing_file(path: Path) -> None:
    with pytest.raises(InputError, match="No such file"):
        BlobFile(path)
