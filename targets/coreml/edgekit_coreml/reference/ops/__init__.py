"""Operators, one module per family. Importing a family registers its functions.

Semantics are those of Apple's documentation of the MIL operators (coremltools, converters/mil/mil/ops/defs). A function
raises ValueError for what it does not implement; nothing is ever approximated.
"""

from edgekit_coreml.reference.ops import (
    activation,
    attention,
    casting,
    compression,
    convolution,
    elementwise,
    linear,
    logical,
    normalization,
    padding,
    pooling,
    quantization,
    recurrent,
    reduction,
    resizing,
    shape,
    slicing,
    unary,
)
from edgekit_coreml.reference.ops.registry import OPS, Compute, Op, Parameter, Rounded

__all__ = [
    "OPS",
    "Compute",
    "Op",
    "Parameter",
    "Rounded",
    "activation",
    "attention",
    "casting",
    "compression",
    "convolution",
    "elementwise",
    "linear",
    "logical",
    "normalization",
    "padding",
    "pooling",
    "quantization",
    "recurrent",
    "reduction",
    "resizing",
    "shape",
    "slicing",
    "unary",
]
