"""Operators by their MIL names, and how the constants of a program become their arguments."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from types import NoneType
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

import torch
from numpy.typing import NDArray
from torch import Tensor

from edgekit_coreml.reference.dtype import HELD

Compute = Callable[..., Tensor | tuple[Tensor, ...]]
_F = TypeVar("_F", bound=Compute)

_KINDS: dict[Any, tuple[str, str]] = {
    int: ("iu", "an integer"),
    bool: ("b", "a truth value"),
    float: ("fiu", "a number"),
}


@dataclass(frozen=True, slots=True)
class Parameter:
    """An input of an operator.

    Attributes:
        name: as MIL spells it.
        hint: the annotation: `Tensor` and `tuple[Tensor, ...]` may be variables, everything else must be constant.
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
        """It takes one variable or constant."""
        return self.hint is Tensor

    @property
    def is_tensors(self) -> bool:
        """It takes a tuple of variables."""
        return bool(self.hint == tuple[Tensor, ...])

    def literal(self, value: NDArray[Any] | str) -> object:
        """Turn a constant into what the annotation asks for.

        Raises:
            ValueError: the constant is something else, or a choice that is not known.
        """
        if isinstance(value, str):
            choices = get_args(self.hint)
            if get_origin(self.hint) is not Literal or value not in choices:
                raise ValueError(f"input {self.name!r} is {value!r}, not one of {choices}")
            return value
        is_sequence = get_origin(self.hint) is tuple
        element = get_args(self.hint)[0] if is_sequence else self.hint
        kinds, wanted = _KINDS.get(element, ("", "text"))
        if value.dtype.kind not in kinds or value.ndim != int(is_sequence):
            raise ValueError(f"input {self.name!r} is {value.dtype}{list(value.shape)}, not {wanted}")
        return tuple(value.tolist()) if is_sequence else element(value.item())


@dataclass(frozen=True, slots=True)
class Op:
    """An operator that can be executed.

    Attributes:
        compute: its function, called with keywords.
        parameters: its inputs by name.
        gives: the type of each output, the last one that of all further outputs: the name of an input, for that tensor's own
            type or for the type that it names in text, or numpy's name of a type.
    """

    compute: Compute
    parameters: dict[str, Parameter]
    gives: tuple[str, ...]


OPS: dict[str, Op] = {}


def op(name: str, *, gives: tuple[str, ...] = ()) -> Callable[[_F], _F]:
    """Register a function under a MIL name. Its parameters are MIL's inputs, its defaults those that MIL documents.

    Args:
        name: the operator.
        gives: see `Op.gives`; the first parameter where it is not said.
    """

    def register(compute: _F) -> _F:
        hints = get_type_hints(compute)
        signature = inspect.signature(compute).parameters
        parameters = {key: Parameter(key, _without_none(hints[key]), p.default) for key, p in signature.items()}
        OPS[name] = Op(compute, parameters, gives or (next(iter(parameters)),))
        return compute

    return register


def tensor(value: NDArray[Any]) -> Tensor:
    """Hold a constant as `HELD` says, without a copy where its type is already that one."""
    held = HELD.get(value.dtype.name)
    if held is None:
        raise ValueError(f"constants of {value.dtype} are not implemented")
    return torch.from_numpy(value).to(held)


def _without_none(hint: Any) -> Any:
    """`Tensor | None` is an optional tensor."""
    options = [option for option in get_args(hint) if option is not NoneType]
    return options[0] if NoneType in get_args(hint) else hint
