"""Operators by their MIL names, and how the constants of a program become their arguments."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from types import NoneType
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from numpy.typing import NDArray
from torch import Tensor

from edgekit_coreml.reference.program import Constant, Operand, described

Compute = Callable[..., Tensor | tuple[Tensor, ...]]
_F = TypeVar("_F", bound=Compute)

_KINDS: dict[Any, tuple[str, str]] = {
    int: ("iu", "an integer"),
    bool: ("b", "a truth value"),
    float: ("fiu", "a number"),
}


class Rounded(float):
    """A default that MIL rounds to the type of the operator's first input: float16 leaves nothing of 1e-12."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """An input of an operator.

    Attributes:
        name: as MIL spells it.
        hint: the annotation, which says what the function is given: `Tensor`, `tuple[Tensor, ...]`, or what a tensor of one or
            no axis is turned into (int, float, bool, a tuple of these, or text: `str`, or a `Literal` of some).
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
        return self.hint is Tensor

    @property
    def is_tensors(self) -> bool:
        """It takes a tuple of variables and constants, as they are."""
        return bool(self.hint == tuple[Tensor, ...])

    def check(self, operand: Operand) -> None:
        """See that a constant or a variable can be turned into what the annotation asks for, as far as it is known.

        Raises:
            ValueError: it is of another kind of type, or of another rank.
        """
        if self.is_tensor or self.is_tensors:
            if operand.dtype == "string":
                raise ValueError(f"input {self.name!r} is text, not a tensor")
            return
        kinds, wanted = _KINDS.get(self._element, ("", "text"))
        if operand.dtype == "string":
            if not isinstance(operand, Constant) or (self.hint is not str and get_origin(self.hint) is not Literal):
                raise ValueError(f"input {self.name!r} is text, not {wanted}")
            if self.hint is not str and operand.value not in get_args(self.hint):
                raise ValueError(f"input {self.name!r} is {operand.value!r}, not one of {get_args(self.hint)}")
        elif _kind(operand.dtype) not in kinds or (operand.shape is not None and len(operand.shape) != int(self._is_sequence)):
            raise ValueError(f"input {self.name!r} is {described(operand.dtype, operand.shape)}, not {wanted}")

    def literal(self, value: NDArray[Any] | str) -> object:
        """Turn what `check` let through into what the annotation asks for."""
        if isinstance(value, str):
            return value
        return tuple(value.tolist()) if self._is_sequence else self._element(value.item())

    @property
    def _is_sequence(self) -> bool:
        return get_origin(self.hint) is tuple

    @property
    def _element(self) -> Any:
        return get_args(self.hint)[0] if self._is_sequence else self.hint


@dataclass(frozen=True, slots=True)
class Op:
    """An operator that can be executed.

    Attributes:
        compute: its function, called with keywords.
        parameters: its inputs by name.
        gives: the type of each output, the last one that of all further outputs: the name of an input, for that tensor's own
            type or for the type that it names in text, or numpy's name of a type. Of "x|y", the one that is not constant, or x.
        own: the inputs whose types are their own. All others that are tensors are of one type, MIL's T.
        pure: the same inputs always give the same outputs, so that it is computed once where all inputs are constants.
    """

    compute: Compute
    parameters: dict[str, Parameter]
    gives: tuple[str, ...]
    own: frozenset[str] = frozenset()
    pure: bool = True


OPS: dict[str, Op] = {}


def op(name: str, *, gives: tuple[str, ...] = (), own: tuple[str, ...] = (), pure: bool = True) -> Callable[[_F], _F]:
    """Register a function under a MIL name. Its parameters are MIL's inputs, its defaults those that MIL documents.

    The function is never called with inputs that it has no parameter for: they are errors, as is a declared type or shape of an
    output that it does not give. An input of any annotation may be a constant or a variable, text aside.

    Args:
        name: the operator.
        gives: see `Op.gives`; the first parameter where it is not said.
        own: see `Op.own`; `gather` says ("indices",), `select` ("cond",), `dequantize` ("scale",).
        pure: see `Op.pure`; false for random numbers.
    """

    def register(compute: _F) -> _F:
        hints = get_type_hints(compute)
        signature = inspect.signature(compute).parameters
        parameters = {key: Parameter(key, _without_none(hints[key]), p.default) for key, p in signature.items()}
        OPS[name] = Op(compute, parameters, gives or (next(iter(parameters)),), frozenset(own), pure)
        return compute

    return register


def _kind(dtype: str) -> str:
    """numpy's letter: "f", "i", "u" or "b"."""
    return dtype[0]


def _without_none(hint: Any) -> Any:
    """`Tensor | None` is an optional tensor."""
    options = [option for option in get_args(hint) if option is not NoneType]
    return options[0] if NoneType in get_args(hint) else hint
