"""What Debian's assembler makes of Arm's instructions is told apart."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.arm.instruction import count_products, count_words

PRODUCTS = {
    "fmla v0.4s, v1.4s, v2.4s": "float32 products",
    "fmla v31.4s, v30.4s, v29.s[3]": "float32 products",
    "fmla v0.8h, v1.8h, v2.8h": "float16 products",
    "fmla v31.8h, v30.8h, v9.h[7]": "float16 products",
    "sdot v0.4s, v1.16b, v2.16b": "int8 dot products",
    "sdot v31.4s, v30.16b, v29.4b[3]": "int8 dot products",
    "udot v0.2s, v1.8b, v2.8b": "int8 dot products",
    "udot v0.4s, v1.16b, v2.4b[0]": "int8 dot products",
    "smmla v0.4s, v1.16b, v2.16b": "int8 matrix products",
    "ummla v31.4s, v30.16b, v29.16b": "int8 matrix products",
    "usmmla v0.4s, v1.16b, v2.16b": "int8 matrix products",
}
OTHERS = ("fmla v0.2d, v1.2d, v2.2d", "fmul v0.4s, v1.4s, v2.4s", "fmls v0.8h, v1.8h, v2.8h", "smlal v0.8h, v1.8b, v2.8b", "ret")


def _assemble(instruction: str, folder: Path) -> NDArray[np.uint32]:
    source, made, raw = (folder / name for name in ("code.s", "code.o", "code.bin"))
    source.write_text(f".arch armv8.6-a+fp16\n{instruction}\n")
    for command in (
        ("aarch64-linux-gnu-as", source, "-o", made),
        ("aarch64-linux-gnu-objcopy", "-O", "binary", "-j", ".text", made, raw),
    ):
        subprocess.run(command, check=True)
    return np.frombuffer(raw.read_bytes(), "<u4").astype(np.uint32)


@pytest.mark.usefixtures("arm")
@pytest.mark.parametrize("instruction", PRODUCTS)
def test_a_product_is_counted_as_what_it_is(instruction: str, tmp_path: Path) -> None:
    assert count_words(_assemble(instruction, tmp_path)) == {PRODUCTS[instruction]: 1}


@pytest.mark.usefixtures("arm")
@pytest.mark.parametrize("instruction", OTHERS)
def test_nothing_else_is_counted(instruction: str, tmp_path: Path) -> None:
    assert count_words(_assemble(instruction, tmp_path)) == {}


def test_a_log_is_read_line_by_line(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("----\nIN: xnn\n0x5500:  4e829420  .byte    0x20, 0x94\n0x5504:  d65f03c0  ret      \n4e829420\n")
    assert count_products(log) == {"int8 dot products": 1}
