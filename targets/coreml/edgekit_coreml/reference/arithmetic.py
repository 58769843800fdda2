"""How the values of a program are computed: which are rounded, and which operators another kernel takes over."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from edgekit_coreml.reference.ops import Op


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """One way to compute a program.

    Attributes:
        name: as the user types it.
        description: what it is, in words that a report can show; for a model of a device, with its source.
        rounds: whether every value that the program types float16 is rounded to it.
        ops: operators, by MIL name, that are computed in another way than by `edgekit_coreml.reference.ops`.
    """

    name: str
    description: str
    rounds: bool
    ops: Mapping[str, Op] = field(default_factory=dict)


ARITHMETICS = {
    each.name: each
    for each in (
        Arithmetic("exact", "float32 compute of the stored program", rounds=False),
        Arithmetic(
            "float16",
            "every tensor that the program types as float16 rounded after each operation, float32 accumulation",
            rounds=True,
        ),
    )
}
