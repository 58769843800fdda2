"""Which kernels a session has, told by the graph that ONNX Runtime made of the file."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

_FLOAT_PRODUCTS = {"Conv", "FusedConv", "NhwcFusedConv", "Gemm", "FusedGemm", "MatMul", "FusedMatMul"}
_INTEGER_PRODUCTS = {
    "QLinearConv",
    "ConvInteger",
    "QGemm",
    "QLinearMatMul",
    "MatMulInteger",
    "MatMulIntegerToFloat",
    "DynamicQuantizeMatMul",
}
PRODUCTS = _FLOAT_PRODUCTS | _INTEGER_PRODUCTS
_INTEGER = "QLinear"  # how the names of all other integer kernels begin
_MOVES = {  # these compute nothing, or are the way from float to int8 and back
    "QuantizeLinear",
    "DequantizeLinear",
    "Transpose",
    "Reshape",
    "Flatten",
    "Squeeze",
    "Unsqueeze",
    "Identity",
    "Pad",
    "ReorderInput",
    "ReorderOutput",
}


@dataclass(frozen=True, slots=True)
class Kernels:
    """What computes.

    Attributes:
        integer_products: convolutions and linear layers that multiply integers.
        products: all of them.
        float_ops: kinds of operators that compute in float, in order of their names.
    """

    integer_products: int
    products: int
    float_ops: tuple[str, ...]

    @property
    def fraction(self) -> float | None:
        """The part of the products that are integer, 0 to 1; None where there is no product."""
        return self.integer_products / self.products if self.products else None

    def __str__(self) -> str:
        rest = f", float32 in {', '.join(self.float_ops)}" if self.float_ops else ""
        return f"int8 in {self.integer_products} of {self.products} products{rest}"


def count_kernels(op_types: Iterable[str]) -> Kernels:
    """Sort the operators of an optimised graph."""
    kinds = list(op_types)
    integer = sum(kind in _INTEGER_PRODUCTS for kind in kinds)
    computes = {kind for kind in kinds if kind not in _MOVES | _INTEGER_PRODUCTS and not kind.startswith(_INTEGER)}
    return Kernels(integer, integer + sum(kind in _FLOAT_PRODUCTS for kind in kinds), tuple(sorted(computes)))
