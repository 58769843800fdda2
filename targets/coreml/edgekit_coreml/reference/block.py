"""The operations of a program made ready to run: those of constants computed once, the others in order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

import torch
from torch import Tensor

from edgekit_coreml.reference.arithmetic import Arithmetic
from edgekit_coreml.reference.program import Constant, Operand, Operation, Program, Variable
from edgekit_coreml.reference.step import Step, prepare


def prepare_program(program: Program, package: str, arithmetic: Arithmetic) -> tuple[tuple[Step, ...], dict[str, Tensor]]:
    """Prepare every operation, and compute those that need nothing from the caller.

    Args:
        program: from the package.
        package: for messages.
        arithmetic: how it is computed.

    Returns:
        The steps that are left, and the outputs that are constant.

    Raises:
        edgekit.errors.InputError: an operation is not implemented, cannot be computed, or gives not what it declares.
    """
    constants = dict(program.constants)
    steps = []
    for stored in program.operations:
        operation = _with_constants(stored, constants)
        step = prepare(operation, package, arithmetic)
        if step.is_constant:
            constants |= _computed(step)
        else:
            steps.append(step)
    needed = {output.name for output in program.outputs}
    fixed = {name: constants[name].tensor() for name in needed & constants.keys()}
    return tuple(reversed(list(_with_spent(reversed(steps), needed)))), fixed


def _with_constants(operation: Operation, constants: dict[str, Constant]) -> Operation:
    def known(operand: Operand) -> Operand:
        return constants.get(operand.name, operand) if isinstance(operand, Variable) else operand

    inputs = {name: tuple(known(operand) for operand in given) for name, given in operation.inputs.items()}
    return replace(operation, inputs=inputs)


def _computed(step: Step) -> dict[str, Constant]:
    values: dict[str, Tensor] = {}
    with torch.inference_mode():
        step(values)
        return {variable.name: Constant(variable.dtype, values[variable.name].numpy()) for variable, _ in step.outputs}


def _with_spent(backwards: Iterable[Step], needed: Iterable[str]) -> Iterator[Step]:
    """Note in each step the values that neither a later one nor the caller needs."""
    later = set(needed)
    for step in backwards:
        operation = step.operation
        touched = [*_variables(operation), *(output.name for output in operation.outputs)]
        yield replace(step, spent=tuple(name for name in dict.fromkeys(touched) if name not in later))
        later.update(touched)


def _variables(operation: Operation) -> Iterable[str]:
    return (each.name for given in operation.inputs.values() for each in given if isinstance(each, Variable))
