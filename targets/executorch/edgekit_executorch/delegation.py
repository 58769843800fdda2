"""How much of a program XNNPACK took: written beside the `.pte` at conversion, because the file itself does not say."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from edgekit.errors import InputError

FILE_NAME = "delegation.json"
# Bookkeeping of the exported graph that computes nothing.
UNCOUNTED = ("getitem",)
FLOAT32_INT8_WEIGHTS = "float32 with int8 weights"


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """What XNNPACK computes in.

    Attributes:
        products: how many convolutions and linear layers, by type: "int8", "float32", "float16", `FLOAT32_INT8_WEIGHTS`.
        float32_operators: how many others in float32, by XNNPACK's name.
    """

    products: dict[str, int] = field(default_factory=dict)
    float32_operators: dict[str, int] = field(default_factory=dict)

    @property
    def summary(self) -> str:
        """In words, e.g. "int8 in 27 of 28 products, float32 in 1; besides products, float32 in 9 Add"."""
        total = sum(self.products.values())
        if set(self.products) <= {"float32", FLOAT32_INT8_WEIGHTS}:
            count = self.products.get(FLOAT32_INT8_WEIGHTS)
            return f"float32, int8 weights in {count} of {total} products" if count else "float32"
        kinds = [f"{kind} in {count}" for kind, count in self.products.items()]
        words = ", ".join([f"{kinds[0]} of {total} products", *kinds[1:]])
        others = ", ".join(f"{count} {name}" for name, count in self.float32_operators.items())
        return f"{words}; besides products, float32 in {others}" if others else words


@dataclass(frozen=True, slots=True)
class Delegation:
    """Counts of operators.

    Attributes:
        delegated: those that XNNPACK runs.
        portable: those that ExecuTorch's portable kernels run, by name.
        arithmetic: what XNNPACK computes in.
    """

    delegated: int
    portable: dict[str, int]
    arithmetic: Arithmetic = field(default_factory=Arithmetic)

    @property
    def fraction(self) -> float:
        """Delegated part of all operators, 0 to 1."""
        total = self.delegated + sum(self.portable.values())
        return self.delegated / total if total else 0.0


def count_delegation(graph_module: Any, arithmetic: Arithmetic) -> Delegation:
    """Read the counts off a lowered graph."""
    from executorch.devtools.backend_debug import get_delegation_info  # pandas: seconds, and only needed here

    info = get_delegation_info(graph_module)
    delegated, portable = 0, {}
    for name, counts in info.delegation_by_operator.items():
        if name not in UNCOUNTED:
            delegated += counts.delegated
            if counts.non_delegated:
                portable[name] = counts.non_delegated
    return Delegation(delegated, portable, arithmetic)


def write_delegation(delegation: Delegation, folder: Path) -> None:
    """Write the counts into an artifact's folder."""
    (folder / FILE_NAME).write_bytes(msgspec.json.format(msgspec.json.encode(delegation), indent=2) + b"\n")


def read_delegation(folder: Path) -> Delegation:
    """Read them back.

    Raises:
        InputError: the file is missing or broken.
    """
    try:
        return msgspec.json.decode((folder / FILE_NAME).read_bytes(), type=Delegation)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise InputError(f"{folder / FILE_NAME} cannot be read ({error}): convert again") from error
