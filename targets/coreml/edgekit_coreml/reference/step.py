"""One operator made ready to run: its function found, its constants bound, its result checked against the program."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from torch import Tensor

from edgekit.errors import InputError
from edgekit_coreml.reference.arithmetic import Arithmetic
from edgekit_coreml.reference.binding import Operands, bind, check_inputs, check_outputs
from edgekit_coreml.reference.ops import OPS, Compute
from edgekit_coreml.reference.ops.parameter import Running
from edgekit_coreml.reference.ops.size import bounded
from edgekit_coreml.reference.ops.unsupported import UNSUPPORTED
from edgekit_coreml.reference.ops.version import check_version
from edgekit_coreml.reference.program import Operation
from edgekit_coreml.reference.slot import Slot

Values = dict[str, Any]
"""What is in memory, by name: tensors, and what `edgekit_coreml.reference.value` holds other variables as."""

_FAILURES = (ValueError, TypeError, LookupError, ArithmeticError, RuntimeError, MemoryError)


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
        outputs: where the results go.
        is_constant: it gives the same in every run.
        bodies: what it runs itself, for control flow.
        spent: names of the values that no later step needs.
    """

    operation: Operation
    where: str
    compute: Compute
    operands: Operands
    outputs: tuple[Slot, ...]
    is_constant: bool
    bodies: tuple[Body, ...] = ()
    spent: tuple[str, ...] = ()

    def __call__(self, values: Values) -> None:
        """Compute, check, and store the results in `values`.

        Raises:
            InputError: the operator cannot compute from these values, or its result is not what the program declares.
        """
        try:
            computed = self.compute(**self._given(values))
        except _FAILURES as error:
            raise self._failure(error) from error
        self._store(values, computed)

    def enter(self, values: Values) -> Iterator[tuple[Step, Values]]:
        """Do the same for control flow, whose bodies yield after each of their steps.

        Raises:
            InputError: as above.
        """
        compute: Callable[..., Any] = self.compute  # a generator, for control flow
        blocks = tuple(partial(body.run, values) for body in self.bodies)
        try:
            computed = yield from compute(blocks=blocks, **self._given(values))
        except _FAILURES as error:
            raise self._failure(error) from error
        self._store(values, computed)

    def _given(self, values: Values) -> Values:
        return {
            key: values[name] if isinstance(name, str) else tuple(values[each] for each in name)
            for key, name in self.operands.items()
        }

    def _failure(self, error: Exception) -> InputError:
        return InputError(f"{self.where} cannot be computed: {str(error).partition(chr(10))[0]}")

    def _store(self, values: Values, computed: Any) -> None:
        results = computed if isinstance(computed, (tuple, list)) else (computed,)
        if len(results) != len(self.outputs):
            raise InputError(f"{self.where} gives {len(results)} values, but declares {len(self.outputs)}")
        for slot, value in zip(self.outputs, results, strict=True):
            values[slot.variable.name] = slot.take(value, self.where)


@dataclass(frozen=True, slots=True)
class Body:
    """A block made ready to run.

    Attributes:
        inputs: where its arguments go.
        steps: in the order of execution.
        outputs: what it gives back: names of values, and constants themselves.
        needs: names of the values that it takes from outside.
        where: of which operator, for messages.
    """

    inputs: tuple[Slot, ...]
    steps: tuple[Step, ...]
    outputs: tuple[str | Tensor, ...]
    needs: tuple[str, ...]
    where: str

    def run(self, outside: Values, *arguments: Any) -> Running:
        """Run it once, where the values outside are seen and stay as they are.

        Raises:
            InputError: a step cannot compute, or something is not what the program declares.
        """
        values = outside | {
            slot.variable.name: slot.take(value, self.where) for slot, value in zip(self.inputs, arguments, strict=True)
        }
        yield from run_steps(self.steps, values)
        return tuple(values[each] if isinstance(each, str) else each for each in self.outputs)


def run_steps(steps: Sequence[Step], values: Values) -> Iterator[tuple[Step, Values]]:
    """Run steps one after the other, and let the caller look at the values after each of them."""
    for step in steps:
        if step.bodies:
            yield from step.enter(values)
        else:
            step(values)
        yield step, values
        for name in step.spent:
            del values[name]


@dataclass(frozen=True, slots=True)
class Setting:
    """What is the same for all operations of a program.

    Attributes:
        package: its name, for messages.
        opset: version of the operators.
        arithmetic: how they are computed.
    """

    package: str
    opset: int
    arithmetic: Arithmetic


def prepare(operation: Operation, setting: Setting, bodies: tuple[Body, ...] = ()) -> Step:
    """Resolve one operation.

    Args:
        operation: from the program.
        setting: that of the program.
        bodies: its blocks, prepared.

    Raises:
        UnknownOp: the operator is not implemented.
        InputError: it has an input, a constant or a declared type that the implementation does not know.
    """
    where = place_of(operation, setting.package)
    is_float16 = bool(operation.outputs) and operation.outputs[0].dtype == "float16"
    known = (setting.arithmetic.ops.get(operation.type) if is_float16 else None) or OPS.get(operation.type)
    if known is None:
        reason = UNSUPPORTED.get(operation.type, "this operator is not known")
        raise UnknownOp(f"{where}: the reference runtime does not execute it, for {reason}: run the model on a Mac")
    try:
        if bool(operation.blocks) != known.has_blocks:
            raise ValueError(f"it has {len(operation.blocks)} blocks of operations inside")
        check_version(operation.type, operation.inputs, setting.opset)
        given = check_inputs(known, operation)
        check_outputs(known, operation)
        for output in operation.outputs:
            bounded(1 if size is None else size for size in output.shape or ())
        compute, operands = bind(known, given, setting.opset)
    except ValueError as error:
        raise InputError(f"{where}: {error}") from error
    if operands and operation.type.startswith("constexpr_"):
        raise InputError(f"{where}: {', '.join(operands)} is computed by the program, where only a constant can be")
    outputs = tuple(Slot.of(variable, setting.arithmetic) for variable in operation.outputs)
    is_constant = known.pure and not operands and not bodies and all(slot.held for slot in outputs)
    return Step(operation, where, compute, operands, outputs, is_constant, bodies)


def place_of(operation: Operation, package: str) -> str:
    """Say where an operation stands: `conv 'mixed' of model.mlpackage`."""
    name = operation.outputs[0].name if operation.outputs else ""
    return f"{operation.type} {name!r} of {package}"
