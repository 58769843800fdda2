"""Operators by their MIL names, and how they are declared."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from types import NoneType
from typing import Any, TypeVar, get_args, get_type_hints

from edgekit_coreml.reference.ops.parameter import Parameter, Running
from edgekit_coreml.reference.value import Value

Compute = Callable[..., Value | tuple[Value, ...] | Running]
_F = TypeVar("_F", bound=Compute)


class Rounded(float):
    """A default that MIL rounds to the type of the operator's first input: float16 leaves nothing of 1e-12."""


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
        has_blocks: it is control flow: its function is a generator, which is given `blocks` besides its inputs.
        has_opset: its function is given the `opset` besides its inputs, for what changed: 5 for iOS 15, 7 for iOS 17.
    """

    compute: Compute
    parameters: dict[str, Parameter]
    gives: tuple[str, ...]
    own: frozenset[str] = frozenset()
    pure: bool = True
    has_blocks: bool = False
    has_opset: bool = False


OPS: dict[str, Op] = {}


def op(name: str, *, gives: tuple[str, ...] = (), own: tuple[str, ...] = (), pure: bool = True) -> Callable[[_F], _F]:
    """Register a function under a MIL name. Its parameters are MIL's inputs, its defaults those that MIL documents.

    The function is never called with inputs that it has no parameter for: they are errors, as is a declared type or shape of an
    output that it does not give. An input of any annotation may be a constant or a variable, text aside. Parameters called
    `blocks` and `opset` are no inputs: see `Op`.

    Args:
        name: the operator.
        gives: see `Op.gives`; the first parameter where it is not said.
        own: see `Op.own`; `gather` says ("indices",), `select` ("cond",), `dequantize` ("scale",).
        pure: see `Op.pure`; false for random numbers.
    """

    def register(compute: _F) -> _F:
        hints = get_type_hints(compute)
        signature = inspect.signature(compute).parameters
        inputs = {key: parameter.default for key, parameter in signature.items() if key not in ("blocks", "opset")}
        parameters = {key: Parameter(key, _without_none(hints[key]), default) for key, default in inputs.items()}
        given = gives or (next(iter(parameters)),)
        OPS[name] = Op(compute, parameters, given, frozenset(own), pure, "blocks" in signature, "opset" in signature)
        return compute

    return register


def _without_none(hint: Any) -> Any:
    """`Tensor | None` is an optional tensor."""
    options = [option for option in get_args(hint) if option is not NoneType]
    return options[0] if NoneType in get_args(hint) else hint
