"""The data types of ML programs: how a value of each is stored in a file, and how it is held here."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

HELD: dict[str, torch.dtype] = {
    "float16": torch.float32,  # every float is computed with in float32
    "float32": torch.float32,
    "float64": torch.float64,
    "bool": torch.bool,
    "int4": torch.int8,  # one value per element
    "int8": torch.int8,
    "int16": torch.int16,
    "int32": torch.int32,
    "int64": torch.int64,
    "uint1": torch.uint8,
    "uint2": torch.uint8,
    "uint3": torch.uint8,
    "uint4": torch.uint8,
    "uint6": torch.uint8,
    "uint8": torch.uint8,
    "uint16": torch.uint16,
    "uint32": torch.uint32,
    "uint64": torch.uint64,
}
"""The type that a tensor of each declared type has in memory. What is not here cannot be held: bfloat16 and float8."""

_BITS = {"int4": 4, "uint1": 1, "uint2": 2, "uint3": 3, "uint4": 4, "uint6": 6}
_SHORT = {"fp16": "float16", "fp32": "float32", "fp64": "float64"}


def full_name(short: str) -> str:
    """Name a dtype as numpy does, given as operators spell it in their string inputs: "fp16" is "float16"."""
    return _SHORT.get(short, short)


def stored_bytes(dtype: str, count: int) -> int:
    """How many bytes hold `count` values: those of less than a byte are packed without gaps."""
    bits = _BITS.get(dtype)
    return count * np.dtype(dtype).itemsize if bits is None else -(-bits * count // 8)


def from_bytes(raw: NDArray[np.uint8], dtype: str, count: int) -> NDArray[np.generic]:
    """Read `count` values from exactly `stored_bytes` bytes, little-endian, without a copy where they are whole bytes.

    Values of less than a byte are packed from the lowest bit of the first byte up, also across the border of two bytes
    (coremltools, mlmodel/src/MILBlob/SubByteTypes.cpp). They come back one per int8 or uint8.
    """
    bits = _BITS.get(dtype)
    if bits is None:
        return raw.view(dtype)
    each = np.unpackbits(raw, count=bits * count, bitorder="little").reshape(count, bits)
    values: NDArray[np.uint8] = np.packbits(each, axis=1, bitorder="little").reshape(count)
    if dtype.startswith("u"):
        return values
    sign = 1 << (bits - 1)
    return (values ^ sign).astype(np.int8) - np.int8(sign)
