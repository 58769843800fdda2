"""An ML program as typed records."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

from edgekit_coreml.reference.dtype import HELD

Shape = tuple[int | None, ...]


@dataclass(frozen=True, slots=True)
class Variable:
    """A value that the program computes or is given.

    Attributes:
        name: unique where it is seen.
        dtype: numpy's name of the declared type, such as "float16"; also "int4", "uint1", "uint2", "uint3", "uint4", "uint6".
        shape: the declared sizes; None for a size, or for the whole shape, that is known only when the program runs.
    """

    name: str
    dtype: str
    shape: Shape | None

    def accepts(self, shape: tuple[int, ...]) -> bool:
        """Say whether a value of this shape is what the program declares."""
        if self.shape is None or self.shape == shape:
            return True
        return len(self.shape) == len(shape) and all(
            declared in (None, size) for declared, size in zip(self.shape, shape, strict=True)
        )

    def __str__(self) -> str:
        """Write it for people: `'image' float32[1, 3, 224, 224]`."""
        return f"{self.name!r} {described(self.dtype, self.shape)}"


@dataclass(frozen=True, slots=True, eq=False)
class Constant:
    """A value that is known before the program runs: stored in the package, or computed from such values alone.

    Attributes:
        dtype: the declared type, as in `Variable`; "string" for text.
        value: an array of the type that the file has, or that `HELD` says; one value per element, whatever its type; or text.
    """

    dtype: str
    value: NDArray[Any] | str

    @property
    def shape(self) -> tuple[int, ...]:
        """The sizes of the array; text has none."""
        return () if isinstance(self.value, str) else self.value.shape

    def tensor(self) -> Tensor:
        """Hold it as `HELD` says, without a copy where its type is already that one.

        Raises:
            ValueError: it is text.
        """
        if isinstance(self.value, str):
            raise ValueError(f"text {self.value!r} stands where numbers are needed")
        return torch.from_numpy(self.value).to(HELD[self.dtype])


Operand = Variable | Constant
"""What an operator is given."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One operator of the program.

    Attributes:
        type: MIL's name of the operator, such as "conv".
        inputs: operands by the name of the input; more than one where the input is a tuple.
        outputs: what it computes, in order.
    """

    type: str
    inputs: dict[str, tuple[Operand, ...]]
    outputs: tuple[Variable, ...]


@dataclass(frozen=True, slots=True)
class Program:
    """The one function of a model.

    Attributes:
        spec_version: Core ML's specification version, 7 for iOS 16.
        inputs: what the caller gives.
        outputs: what the caller gets.
        operations: in the order of execution, without `const`.
        constants: the outputs that are no operation's.
    """

    spec_version: int
    inputs: tuple[Variable, ...]
    outputs: tuple[Variable, ...]
    operations: tuple[Operation, ...]
    constants: dict[str, Constant]


def described(dtype: str, shape: Shape | None) -> str:
    """Write a type for people: `float32[1, 3, ?]`."""
    sizes = "..." if shape is None else ", ".join("?" if size is None else str(size) for size in shape)
    return f"{dtype}[{sizes}]"
