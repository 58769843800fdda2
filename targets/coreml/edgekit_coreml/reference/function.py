"""Which function of a model is meant, and its description."""

from __future__ import annotations

from typing import Any

from edgekit.errors import UsageError
from edgekit_coreml.reference.constant import Fault

VERSIONS = range(6, 11)
"""Specification versions of ML programs: iOS 15 to iOS 18, and that of 2025."""


def find_function(model: Any, name: str | None, package: str) -> tuple[Any, Any]:
    """Find a function of a model, as `coremltools.models.MLModel` does.

    Args:
        model: the message.
        name: of the function; None for the model's default one, or its only one.
        package: for messages.

    Returns:
        The function's message, and that of its description: `FunctionDescription`, or `ModelDescription` for the only one.

    Raises:
        Fault: the model is no ML program, or of an unknown version, or its description does not fit it.
        UsageError: it has no such function.
    """
    kind = model.WhichOneof("Type")
    if kind is None:
        raise Fault("it holds no model: it is truncated or empty, copy or convert the package again")
    if kind != "mlProgram":
        raise Fault(f"it is a model of type {kind}; only ML programs can be run: convert with convert_to='mlprogram'")
    if model.specificationVersion not in VERSIONS:
        raise Fault(
            f"its specification version is {model.specificationVersion}; "
            f"known for ML programs are {VERSIONS.start} to {VERSIONS.stop - 1}"
        )
    if model.mlProgram.version != 1:
        raise Fault(f"its program is of version {model.mlProgram.version}; only version 1 is known")
    functions, description = model.mlProgram.functions, model.description
    if description.functions:
        return _one_of_many(model, name, package)
    if len(functions) != 1:
        raise Fault(f"it has {len(functions)} functions ({', '.join(sorted(functions))}) and describes none of them")
    if name not in (None, "main", *functions):
        raise UsageError(f"{package} has no function {name!r}: its only one is {', '.join(functions)}")
    (function,) = functions.values()
    return function, description


def function_names(model: Any) -> tuple[str, ...]:
    """List the functions of an ML program, sorted."""
    return tuple(sorted(model.mlProgram.functions))


def _one_of_many(model: Any, name: str | None, package: str) -> tuple[Any, Any]:
    functions, described = model.mlProgram.functions, [each.name for each in model.description.functions]
    if sorted(described) != sorted(functions):
        raise Fault(f"its description has the functions {described}, its program {sorted(functions)}")
    wanted = name or model.description.defaultFunctionName
    if not wanted:
        raise UsageError(f"{package} has no default function: name one of {', '.join(sorted(functions))}")
    if wanted not in functions and name is None:
        raise Fault(f"its default function {wanted!r} is not one of its functions: {', '.join(sorted(functions))}")
    if wanted not in functions:
        raise UsageError(f"{package} has no function {wanted!r}: it has {', '.join(sorted(functions))}")
    return functions[wanted], next(each for each in model.description.functions if each.name == wanted)
