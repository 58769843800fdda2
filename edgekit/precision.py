"""The precisions that an artifact can have. A target says which of them it supports by the tolerances it has for them."""

from __future__ import annotations

INT8 = "int8"
"""Weights and activations of 8 bits. Which numbers they stand for is chosen once for all targets, on the user's own pictures, by
`edgekit.quantization`; a target computes that program, and is judged against it."""
COMPRESSED = ("int8-weights", "palettized-8", "palettized-6", "palettized-4", "pruned-50")
"""Precisions of the weights alone, all else being the target's float16 or float32: a scale per output channel; a table of 2^bits
values per tensor; half of each tensor zero. The values are chosen once for all targets, by `edgekit.mobilenet.compression`; a
target stores them without loss, and is judged against the network that has them."""
APPROXIMATE = (INT8, *COMPRESSED)
"""Precisions that make another network of the one that was trained. What that costs is judged apart from what a target adds."""
PRECISIONS = ("float32", "float16", INT8, *COMPRESSED)
