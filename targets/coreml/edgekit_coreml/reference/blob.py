"""Weight files in the MILBlob storage format, version 2 (coremltools, mlmodel/src/MILBlob/Blob/StorageFormat.hpp).

    | header 64 B | metadata 0, 64 B | data 0 | padding to 64 B | metadata 1, 64 B | ...

A program refers to a blob by the offset of its metadata.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.errors import InputError
from edgekit_coreml.reference.dtype import from_bytes, stored_bytes
from edgekit_coreml.reference.package import Package

_ALIGNMENT = 64
_HEADER = struct.Struct("<II56x")  # number of blobs, version
_METADATA = struct.Struct("<IIQQ40x")  # sentinel, dtype, size in bytes, offset of the data; the rest was once left undefined
_VERSION = 2
_SENTINEL = 0xDEADBEEF
# https://github.com/apple/coremltools/blob/main/mlmodel/src/MILBlob/Blob/BlobDataType.hpp
_DTYPES = {
    1: "float16",
    2: "float32",
    3: "uint8",
    4: "int8",
    5: "bfloat16",
    6: "int16",
    7: "uint16",
    8: "int4",
    9: "uint1",
    10: "uint2",
    11: "uint4",
    12: "uint3",
    13: "uint6",
    14: "int32",
    15: "uint32",
    16: "float8e4m3fn",
    17: "float8e5m2",
}


class BlobFile:
    """One weight file, read whole: a file that changes later cannot change what has been read."""

    def __init__(self, path: Path) -> None:
        """Read the file and check its header.

        Raises:
            InputError: the file is missing, too short, or of another format.
        """
        self.path = path
        try:
            self._bytes = np.fromfile(path, np.uint8)
        except OSError as error:
            raise InputError(f"cannot read weight file {path} ({error.strerror}): copy the package again") from error
        _, version = self._unpack(_HEADER, 0, "header")
        if version != _VERSION:
            raise InputError(f"{path} is not a weight file of version {_VERSION}: its header says {version}")

    def read(self, offset: int, dtype: str, count: int) -> NDArray[Any]:
        """Read one blob as a flat array, which shares the file's memory where its values are whole bytes.

        Args:
            offset: of the blob's metadata, in bytes.
            dtype: the type that the program declares, as `HELD` names it.
            count: number of values that the program declares.

        Raises:
            InputError: the offset is not that of a blob, the blob is not wholly in the file, or it is of another type
                or size than declared.
        """
        blob = f"blob at offset {offset}"
        sentinel, number, size, start = self._unpack(_METADATA, offset, blob)
        if offset % _ALIGNMENT or sentinel != _SENTINEL:
            raise InputError(f"{self.path} has no {blob}: the model belongs to another weight file, or it is damaged")
        stored = _DTYPES.get(number, f"unknown dtype {number}")
        if stored != dtype:
            raise InputError(f"{self.path}: {blob} holds {stored}, but the model declares {dtype}")
        if size != stored_bytes(dtype, count):
            raise InputError(f"{self.path}: {blob} has {size} bytes, but the model declares {count} values of {dtype}")
        if start % _ALIGNMENT or start + size > self._bytes.size:
            raise InputError(
                f"{self.path}: {blob} has its data at bytes {start} to {start + size} of a file of {self._bytes.size}: "
                "it is truncated or damaged, copy the package again"
            )
        return from_bytes(self._bytes[start : start + size], dtype, count)

    def _unpack(self, layout: struct.Struct, offset: int, what: str) -> tuple[int, ...]:
        if offset + layout.size > self._bytes.size:
            raise InputError(
                f"{self.path}: the {what} lies beyond the end of the file ({self._bytes.size} bytes): "
                "it is truncated or damaged, copy the package again"
            )
        return layout.unpack(self._bytes[offset : offset + layout.size].tobytes())


class Weights:
    """The weight files of a package, each read when it is first needed."""

    def __init__(self, package: Package) -> None:
        """Read nothing yet."""
        self._package = package
        self._files: dict[str, BlobFile] = {}

    def read(self, name: str, offset: int, dtype: str, count: int) -> NDArray[Any]:
        """Read a blob of the file that the program calls `name`: see `BlobFile.read`."""
        if name not in self._files:
            self._files[name] = BlobFile(self._package.weight_file(name))
        return self._files[name].read(offset, dtype, count)
