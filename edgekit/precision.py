"""The precisions that an artifact can have. A target says which of them it supports by the tolerances it has for them."""

from __future__ import annotations

COMPRESSED = ("int8-weights", "palettized-8", "palettized-6", "palettized-4", "pruned-50")
"""Precisions of the weights alone, all else being float16: a scale per output channel; a table of 2^bits values per tensor; half
of each tensor zero. The values are chosen once for all targets, by `edgekit.mobilenet.compression`; a target stores them without
loss, and is judged against the network that has them."""
PRECISIONS = ("float32", "float16", *COMPRESSED)
