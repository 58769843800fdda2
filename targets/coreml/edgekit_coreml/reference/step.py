"""One operator made ready to run: its function found, its constants bound, its result checked against the program."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from edgekit.errors import InputError
from edgekit_coreml.reference.arithmetic import Arithmetic
from edgekit_coreml.reference.dtype import HELD, full_name
from edgekit_coreml.reference.ops import OPS, Compute, Op, Parameter, Rounded
from edgekit_coreml.reference.program import Constant, Operand, Operation, Variable, described


class UnknownOp(InputError):
    """The program has an operator that the reference runtime does not implement."""


@dataclass(frozen=True, slots=True)
class Step:
    """An operator with its constants bound.

    Attributes:
        operation: from the program.
        where: operator, output and package, for messages.
        compute: takes the operands that are variables, by keyword.
        operands: the variables behind each keyword.
        outputs: what it computes, with the type each value is held in.
        round: what is done to the outputs of declared type float16; None where nothing is.
        is_constant: it gives the same in every run.
        spent: names of the values that no later step needs.
    """

    operation: Operation
    where: str
    compute: Compute
    operands: dict[str, str | tuple[str, ...]]
    outputs: tuple[tuple[Variable, torch.dtype], ...]
    round: Callable[[Tensor], Tensor] | None
    is_constant: bool
    spent: tuple[str, ...] = ()

    def __call__(self, values: dict[str, Tensor]) -> None:
        """Compute, check, and store the results in `values`.

        Raises:
            InputError: the operator cannot compute from these values, or its result is not what the program declares.
        """
        given = {
            key: values[name] if isinstance(name, str) else tuple(values[each] for each in name)
            for key, name in self.operands.items()
        }
        try:
            computed = self.compute(**given)
        except (ValueError, TypeError, LookupError, ArithmeticError, RuntimeError, MemoryError) as error:
            raise InputError(f"{self.where} cannot be computed: {str(error).partition(chr(10))[0]}") from error
        results = (computed,) if isinstance(computed, Tensor) else computed
        if len(results) != len(self.outputs):
            raise InputError(f"{self.where} gives {len(results)} values, but declares {len(self.outputs)}")
        for (variable, held), value in zip(self.outputs, results, strict=True):
            if value.dtype != held or not variable.accepts(value.shape):
                computed_type = described(str(value.dtype).removeprefix("torch."), tuple(value.shape))
                raise InputError(f"{self.where} declares {variable}, but computes {computed_type}")
            values[variable.name] = self.round(value) if self.round and variable.dtype == "float16" else value


def prepare(operation: Operation, package: str, arithmetic: Arithmetic) -> Step:
    """Resolve one operation.

    Args:
        operation: from the program.
        package: for messages.
        arithmetic: how it is computed.

    Raises:
        UnknownOp: the operator is not implemented.
        InputError: it has an input, a constant or a declared type that the implementation does not know.
    """
    name = operation.outputs[0].name if operation.outputs else ""
    where = f"{operation.type} {name!r} of {package}"
    is_float16 = bool(operation.outputs) and operation.outputs[0].dtype == "float16"
    known = (arithmetic.ops.get(operation.type) if is_float16 else None) or OPS.get(operation.type)
    if known is None:
        raise UnknownOp(f"{where}: this operator is not implemented by the reference runtime: run the model on a Mac")
    try:
        given = _check_inputs(known, operation)
        _check_outputs(known, operation)
        compute, operands = _bind(known, given)
    except ValueError as error:
        raise InputError(f"{where}: {error}") from error
    if operands and operation.type.startswith("constexpr_"):
        raise InputError(f"{where}: {', '.join(operands)} is computed by the program, where only a constant can be")
    return Step(
        operation,
        where,
        compute,
        operands,
        tuple((variable, HELD[variable.dtype]) for variable in operation.outputs),
        arithmetic.round,
        known.pure and not operands,
    )


def _check_inputs(known: Op, operation: Operation) -> list[tuple[Parameter, tuple[Operand, ...]]]:
    """Pair what the operator takes with what it is given, and check declared types."""
    if unknown := sorted(operation.inputs.keys() - known.parameters.keys()):
        raise ValueError(f"inputs that are not implemented: {', '.join(unknown)}")
    pairs = [(parameter, operation.inputs.get(parameter.name, ())) for parameter in known.parameters.values()]
    shared: dict[str, str] = {}
    for parameter, given in pairs:
        if len(given) != 1 and (given or parameter.is_required) and not (given and parameter.is_tensors):
            raise ValueError(f"input {parameter.name!r} has {len(given)} values, not one")
        for operand in given:
            parameter.check(operand)
            if (parameter.is_tensor or parameter.is_tensors) and parameter.name not in known.own:
                shared.setdefault(operand.dtype, parameter.name)
    if len(shared) > 1:
        raise ValueError(f"inputs of one type are {' and '.join(f'{name} of {dtype}' for dtype, name in shared.items())}")
    completed = [(parameter, given or _rounded_default(parameter, pairs[0][1])) for parameter, given in pairs]
    return [(parameter, given) for parameter, given in completed if given]


def _rounded_default(parameter: Parameter, first: Sequence[Operand]) -> tuple[Operand, ...]:
    if not isinstance(parameter.default, Rounded):
        return ()
    dtype = first[0].dtype
    return (Constant(dtype, np.array(parameter.default, dtype)),)


def _check_outputs(known: Op, operation: Operation) -> None:
    """The held types cannot tell float16 from float32, so what is declared is checked once here."""
    sources = [*known.gives, *known.gives[-1:] * (len(operation.outputs) - len(known.gives))]
    for output, source in zip(operation.outputs, sources, strict=False):
        dtype = _dtype(known, operation, source)
        if output.dtype != dtype:
            raise ValueError(f"declares {output}, but its result is of {dtype}")


def _dtype(known: Op, operation: Operation, source: str) -> str:
    names = source.split("|")
    computed = (name for name in names if any(isinstance(each, Variable) for each in operation.inputs.get(name, ())))
    source = next(computed, names[0])
    if source not in known.parameters:
        return source
    given = operation.inputs.get(source)
    if not given:
        return full_name(str(known.parameters[source].default))
    text = given[0].value if isinstance(given[0], Constant) else None
    return full_name(text) if isinstance(text, str) else given[0].dtype


def _bind(known: Op, pairs: Sequence[tuple[Parameter, tuple[Operand, ...]]]) -> tuple[Compute, dict[str, str | tuple[str, ...]]]:
    """Give the function its constants, and tell which variables are behind the keywords that remain."""
    bound: dict[str, Any] = {}
    operands: dict[str, str | tuple[str, ...]] = {}
    adapters: dict[str, Callable[[Any], Any]] = {}
    for parameter, given in pairs:
        key, first = parameter.name, given[0]
        if parameter.is_tensors:
            constants = [operand.tensor() if isinstance(operand, Constant) else None for operand in given]
            names = tuple(operand.name for operand in given if isinstance(operand, Variable))
            if not names:
                bound[key] = tuple(constants)
                continue
            operands[key] = names
            if len(names) < len(given):
                adapters[key] = partial(_interleaved, constants)
        elif isinstance(first, Constant):
            bound[key] = first.tensor() if parameter.is_tensor else parameter.literal(first.value)
        else:
            operands[key] = first.name
            if not parameter.is_tensor:
                adapters[key] = partial(_read, parameter)
    compute = partial(known.compute, **bound)
    return (partial(_adapted, compute, adapters) if adapters else compute), operands


def _adapted(compute: Compute, adapters: Mapping[str, Callable[[Any], Any]], **given: Any) -> Tensor | tuple[Tensor, ...]:
    return compute(**given | {key: adapt(given[key]) for key, adapt in adapters.items()})


def _interleaved(constants: Sequence[Tensor | None], computed: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    rest: Iterator[Tensor] = iter(computed)
    return tuple(next(rest) if constant is None else constant for constant in constants)


def _read(parameter: Parameter, value: Tensor) -> object:
    return parameter.literal(value.numpy())
