"""The data types of ML programs, and the one in which a value of each is held here."""

from __future__ import annotations

import torch

HELD: dict[str, torch.dtype] = {
    "float16": torch.float32,  # every float is computed with in float32
    "float32": torch.float32,
    "bool": torch.bool,
    "int8": torch.int8,
    "uint8": torch.uint8,
    "int16": torch.int16,
    "uint16": torch.uint16,
    "int32": torch.int32,
}

_SHORT = {"fp16": "float16", "fp32": "float32"}


def full_name(short: str) -> str:
    """Name a dtype as numpy does, given as operators spell it in their string inputs: "fp16" is "float16"."""
    return _SHORT.get(short, short)
