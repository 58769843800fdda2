"""Every operator of a quantised program alone, with the operands that a float64 evaluation has there: errors do not add up.

From end to end a quantised program says little: where a value lies halfway between two steps, the last place of a float decides
which of them it becomes, and every runtime sums in its own order.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map

from edgekit.examination import OperationError
from edgekit_coreml.reference.arithmetic import Arithmetic
from edgekit_coreml.reference.block import prepare_block
from edgekit_coreml.reference.package import Package
from edgekit_coreml.reference.program import Block, Constant, Operand, Variable, operator_types
from edgekit_coreml.reference.reader import read_model
from edgekit_coreml.reference.sequential import to_half
from edgekit_coreml.reference.step import Setting, Step, Values, prepare, run_steps
from edgekit_coreml.reference.watch import source_module

# Bits after the point, and the exponent of the smallest normal number.
_FORMATS = {"float16": (10, -14), "float32": (23, -126)}


def judge_operations(path: Path, arithmetic: Arithmetic, samples: Sequence[Mapping[str, Any]]) -> tuple[OperationError, ...]:
    """Judge every operator of a package that has quantised values or compressed constants.

    Control flow, and what handles lists, states or text, is run and not judged.

    Args:
        path: the `.mlpackage`.
        arithmetic: in which its operators are computed.
        samples: inputs as `ReferenceModel.predict` takes them; the worst of all counts.

    Returns:
        One record for each output of each operator; nothing where nothing is quantised.

    Raises:
        InputError: the package is damaged, or has an operator that is not implemented.
    """
    package = Package.open(path)
    program, interface = read_model(package, None)
    if not any(name in {"quantize", "dequantize"} or name.startswith("constexpr_") for name in operator_types(program.body)):
        return ()
    where = package.root.name
    # The constants are operands too: rounded as the arithmetic rounds them, they are the same on both sides.
    tested, exact = (Setting(where, program.opset, each) for each in (arithmetic, replace(arithmetic, ops={}, sums=None)))
    steps = tuple(
        zip(prepare_block(program.body, where, tested).steps, prepare_block(program.body, where, exact).steps, strict=True)
    )
    found: list[OperationError] = []
    with torch.inference_mode():
        found += _judge(_decompressions(program.body, tested, exact), {})
        for sample in samples:
            given = {each.variable.name: each.hold(sample.get(each.variable.name)) for each in interface.inputs}
            found += _judge(steps, {each.name: _stored(given[each.name], each.dtype) for each in program.inputs})
    worst: dict[tuple[str, str], OperationError] = {}
    for each in found:
        key = each.operation, each.result
        worst[key] = _worse(worst[key], each) if key in worst else each
    return tuple(worst.values())


def _worse(one: OperationError, other: OperationError) -> OperationError:
    if one.largest is None or other.largest is None:
        return one if one.largest is None else other
    return max(one, other, key=lambda error: error.largest or 0.0)


def _decompressions(body: Block, tested: Setting, exact: Setting) -> Iterator[tuple[Step, Step]]:
    """The operators that make constants of compressed ones. Preparing a block computes them once and for all."""
    known: dict[str, Constant] = {}

    def resolved(operand: Operand) -> Operand:
        return known.get(operand.name, operand)

    for stored in body.operations:
        if not stored.type.startswith("constexpr_"):
            continue
        operation = replace(stored, inputs={name: tuple(map(resolved, given)) for name, given in stored.inputs.items()})
        step = prepare(operation, exact)
        yield prepare(operation, tested), step
        values: Values = {}
        step(values)
        known |= {slot.variable.name: Constant(slot.variable.dtype, values[slot.variable.name].numpy()) for slot in step.outputs}


def _judge(steps: Iterable[tuple[Step, Step]], values: Values) -> Iterator[OperationError]:
    """Judge steps one after the other. Values become those of the float64 evaluation, rounded to the types that are declared."""
    for step, exact in steps:
        if exact.bodies or not all(slot.held for slot in exact.outputs):
            for _ in run_steps((replace(exact, spent=()),), values):
                pass
        else:
            results = dict(values)
            step(results)
            given = {
                key: values[name] if isinstance(name, str) else tuple(values[each] for each in name)
                for key, name in exact.operands.items()
            }
            with _Float64():  # type: ignore[no-untyped-call]  # untyped in torch
                computed: Any = exact.compute(**given)
            for slot, expected in zip(
                exact.outputs, computed if isinstance(computed, (tuple, list)) else (computed,), strict=True
            ):
                yield _compare(step, slot.variable, actual=results[slot.variable.name], expected=expected)
                values[slot.variable.name] = _stored(expected, slot.variable.dtype)
        for name in exact.spent:
            values.pop(name, None)


class _Float64(TorchDispatchMode):  # type: ignore[no-untyped-call]  # its __init_subclass__ has no types
    """While it is entered, what would be computed in float32 is computed in float64."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return func(*tree_map(_widened, args), **tree_map(_widened, kwargs or {}))


def _widened(argument: Any) -> Any:
    if isinstance(argument, Tensor):
        return argument.double() if argument.dtype == torch.float32 else argument
    return torch.float64 if argument is torch.float32 else argument


def _stored(value: Any, dtype: str) -> Any:
    """Round to the declared type, and hold it as every step expects it."""
    if not isinstance(value, Tensor) or not value.is_floating_point():
        return value
    return to_half(value.double().clone()).float() if dtype == "float16" else value.float()


def _compare(step: Step, variable: Variable, *, actual: Tensor, expected: Tensor) -> OperationError:
    if variable.dtype in _FORMATS and actual.numel():
        largest, at_peak = _in_places(variable.dtype, actual=actual.double(), expected=expected.double())
    else:
        largest = at_peak = float((actual.long() - expected.long()).abs().max()) if actual.numel() else 0.0
    finite = math.isfinite(largest)
    return OperationError(
        f"{step.operation.type} {step.operation.outputs[0].name!r}",
        variable.name,
        source_module(step.operation),
        variable.dtype,
        "ulp" if variable.dtype in _FORMATS else "step",
        largest if finite else None,
        at_peak if finite else None,
    )


def _in_places(dtype: str, *, actual: Tensor, expected: Tensor) -> tuple[float, float]:
    """The largest error in last places of the values themselves, and of the largest; infinite where only one side is finite."""
    digits, lowest = _FORMATS[dtype]
    exponent = (torch.frexp(expected).exponent - 1).clamp_(min=lowest)
    places = torch.ldexp(torch.ones_like(expected), exponent - digits)
    stored = _stored(expected, dtype).double()
    finite = actual.isfinite() & stored.isfinite()
    same = (actual == stored) | (actual.isnan() & stored.isnan())
    errors = torch.where(finite, (actual - expected).abs(), torch.where(same, 0.0, torch.inf))
    peak = places[finite].max() if finite.any() else places.new_tensor(2.0 ** (lowest - digits))
    return (errors / places).max().item(), (errors / peak).max().item()
