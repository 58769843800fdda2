"""Where a value of a variable goes: checked against what the program declares, and rounded as the arithmetic says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from edgekit.errors import InputError
from edgekit_coreml.reference.arithmetic import Arithmetic
from edgekit_coreml.reference.dtype import HELD
from edgekit_coreml.reference.program import Variable, described
from edgekit_coreml.reference.value import Elements, State


@dataclass(frozen=True, slots=True)
class Slot:
    """The place of a variable.

    Attributes:
        variable: what is declared.
        held: the type that its tensor has in memory; None for text, and for what is no tensor.
        round: what is done to the tensor; None where nothing is.
    """

    variable: Variable
    held: torch.dtype | None
    round: Callable[[Tensor], Tensor] | None

    @classmethod
    def of(cls, variable: Variable, arithmetic: Arithmetic) -> Slot:
        """Make the place of a variable."""
        held = HELD.get(variable.dtype) if variable.kind == "tensor" else None
        return cls(variable, held, arithmetic.round if held and variable.dtype == "float16" else None)

    def take(self, value: Any, where: str) -> Any:
        """Check a value and round it.

        Args:
            value: what was computed.
            where: by what, for messages.

        Raises:
            InputError: it is not what is declared.
        """
        variable = self.variable
        if self.held is None:
            if not self._has_kind(value):
                raise InputError(f"{where} declares {variable}, but computes {_type_of(value)}")
            return value
        if not isinstance(value, Tensor) or value.dtype != self.held or not variable.accepts(value.shape):
            raise InputError(f"{where} declares {variable}, but computes {_type_of(value)}")
        return self.round(value) if self.round else value

    def _has_kind(self, value: Any) -> bool:
        match self.variable.kind:
            case "list":
                held = HELD[self.variable.dtype]
                return isinstance(value, Elements) and all(
                    each is None or (each.dtype == held and self.variable.accepts(each.shape)) for each in value.tensors
                )
            case "state":
                return isinstance(value, State)
            case "dictionary":
                return isinstance(value, dict)
            case "tensor":
                return isinstance(value, str)


def _type_of(value: Any) -> str:
    match value:
        case Tensor():
            return described(str(value.dtype).removeprefix("torch."), tuple(value.shape))
        case Elements(tensors):
            return f"list of {', '.join(sorted({_type_of(each) for each in tensors if each is not None})) or 'nothing'}"
        case _:
            return type(value).__name__
