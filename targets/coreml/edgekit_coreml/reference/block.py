"""The operations of a program made ready to run: those of constants computed once, the others in order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

import torch

from edgekit_coreml.reference.program import Block, Constant, Operand, Variable
from edgekit_coreml.reference.slot import Slot
from edgekit_coreml.reference.step import Body, Setting, Step, Values, place_of, prepare


def prepare_block(block: Block, where: str, setting: Setting, known: Mapping[str, Constant] | None = None) -> Body:
    """Prepare every operation, and compute those that need nothing from the caller.

    Args:
        block: of the program.
        where: of which operation, for messages.
        setting: that of the program.
        known: constants that were computed outside of the block.

    Raises:
        edgekit.errors.InputError: an operation is not implemented, cannot be computed, or gives not what it declares.
    """
    constants = dict(known or {})
    steps = []
    for stored in block.operations:
        operation = replace(stored, inputs={name: _resolved(given, constants) for name, given in stored.inputs.items()})
        inside = place_of(operation, setting.package)
        bodies = tuple(prepare_block(each, inside, setting, constants) for each in operation.blocks)
        step = prepare(operation, setting, bodies)
        if step.is_constant:
            constants |= _computed(step)
        else:
            steps.append(step)
    inputs = tuple(Slot.of(variable, setting.arithmetic) for variable in block.inputs)
    outputs = tuple(each.name if isinstance(each, Variable) else each.tensor() for each in _resolved(block.outputs, constants))
    names = [each for each in outputs if isinstance(each, str)]
    return Body(
        inputs,
        tuple(reversed(list(_with_spent(reversed(steps), names)))),
        outputs,
        tuple(dict.fromkeys(_needed_outside(inputs, steps, names))),
        where,
    )


def _resolved(operands: Iterable[Operand], constants: Mapping[str, Constant]) -> tuple[Operand, ...]:
    return tuple(constants.get(each.name, each) if isinstance(each, Variable) else each for each in operands)


def _computed(step: Step) -> dict[str, Constant]:
    values: Values = {}
    with torch.inference_mode():
        step(values)
        variables = [slot.variable for slot in step.outputs]
        return {variable.name: Constant(variable.dtype, values[variable.name].numpy(), variable.name) for variable in variables}


def _with_spent(backwards: Iterable[Step], needed: Iterable[str]) -> Iterator[Step]:
    """Note in each step the values that neither a later one nor the caller needs."""
    later = set(needed)
    for step in backwards:
        touched = [*_needs(step), *(slot.variable.name for slot in step.outputs)]
        yield replace(step, spent=tuple(name for name in dict.fromkeys(touched) if name not in later))
        later.update(touched)


def _needs(step: Step) -> Iterator[str]:
    for names in step.operands.values():
        yield from (names,) if isinstance(names, str) else names
    for body in step.bodies:
        yield from body.needs


def _needed_outside(inputs: Iterable[Slot], steps: Iterable[Step], outputs: Iterable[str]) -> Iterator[str]:
    """The values that a block takes from outside of it, besides its inputs."""
    defined = {slot.variable.name for slot in inputs}
    for step in steps:
        yield from (name for name in _needs(step) if name not in defined)
        defined |= {slot.variable.name for slot in step.outputs}
    yield from (name for name in outputs if name not in defined)
