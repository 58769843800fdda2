"""How the values of a program are computed: to what they are rounded, and which operators another kernel takes over."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from torch import Tensor

from edgekit_coreml.reference.neural_engine import FixedPoint, round_away
from edgekit_coreml.reference.ops import Op
from edgekit_coreml.reference.products import SumOfProducts
from edgekit_coreml.reference.sequential import SequentialHalf

SOURCE = "github.com/751K/Apple-Neural-Engine-Microarchitecture-Study-M6, measured on an M6 in October 2026"


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """One way to compute a program.

    Attributes:
        name: as the user types it.
        description: what it is, in words that a report can show; for a model of a device, with its source.
        round: what is done to every value that the program types float16, held as float32; None where nothing is.
        ops: operators, by MIL name, that are computed in another way than by `edgekit_coreml.reference.ops` where their result
            is typed float16.
        sums: what computes these, for the largest of its sums on their way; None where nothing knows them.
    """

    name: str
    description: str
    round: Callable[[Tensor], Tensor] | None = None
    ops: Mapping[str, Op] = field(default_factory=dict)
    sums: SumOfProducts | None = None


def rounded(value: Tensor) -> Tensor:
    """Round to the nearest float16, halves to even, and hold the result as float32."""
    return value.half().float()


def _modelled(name: str, description: str, round_: Callable[[Tensor], Tensor], sums: SumOfProducts) -> Arithmetic:
    return Arithmetic(name, f"model: {description} ({SOURCE})", round_, sums.take_over(), sums)


ARITHMETICS = {
    each.name: each
    for each in (
        Arithmetic("exact", "float32 compute of the stored program"),
        Arithmetic(
            "float16",
            "every tensor that the program types as float16 rounded after each operation, float32 accumulation",
            rounded,
        ),
        _modelled(
            "neural-engine",
            "as float16, with sums of products in fixed point of 16 fractional bits, which stick at infinity from 32768 and "
            "drop tiny products, as on the Neural Engine",
            round_away,
            FixedPoint(),
        ),
        _modelled(
            "cpu",
            "as float16, with sums of products in float16, one fused multiply-add after the other, as in Core ML on the CPU",
            rounded,
            SequentialHalf(),
        ),
    )
}
