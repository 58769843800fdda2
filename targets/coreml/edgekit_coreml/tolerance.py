"""What an artifact must reach, where it is known how its numbers are computed and where it is not."""

from __future__ import annotations

import sys
from dataclasses import replace
from math import log10

from edgekit.precision import COMPRESSED, INT8
from edgekit.target import FLOAT16_TOLERANCE, FLOAT32_TOLERANCE, INT8_TOLERANCE, Tolerance

MAX_ERROR_RATIO = 2.5
MAX_SYNTHETIC_ERROR_RATIO = 5.0

_RATIOS = {
    "max_loss_db": 20 * log10(MAX_ERROR_RATIO),
    "max_synthetic_loss_db": 20 * log10(MAX_SYNTHETIC_ERROR_RATIO),
}

REFERENCE_TOLERANCES = {
    "float32": Tolerance(
        "float32",
        **_RATIOS,
        min_sqnr_db=FLOAT32_TOLERANCE.min_sqnr_db,
        max_peak_error=FLOAT32_TOLERANCE.max_peak_error,
        reason="the reference runtime computes in float32 as PyTorch does, so its error may be 2.5 times PyTorch's own, and 5 "
        "times on synthetic inputs; the largest seen are 1.2 on photographs and 1.7 on synthetic inputs",
    ),
    "float16": Tolerance(
        "stored-float16",
        **_RATIOS,
        min_sqnr_db=FLOAT16_TOLERANCE.min_sqnr_db,
        max_peak_error=FLOAT16_TOLERANCE.max_peak_error,
        reason="the reference runtime rounds weights and results to float16 and nothing else, so its error may be 2.5 times that "
        "of the float64 network rounded likewise, and 5 times on synthetic inputs; the largest seen are 1.6 on photographs and "
        "2.4 on synthetic inputs, in networks with hard-swish, which Core ML's programs round twice",
    ),
}
"""For the reference runtime, whose arithmetic is known: what is left of the error beside that is the converter's."""

FLOAT16_INT8_TOLERANCE = replace(
    INT8_TOLERANCE,
    yardstick="stored-float16",
    reason="Core ML holds scales, biases and what lies between two roundings in float16, whose error is a twentieth of a step: "
    "the yardstick is the exact int8 program with all that rounded likewise, and two that round so differ as much as either does "
    "from the exact one, in what they round to the next step",
)

_FLOATS = {"float32": FLOAT32_TOLERANCE, "float16": FLOAT16_TOLERANCE} if sys.platform == "darwin" else REFERENCE_TOLERANCES
TOLERANCES = {**_FLOATS, INT8: FLOAT16_INT8_TOLERANCE, **dict.fromkeys(COMPRESSED, _FLOATS["float16"])}
"""Core ML's own kernels sum as they like: a model of its CPU's loses up to 14 dB more than rounding what is stored. Compressed
weights are float16 values to all that computes with them."""
