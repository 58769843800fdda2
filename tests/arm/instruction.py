"""Which of Arm's multiplications were run, read off QEMU's log: that tells whose kernels computed."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

# By the bits of the instruction, for QEMU's disassembler does not know the newer ones: which bits matter, and their values.
# Arm Architecture Reference Manual for A-profile, C7.2: of a vector, and by element.
ENCODINGS = {
    "float32 products": ((0xBFE0FC00, 0x0E20CC00), (0xBFC0F400, 0x0F801000)),  # FMLA, single precision
    "float16 products": ((0xBFE0FC00, 0x0E400C00), (0xBFC0F400, 0x0F001000)),  # FMLA, half precision
    "int8 dot products": ((0x9FE0FC00, 0x0E809400), (0x9FC0F400, 0x0F80E000)),  # SDOT, UDOT
    "int8 matrix products": ((0xDFE0FC00, 0x4E80A400), (0xFFE0FC00, 0x4E80AC00)),  # SMMLA, UMMLA; USMMLA
}
_WORD = re.compile(rb"^0x[0-9a-f]+:\s+([0-9a-f]{8})\s", re.MULTILINE)


def count_products(log: Path) -> dict[str, int]:
    """Count the instructions of each kind in the code that QEMU translated, however often it ran then.

    Args:
        log: of `qemu-aarch64 -d in_asm`.
    """
    digits = b"".join(_WORD.findall(log.read_bytes())).decode()
    return count_words(np.frombuffer(bytes.fromhex(digits), ">u4").astype(np.uint32))


def count_words(words: NDArray[np.uint32]) -> dict[str, int]:
    """Count instructions, given as numbers."""
    counts = {
        kind: sum(int(np.count_nonzero(words & mask == value)) for mask, value in forms) for kind, forms in ENCODINGS.items()
    }
    return {kind: count for kind, count in counts.items() if count}
