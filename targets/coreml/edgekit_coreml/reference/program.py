"""An ML program as typed records."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from edgekit_coreml.reference.dtype import HELD

Shape = tuple[int | None, ...]
Kind = Literal["tensor", "list", "state", "dictionary"]


@dataclass(frozen=True, slots=True)
class Variable:
    """A value that the program computes or is given.

    Attributes:
        name: unique where it is seen.
        dtype: numpy's name of the declared type, such as "float16"; also "int4", "uint1", "uint2", "uint3", "uint4", "uint6", and
            "string".
        shape: the declared sizes; None for a size, or for the whole shape, that is known only when the program runs.
        kind: a tensor of this type, or a list or state of such tensors, or a dictionary with such keys and with float values.
    """

    name: str
    dtype: str
    shape: Shape | None
    kind: Kind = "tensor"

    def accepts(self, shape: tuple[int, ...]) -> bool:
        """Say whether a value of this shape is what the program declares."""
        if self.shape is None or self.shape == shape:
            return True
        return len(self.shape) == len(shape) and all(
            declared in (None, size) for declared, size in zip(self.shape, shape, strict=True)
        )

    def __str__(self) -> str:
        """Write it for people: `'image' float32[1, 3, 224, 224]`."""
        type_ = described(self.dtype, self.shape)
        return f"{self.name!r} {type_ if self.kind == 'tensor' else f'{self.kind} of {type_}'}"


@dataclass(frozen=True, slots=True, eq=False)
class Constant:
    """A value that is known before the program runs: stored in the package, or computed from such values alone.

    Attributes:
        dtype: the declared type, as in `Variable`; "string" for text.
        value: an array of the type that the file has, or that `HELD` says; one value per element, whatever its type; or text; or,
            for a list, its elements.
        name: what the program calls it; empty where it stands in an operation itself.
    """

    dtype: str
    value: NDArray[Any] | str | tuple[str, ...] | tuple[int, ...]
    name: str = ""

    @property
    def shape(self) -> tuple[int, ...]:
        """The sizes of the array; text and the elements of a list have none."""
        return self.value.shape if isinstance(self.value, np.ndarray) else ()

    @property
    def kind(self) -> Kind:
        """Whether it is a list."""
        return "list" if isinstance(self.value, tuple) else "tensor"

    def tensor(self) -> Tensor:
        """Hold it as `HELD` says, without a copy where its type is already that one.

        Raises:
            ValueError: it is text or a list.
        """
        if not isinstance(self.value, np.ndarray):
            raise ValueError(f"{self.value!r} stands where a tensor is needed")
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
        blocks: the operations inside of control flow: both branches of `cond`, condition and body of `while_loop`.
    """

    type: str
    inputs: dict[str, tuple[Operand, ...]]
    outputs: tuple[Variable, ...]
    blocks: tuple[Block, ...] = ()


@dataclass(frozen=True, slots=True)
class Block:
    """Operations that run together, and see what is defined outside of them.

    Attributes:
        inputs: what they are given each time.
        operations: in the order of execution, without `const`.
        outputs: what they give back.
    """

    inputs: tuple[Variable, ...]
    operations: tuple[Operation, ...]
    outputs: tuple[Operand, ...]


@dataclass(frozen=True, slots=True)
class Program:
    """One function of a model.

    Attributes:
        spec_version: Core ML's specification version, 7 for iOS 16.
        opset: version of the operators, 6 for iOS 16.
        inputs: what the caller gives.
        outputs: what the caller gets.
        states: what the caller keeps.
        body: the operations.
    """

    spec_version: int
    opset: int
    inputs: tuple[Variable, ...]
    outputs: tuple[Variable, ...]
    states: tuple[Variable, ...]
    body: Block

    @property
    def operations(self) -> tuple[Operation, ...]:
        """All operations in the order of execution; those inside of control flow are in its `blocks`."""
        return self.body.operations


def operator_types(block: Block) -> frozenset[str]:
    """Collect the types of all operations, those in the blocks of others included."""
    inside = (operator_types(each) for operation in block.operations for each in operation.blocks)
    return frozenset(operation.type for operation in block.operations).union(*inside)


def described(dtype: str, shape: Shape | None) -> str:
    """Write a type for people: `float32[1, 3, ?]`."""
    sizes = "..." if shape is None else ", ".join("?" if size is None else str(size) for size in shape)
    return f"{dtype}[{sizes}]"
