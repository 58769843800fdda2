"""Operators that coremltools knows and the reference runtime refuses, each with the reason."""

from __future__ import annotations

_RANDOM = "Core ML does not say which generator draws its numbers, so that no other program can draw the same"

UNSUPPORTED: dict[str, str] = {
    "_const_symbolic": "it holds sizes while coremltools converts a model, and is not meant for a saved program",
    "conv_quantized": (
        "it is experimental, and its documentation does not say what a look-up table, fewer than 8 bits or a bias of bytes mean"
    ),
    "random_bernoulli": _RANDOM,
    "random_categorical": _RANDOM,
    "random_normal": _RANDOM,
    "random_uniform": _RANDOM,
}
