"""What an operation is given, against what its operator takes: declared types checked, constants bound, names of the rest."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from edgekit_coreml.reference.dtype import full_name
from edgekit_coreml.reference.ops import Compute, Op, Parameter, Rounded
from edgekit_coreml.reference.program import Block, Constant, Operand, Operation, Variable

Given = tuple[Parameter, tuple[Operand, ...]]
Operands = dict[str, str | tuple[str, ...]]


def check_inputs(known: Op, operation: Operation) -> list[Given]:
    """Pair what the operator takes with what it is given.

    Raises:
        ValueError: an input is unknown, missing, of another kind or rank, or of another type than those that share one with it.
    """
    if unknown := sorted(operation.inputs.keys() - known.parameters.keys()):
        raise ValueError(f"inputs that are not implemented: {', '.join(unknown)}")
    pairs = [(parameter, operation.inputs.get(parameter.name, ())) for parameter in known.parameters.values()]
    shared: dict[str, str] = {}
    for parameter, given in pairs:
        parameter.check(given)
        if (parameter.is_tensor or parameter.is_tensors) and parameter.name not in known.own:
            shared.update({operand.dtype: parameter.name for operand in given if operand.dtype not in shared})
    if len(shared) > 1:
        raise ValueError(f"inputs of one type are {' and '.join(f'{name} of {dtype}' for dtype, name in shared.items())}")
    completed = [(parameter, given or _rounded_default(parameter, pairs[0][1])) for parameter, given in pairs]
    return [(parameter, given) for parameter, given in completed if given]


def _rounded_default(parameter: Parameter, first: Sequence[Operand]) -> tuple[Operand, ...]:
    if not isinstance(parameter.default, Rounded):
        return ()
    dtype = first[0].dtype
    return (Constant(dtype, np.array(parameter.default, dtype)),)


def check_outputs(known: Op, operation: Operation) -> None:
    """See that outputs are declared of the type that the operator gives: the held types cannot tell float16 from float32.

    Raises:
        ValueError: one is not.
    """
    if known.has_blocks:
        _check_blocks(operation)
        return
    sources = [*known.gives, *known.gives[-1:] * (len(operation.outputs) - len(known.gives))]
    for output, source in zip(operation.outputs, sources, strict=False):
        dtype = _dtype(known, operation, source)
        if output.dtype != dtype:
            raise ValueError(f"declares {output}, but its result is of {dtype}")


def _check_blocks(operation: Operation) -> None:
    """Control flow passes values on as they are: what a block gives has to be of the type that is declared for it."""
    results = _types(operation.outputs)
    match operation.type, operation.blocks:
        case "cond", (Block() as one, Block() as other):
            agree = not one.inputs and not other.inputs and _types(one.outputs) == _types(other.outputs) == results
        case "while_loop", (Block() as condition, Block() as body):
            carried = [_types(condition.inputs), _types(body.inputs), _types(body.outputs), results]
            given = _types(operation.inputs.get("loop_vars", ()))
            agree = all(types == given for types in carried) and _types(condition.outputs) == [("tensor", "bool")]
        case _:
            raise ValueError(f"it has {len(operation.blocks)} blocks of operations inside, not two")
    if not agree:
        raise ValueError("the types that it declares and those of its two blocks are not the same")


def _types(operands: Sequence[Operand]) -> list[tuple[str, str]]:
    return [(operand.kind, operand.dtype) for operand in operands]


def _dtype(known: Op, operation: Operation, source: str) -> str:
    names = source.split("|")
    computed = (name for name in names if any(isinstance(each, Variable) for each in operation.inputs.get(name, ())))
    source = next(computed, names[0])
    if source not in known.parameters:
        return source
    given = operation.inputs.get(source)
    if not given:
        default = known.parameters[source].default
        return full_name(str(getattr(default, "dtype", default)).removeprefix("torch."))
    text = given[0].value if isinstance(given[0], Constant) else None
    return full_name(text) if isinstance(text, str) else given[0].dtype


def bind(known: Op, pairs: Sequence[Given], opset: int) -> tuple[Compute, Operands]:
    """Give the function its constants, and tell which variables are behind the keywords that remain."""
    bound: dict[str, Any] = {"opset": opset} if known.has_opset else {}
    operands: Operands = {}
    adapters: dict[str, Callable[[Any], Any]] = {}
    for parameter, given in pairs:
        key, variables = parameter.name, tuple(operand.name for operand in given if isinstance(operand, Variable))
        if not variables:
            bound[key] = _constant(parameter, given)
        elif parameter.is_tensor:
            operands[key] = variables[0]
        else:
            operands[key] = variables
            if len(variables) < len(given) or not parameter.is_tensors:
                adapters[key] = partial(_completed, parameter, [_fixed(parameter, operand) for operand in given])
    compute: Compute = partial(known.compute, **bound)
    return (partial(_adapted, compute, adapters) if adapters else compute), operands


def _constant(parameter: Parameter, given: Sequence[Operand]) -> object:
    fixed = [_fixed(parameter, operand) for operand in given]
    if parameter.is_tensor:
        return fixed[0]
    return tuple(fixed) if parameter.is_tensors else parameter.literal(fixed)


def _fixed(parameter: Parameter, operand: Operand) -> Any:
    """What is known of an operand now: a tensor or what `Parameter.literal` takes, None for a variable."""
    if isinstance(operand, Variable):
        return None
    return operand.tensor() if parameter.is_tensor or parameter.is_tensors else operand.value


def _completed(parameter: Parameter, fixed: Sequence[Any], computed: tuple[Any, ...]) -> object:
    rest = iter(computed)
    if parameter.is_tensors:
        return tuple(next(rest) if each is None else each for each in fixed)
    return parameter.literal([next(rest).numpy() if each is None else each for each in fixed])


def _adapted(compute: Compute, adapters: Mapping[str, Callable[[Any], Any]], **given: Any) -> Any:
    return compute(**given | {key: adapt(given[key]) for key, adapt in adapters.items()})
