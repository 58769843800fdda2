"""Int8 products that ONNX Runtime gets wrong on some CPUs, and for which models.

Without VNNI x86 adds two products of an unsigned and a signed byte in 16 bits (vpmaddubsw), and cuts off what does not fit. With
the session option `session.x64quantprecision` ONNX Runtime makes the weights unsigned and takes kernels that are exact. They are
slower than those of VNNI, and it would take them there too: whether U8S8 overflows is asked of the tables of kernels, which
differ wherever there is AVX2.
https://github.com/microsoft/onnxruntime/blob/main/onnxruntime/core/mlas/lib/platform.cpp (MlasPlatformU8S8Overflow)

A model's weights are read from the file here. The onnx package would do it, but takes longer to import than a session to open.
"""

from __future__ import annotations

import platform
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from edgekit.machine import describe_machine

SUMS_IN_32_BITS = {"avx512_vnni", "avx_vnni"}
LARGEST_THAT_FITS = (2**15 - 1) // (2 * 255)
# numbers of fields in https://github.com/onnx/onnx/blob/main/onnx/onnx.proto
_GRAPH, _INITIALIZER, _DATA_TYPE, _RAW_DATA, _INT8 = 7, 5, 2, 9, 3
_NUMBER, _EIGHT_BYTES, _TEXT, _FOUR_BYTES = 0, 1, 2, 5  # https://protobuf.dev/programming-guides/encoding/
_SIZES = {_EIGHT_BYTES: 8, _FOUR_BYTES: 4}


def cpu_overflows() -> bool:
    """Whether this CPU adds in 16 bits. An x86 CPU of which nothing is known is taken for one."""
    is_x86 = platform.machine().lower() in ("x86_64", "amd64")
    return is_x86 and not SUMS_IN_32_BITS & set(describe_machine().instruction_sets)


def may_overflow(path: Path) -> bool:
    """Whether two products of a model's int8 weights can be too large for 16 bits: those of 7 bits cannot.

    So may those of a file that is not written as expected: the session says what is wrong with it.
    """
    try:
        return any(_is_large(tensor) for graph in _of(path.read_bytes(), _GRAPH) for tensor in _of(graph, _INITIALIZER))
    except (IndexError, ValueError):
        return True


def _is_large(tensor: bytes) -> bool:
    fields = dict(_fields(tensor))
    if fields.get(_DATA_TYPE) != _INT8:
        return False
    raw = fields.get(_RAW_DATA)
    if not isinstance(raw, bytes):
        return True  # the values are elsewhere
    return bool((np.abs(np.frombuffer(raw, np.int8).astype(np.int16)) > LARGEST_THAT_FITS).any())


def _of(message: bytes, number: int) -> Iterator[bytes]:
    """Parts of a message that have this number and are messages."""
    return (value for found, value in _fields(message) if found == number and isinstance(value, bytes))


def _fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Numbers and values of a message's fields.

    Raises:
        IndexError: it ends in the middle of a number.
        ValueError: it ends in the middle of a value, or has a value of a kind that onnx.proto does not use.
    """
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        number, kind = tag >> 3, tag & 7
        if kind == _NUMBER:
            value, at = _varint(message, at)
            yield number, value
            continue
        if kind != _TEXT and kind not in _SIZES:
            raise ValueError(f"field {number} is of kind {kind}")
        size, at = _varint(message, at) if kind == _TEXT else (_SIZES[kind], at)
        if at + size > len(message):
            raise ValueError(f"field {number} is cut off")
        yield number, message[at : at + size]
        at += size


def _varint(message: bytes, at: int) -> tuple[int, int]:
    value, shift = 0, 0
    while True:
        byte = message[at]
        value, shift, at = value | (byte & 127) << shift, shift + 7, at + 1
        if byte < 128:
            return value, at
