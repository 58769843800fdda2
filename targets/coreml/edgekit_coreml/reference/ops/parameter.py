"""Inputs of operators: what an annotation asks for, and how constants and tensors become that."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Any, get_args, get_origin

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from edgekit_coreml.reference.program import Constant, Operand, described
from edgekit_coreml.reference.value import Elements, State, Value

Running = Generator[Any, None, tuple[Value, ...]]
"""Operations that yield after each of them, so that they can be watched, and return what they compute."""

Blocks = tuple[Callable[..., Running], ...]
"""What an operator of control flow is given as `blocks`, each to be called with the values of its inputs."""

Labels = tuple[str, ...] | tuple[int, ...]
"""The elements of a constant list."""

_KINDS: dict[Any, tuple[str, str]] = {
    int: ("iu", "an integer"),
    bool: ("b", "a truth value"),
    float: ("fiu", "a number"),
}
_WHOLE = {Tensor: "tensor", tuple[Tensor, ...]: "tensor", Elements: "list", State: "state", tuple[Value, ...]: "tensor or list"}


@dataclass(frozen=True, slots=True)
class Parameter:
    """An input of an operator.

    Attributes:
        name: as MIL spells it.
        hint: the annotation, which says what the function is given: `Tensor`, `Elements`, `State`, a tuple of `Tensor` or of
            `Value`, `Labels`, or what tensors of one or no axis are turned into (int, float, bool, a tuple of these, or text:
            `str`, or a `Literal` of some).
        default: what MIL documents; `inspect.Parameter.empty` where the input is required.
    """

    name: str
    hint: Any
    default: Any

    @property
    def is_required(self) -> bool:
        """MIL has no default for it."""
        return self.default is inspect.Parameter.empty

    @property
    def is_tensor(self) -> bool:
        """It takes one variable or constant, as it is."""
        return self.hint in _WHOLE and not self.is_tuple

    @property
    def is_tensors(self) -> bool:
        """It takes a tuple of variables and constants, as they are."""
        return self.hint in _WHOLE and self.is_tuple

    @property
    def is_tuple(self) -> bool:
        """It takes a tuple: of what is given, or of the numbers in a vector."""
        return get_origin(self.hint) is tuple

    def check(self, given: Sequence[Operand]) -> None:
        """See that what is given can be turned into what the annotation asks for, as far as it is known.

        Raises:
            ValueError: there is too much or too little, or something is of another kind of type, or of another rank.
        """
        if len(given) != 1 and (given or self.is_required) and not (given and self.is_tuple):
            raise ValueError(f"input {self.name!r} has {len(given)} values, not one")
        for operand in given:
            if mismatch := self._mismatch(operand):
                raise ValueError(f"input {self.name!r} is {mismatch}")

    def literal(self, values: Sequence[NDArray[Any] | str | tuple[str, ...] | tuple[int, ...]]) -> object:
        """Turn what `check` let through, and what is no tensor, into what the annotation asks for."""
        if not isinstance(values[0], np.ndarray):
            return values[0]
        if not self.is_tuple:
            return self._element(values[0].item())
        return tuple(self._element(each) for value in values for each in np.ravel(value).tolist())

    @property
    def _element(self) -> Any:
        return get_args(self.hint)[0] if self.is_tuple else self.hint

    def _mismatch(self, operand: Operand) -> str | None:
        is_text = operand.dtype == "string" and operand.kind == "tensor"
        found = described(operand.dtype, operand.shape) if operand.kind == "tensor" else f"a {operand.kind}"
        found = "text" if is_text else found
        if self.hint in _WHOLE:
            return None if operand.kind in _WHOLE[self.hint] and not is_text else f"{found}, not a {_WHOLE[self.hint]}"
        if self.hint == Labels:
            return None if isinstance(operand, Constant) and operand.kind == "list" else f"{found}, not a constant list"
        if self._element in _KINDS:
            letters, wanted = _KINDS[self._element]
            has_rank = operand.shape is None or len(operand.shape) <= int(self.is_tuple)
            fits = operand.kind == "tensor" and operand.dtype[0] in letters and has_rank
            return None if fits else f"{found}, not {wanted}"
        if not isinstance(operand, Constant) or not is_text:
            return f"{found}, not text"
        choices = get_args(self.hint)
        return None if not choices or operand.value in choices else f"{operand.value!r}, not one of {choices}"
