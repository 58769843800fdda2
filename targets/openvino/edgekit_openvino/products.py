"""Which layers of a compiled model compute with integers, told by the model that the CPU plugin says it runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

_PRODUCTS = {"Convolution", "FullyConnected", "MatMul"}
_MOVES = {"Input", "Output", "Const", "Reorder", "Reshape", "Pad", "Transpose", "Convert"}
_INTEGER = ("_i8", "_u8")  # how the name of an integer kernel ends, as in "brgconv_avx512_1x1_I8"


@dataclass(frozen=True, slots=True)
class Products:
    """What computes.

    Attributes:
        integer: convolutions and linear layers that multiply integers.
        total: all of them.
        float_ops: kinds of operators that compute in float, in order of their names.
    """

    integer: int
    total: int
    float_ops: tuple[str, ...]

    @property
    def fraction(self) -> float | None:
        """The part of the products that are integer, 0 to 1; None where there is no product."""
        return self.integer / self.total if self.total else None

    def __str__(self) -> str:
        return f"int8 in {self.integer} of {self.total} products"


def count_products(layers: Iterable[Mapping[str, str]]) -> Products:
    """Sort the layers of `CompiledModel.get_runtime_model()`.

    Args:
        layers: of each its `rt_info`: "layerType", "primitiveType" and "originalLayersNames".
    """
    integer = total = 0
    float_ops: set[str] = set()
    for layer in layers:
        is_product = layer["layerType"] in _PRODUCTS
        is_integer = layer["primitiveType"].lower().endswith(_INTEGER)
        total += is_product
        integer += is_product and is_integer
        if not is_integer and layer["layerType"] not in _MOVES:
            float_ops.update([layer["layerType"]] if is_product else _kinds(layer["originalLayersNames"]))
    return Products(integer, total, tuple(sorted(float_ops)))


def _kinds(names: str) -> list[str]:
    """The operators that a layer was made of: `add_1/Add` is of the program, what has no path was put in by OpenVINO's passes."""
    found = (name.rpartition("/") for name in names.split(","))
    return [kind for path, _, kind in found if path and not kind.startswith("Dequantization")]
