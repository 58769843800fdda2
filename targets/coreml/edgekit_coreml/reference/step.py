"""One operator made ready to run: its function found, its constants bound, its result checked against the program."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor

from edgekit.errors import InputError
from edgekit_coreml.reference.arithmetic import Arithmetic
from edgekit_coreml.reference.dtype import HELD, full_name
from edgekit_coreml.reference.ops import OPS, Compute, Op, Parameter, tensor
from edgekit_coreml.reference.program import Operand, Operation, Variable, described, dtype_of


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
        rounded: names of the outputs that are rounded to float16.
        spent: names of the values that no later step needs.
    """

    operation: Operation
    where: str
    compute: Compute
    operands: dict[str, str | tuple[str, ...]]
    outputs: tuple[tuple[Variable, torch.dtype], ...]
    rounded: frozenset[str]
    spent: tuple[str, ...]

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
        except (ValueError, TypeError, LookupError, ArithmeticError, RuntimeError) as error:
            raise InputError(f"{self.where} cannot be computed: {str(error).partition(chr(10))[0]}") from error
        results = (computed,) if isinstance(computed, Tensor) else computed
        if len(results) != len(self.outputs):
            raise InputError(f"{self.where} gives {len(results)} values, but declares {len(self.outputs)}")
        for (variable, held), value in zip(self.outputs, results, strict=True):
            if value.dtype != held or not variable.accepts(value.shape):
                computed_type = described(str(value.dtype).removeprefix("torch."), tuple(value.shape))
                raise InputError(f"{self.where} declares {variable}, but computes {computed_type}")
            values[variable.name] = rounded(value) if variable.name in self.rounded else value


def rounded(value: Tensor) -> Tensor:
    """Round to the nearest float16, and hold the result as float32."""
    return value.half().float()


def prepare(operation: Operation, package: str, arithmetic: Arithmetic, spent: Collection[str]) -> Step:
    """Resolve one operation.

    Args:
        operation: from the program.
        package: for messages.
        arithmetic: how it is computed.
        spent: names of the values that no later operation needs.

    Raises:
        UnknownOp: the operator is not implemented.
        InputError: it has an input, a constant or a declared type that the implementation does not know.
    """
    name = operation.outputs[0].name if operation.outputs else ""
    where = f"{operation.type} {name!r} of {package}"
    known = arithmetic.ops.get(operation.type) or OPS.get(operation.type)
    if known is None:
        raise UnknownOp(f"{where}: this operator is not implemented by the reference runtime: run the model on a Mac")
    try:
        bound, operands = _bind(known, operation.inputs)
        _check_dtypes(known, operation)
    except ValueError as error:
        raise InputError(f"{where}: {error}") from error
    return Step(
        operation,
        where,
        partial(known.compute, **bound),
        operands,
        tuple((variable, HELD[variable.dtype]) for variable in operation.outputs),
        frozenset(variable.name for variable in operation.outputs if arithmetic.rounds and variable.dtype == "float16"),
        tuple(spent),
    )


def _bind(known: Op, inputs: dict[str, tuple[Operand, ...]]) -> tuple[dict[str, Any], dict[str, str | tuple[str, ...]]]:
    """Split the inputs into arguments that are known now and names of variables."""
    if unknown := sorted(inputs.keys() - known.parameters.keys()):
        raise ValueError(f"inputs that are not implemented: {', '.join(unknown)}")
    bound: dict[str, Any] = {}
    operands: dict[str, str | tuple[str, ...]] = {}
    for parameter in known.parameters.values():
        given = inputs.get(parameter.name, ())
        if given and parameter.is_tensors:
            names = tuple(each.name for each in given if isinstance(each, Variable))
            if len(names) != len(given):
                raise ValueError(f"input {parameter.name!r} has constants in it, which is not implemented")
            operands[parameter.name] = names
        elif len(given) == 1:
            value = given[0]
            if isinstance(value, Variable) and parameter.is_tensor:
                operands[parameter.name] = value.name
            else:
                bound[parameter.name] = _constant(parameter, value)
        elif given or parameter.is_required:
            raise ValueError(f"input {parameter.name!r} has {len(given)} values, not one")
    return bound, operands


def _constant(parameter: Parameter, value: Operand) -> object:
    if isinstance(value, Variable):
        raise ValueError(f"input {parameter.name!r} is computed by the program; only a constant is implemented")
    return tensor(value) if parameter.is_tensor and not isinstance(value, str) else parameter.literal(value)


def _check_dtypes(known: Op, operation: Operation) -> None:
    """The held types cannot tell float16 from float32, so what is declared is checked once here."""
    sources = [*known.gives, *known.gives[-1:] * (len(operation.outputs) - len(known.gives))]
    for output, source in zip(operation.outputs, sources, strict=False):
        dtype = _dtype(known, operation, source)
        if output.dtype != dtype:
            raise ValueError(f"declares {output}, but its result is of {dtype}")


def _dtype(known: Op, operation: Operation, source: str) -> str:
    if source not in known.parameters:
        return source
    given = operation.inputs.get(source, (known.parameters[source].default,))[0]
    return full_name(given) if isinstance(given, str) else dtype_of(given)
