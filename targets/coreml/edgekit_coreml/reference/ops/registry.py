"""Operators by their MIL names, and how the constants of a program become their arguments."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from types import NoneType
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from numpy.typing import NDArray
from torch import Tensor

from edgekit_coreml.reference.program import Constant, Operand, described
from edgekit_coreml.reference.value import Elements, State, Value

Running = Generator[Any, None, tuple[Value, ...]]
"""Operations that yield after each of them, so that they can be watched, and return what they compute."""
Blocks = tuple[Callable[..., Running], ...]
"""What an operator of control flow is given as `blocks`, each called with the values of its inputs."""
Labels = tuple[str, ...] | tuple[int, ...]
"""The elements of a constant list."""

Compute = Callable[..., Value | tuple[Value, ...] | Running]
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
        return self.hint in (Tensor, Elements, State)

    @property
    def is_tensors(self) -> bool:
        """It takes a tuple of variables and constants, as they are."""
        return self.hint in (tuple[Tensor, ...], tuple[Value, ...])

    def check(self, given: Sequence[Operand]) -> None:
        """See that constants and variables can be turned into what the annotation asks for, as far as it is known.

        Raises:
            ValueError: there are too many or too few, or one is of another kind of type, or of another rank.
        """
        if len(given) != 1 and (given or self.is_required) and not ((self.is_tensors and given) or self._is_sequence):
            raise ValueError(f"input {self.name!r} has {len(given)} values, not one")
        for operand in given:
            if self.is_tensor or self.is_tensors:
                self._check_value(operand)
            elif operand.dtype == "string" or operand.kind != "tensor":
                self._check_text(operand)
            else:
                self._check_number(operand, rank=int(self._is_sequence and len(given) == 1))

    def _check_value(self, operand: Operand) -> None:
        wanted = {Elements: "list", State: "state"}.get(self.hint, "tensor")
        if operand.dtype == "string" or (operand.kind != wanted and self.hint != tuple[Value, ...]):
            found = "text" if operand.dtype == "string" else f"a {operand.kind}"
            raise ValueError(f"input {self.name!r} is {found}, not a {wanted}")

    def _check_text(self, operand: Operand) -> None:
        wanted = _KINDS.get(self._element, ("", "text"))[1]
        if self.hint == Labels or self.hint is str or get_origin(self.hint) is Literal:
            if not isinstance(operand, Constant):
                raise ValueError(f"input {self.name!r} is computed by the program, where only a constant can be")
            if get_origin(self.hint) is Literal and operand.value not in get_args(self.hint):
                raise ValueError(f"input {self.name!r} is {operand.value!r}, not one of {get_args(self.hint)}")
            wanted = "text" if self.hint != Labels else "a list"
        if (operand.kind == "list") != (self.hint == Labels) or wanted not in ("text", "a list"):
            raise ValueError(
                f"input {self.name!r} is {'text' if operand.kind == 'tensor' else f'a {operand.kind}'}, not {wanted}"
            )

    def _check_number(self, operand: Operand, rank: int) -> None:
        kinds, wanted = _KINDS.get(self._element, ("", "text"))
        has_rank = operand.shape is None or len(operand.shape) in (rank, 0 if self._is_sequence else rank)
        if _kind(operand.dtype) not in kinds or not has_rank:
            raise ValueError(f"input {self.name!r} is {described(operand.dtype, operand.shape)}, not {wanted}")

    def literal(self, values: Sequence[NDArray[Any] | str]) -> object:
        """Turn what `check` let through into what the annotation asks for."""
        ...

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
