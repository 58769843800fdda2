"""Which of Arm's multiplications were run, read off QEMU's log: that tells whose kernels computed."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

# By the bits of the instruction, for QEMU's disassembler does not know the newer ones: which bits matter, and their values.
# Arm Architecture Reference Manual for A-profile, C7.2: of a vector, and by element.
ENCODINGS = {
    "float32 products": ((0xBFE0FC00, 0x0E20CC00), (0xBFC0F400, 0x0F801000)),  # FMLA, single precision
    "float16 products": ((0xBFE0FC00, 0x0E400C00), (0xBFC0F400, 0x0F001000)),  # FMLA, half precision
    "int8 dot products": ((0x9FE0FC00, 0x0E809400), (0x9FC0F400, 0x0F80E000)),  # SDOT, UDOT
    "int8 matrix products": ((0xDFE0FC00, 0x4E80A400), (0xFFE0FC00, 0x4E80AC00)),  # SMMLA, UMMLA; USMMLA
}
_LINE = re.compile(r"0x[0-9a-f]+:\s+([0-9a-f]{8})\s")


def count_products(log: Path) -> dict[str, int]:
    """Count the instructions of each kind in the code that QEMU translated, however often it ran then.

    Args:
        log: of `qemu-aarch64 -d in_asm`.
    """
    with log.open(encoding="utf-8", errors="replace") as lines:
        return count_words(int(match[1], 16) for line in lines if (match := _LINE.match(line)))


def count_words(words: Iterable[int]) -> dict[str, int]:
    """Count instructions, given as 32-bit numbers."""
    counts = dict.fromkeys(ENCODINGS, 0)
    for word in words:
        for kind, forms in ENCODINGS.items():
            counts[kind] += any(word & mask == value for mask, value in forms)
    return {kind: count for kind, count in counts.items() if count}
