"""A package's protobuf message, read into the records of `edgekit_coreml.reference.program`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from edgekit.errors import InputError
from edgekit_coreml.reference import protobuf
from edgekit_coreml.reference.blob import Weights
from edgekit_coreml.reference.constant import Fault, read_constant, read_type
from edgekit_coreml.reference.description import check_predictions, read_features
from edgekit_coreml.reference.dtype import HELD
from edgekit_coreml.reference.feature import Feature
from edgekit_coreml.reference.function import find_function, function_names
from edgekit_coreml.reference.package import Package
from edgekit_coreml.reference.program import Block, Constant, Operand, Operation, Program, Variable, described

OPSETS = {"CoreML5": 5, "CoreML6": 6, "CoreML7": 7, "CoreML8": 8, "CoreML9": 9}
"""Versions of the operators: those of iOS 15 to iOS 18, and of 2025."""


@dataclass(frozen=True, slots=True)
class Interface:
    """What the description of a function says, in the order of its program.

    Attributes:
        function_names: all functions of the model.
        inputs: what the caller gives.
        outputs: what the caller gets.
        states: what the caller keeps.
    """

    function_names: tuple[str, ...]
    inputs: tuple[Feature, ...]
    outputs: tuple[Feature, ...]
    states: tuple[Feature, ...]


def read_program(package: Package, function_name: str | None = None) -> Program:
    """Read one function of a package: see `read_model`."""
    return read_model(package, function_name)[0]


def read_model(package: Package, function_name: str | None = None) -> tuple[Program, Interface]:
    """Read one function of the model of a package, and how it is described.

    Args:
        package: an opened package.
        function_name: which function; None for the one that the model names as its default, or the only one.

    Raises:
        InputError: the model is damaged, is no ML program, or uses something that is not implemented.
        UsageError: it has no such function.
    """
    model = protobuf.parse_model(package.model)
    try:
        function, description = find_function(model, function_name, package.root.name)
        check_predictions(description)
        program = _read_function(function, model.specificationVersion, Weights(package))
        interface = Interface(
            function_names(model),
            read_features("input", description.input, program.inputs),
            read_features("output", description.output, program.outputs),
            read_features("state", description.state, program.states),
        )
    except Fault as error:
        raise InputError(f"{package.model}: {error}") from error
    return program, interface


def _read_function(function: Any, spec_version: int, weights: Weights) -> Program:
    if function.opset not in function.block_specializations:
        raise Fault(f"the program has no block for its opset {function.opset!r}")
    if function.opset not in OPSETS:
        raise Fault(f"the program is of opset {function.opset!r}; known are {', '.join(OPSETS)}")
    message = function.block_specializations[function.opset]
    body = _Scope(weights, {}).block(message, function.inputs)
    outputs = tuple(_output(name, result) for name, result in zip(message.outputs, body.outputs, strict=True))
    if len(set(message.outputs)) < len(outputs):
        raise Fault(f"the program gives an output twice: {', '.join(message.outputs)}")
    return Program(
        spec_version,
        OPSETS[function.opset],
        tuple(variable for variable in body.inputs if variable.kind != "state"),
        outputs,
        tuple(variable for variable in body.inputs if variable.kind == "state"),
        body,
    )


def _output(name: str, result: Operand) -> Variable:
    if result.kind in ("list", "state"):
        raise Fault(f"output {name!r} is a {result.kind} of {result.dtype}, which no app can be given")
    return Variable(name, result.dtype, result.shape, result.kind)


class _Scope:
    """The names that can be seen: those outside, and those that have been defined here so far."""

    def __init__(self, weights: Weights, outside: dict[str, Operand]) -> None:
        self._weights = weights
        self._seen = dict(outside)

    def block(self, message: Any, inputs: Any) -> Block:
        given = tuple(self._variable(value) for value in inputs)
        operations = tuple(self._operation(op) for op in message.operations if not self._is_constant(op))
        return Block(given, operations, tuple(self._result(name) for name in message.outputs))

    def _define(self, name: str, value: Operand) -> None:
        if name in self._seen:
            raise Fault(f"the program defines {name!r} twice")
        self._seen[name] = value

    def _variable(self, named: Any) -> Variable:
        kind, dtype, shape = read_type(named.type, named.name)
        variable = Variable(named.name, dtype, shape, kind)
        if dtype not in HELD and dtype != "string":
            raise Fault(f"{variable} is of a type that the reference runtime cannot hold")
        self._define(variable.name, variable)
        return variable

    def _is_constant(self, op: Any) -> bool:
        if op.type != "const":
            return False
        if len(op.outputs) != 1 or "val" not in op.attributes:
            raise Fault("a const has no value or not one output")
        if unknown := sorted({*op.attributes, *op.inputs} - {"name", "val"}):
            raise Fault(f"const {op.outputs[0].name!r} has attributes that are not known: {', '.join(unknown)}")
        kind, dtype, shape = read_type(op.outputs[0].type, op.outputs[0].name)
        variable = Variable(op.outputs[0].name, dtype, shape, kind)
        constant = read_constant(op.attributes["val"], variable.name, self._weights)
        if (constant.kind, constant.dtype, constant.shape) != (kind, dtype, shape):
            raise Fault(f"const {variable} holds a value of {described(constant.dtype, constant.shape)}")
        self._define(variable.name, replace(constant, name=variable.name))
        return True

    def _operation(self, op: Any) -> Operation:
        where = f"{op.type} {op.outputs[0].name!r}" if op.outputs else op.type
        inputs = {name: tuple(self._operand(b, where) for b in op.inputs[name].arguments) for name in op.inputs}
        attributes = sorted(set(op.attributes) - {"name"})
        if op.type.startswith("constexpr_"):  # up to iOS 17 these have their inputs among the attributes
            if twice := sorted(set(attributes) & inputs.keys()):
                raise Fault(f"{where} has both an input and an attribute {', '.join(twice)}")
            inputs |= {name: (read_constant(op.attributes[name], where, self._weights),) for name in attributes}
        elif attributes:
            raise Fault(f"{where} has attributes that are not known: {', '.join(attributes)}")
        blocks = tuple(_Scope(self._weights, self._seen).block(block, block.inputs) for block in op.blocks)
        return Operation(op.type, inputs, tuple(self._variable(output) for output in op.outputs), blocks)

    def _operand(self, binding: Any, where: str) -> Operand:
        if binding.WhichOneof("binding") == "value":
            return read_constant(binding.value, where, self._weights)
        if binding.name not in self._seen:
            raise Fault(f"{where} uses {binding.name!r} before it is defined")
        return self._seen[binding.name]

    def _result(self, name: str) -> Operand:
        if name not in self._seen:
            raise Fault(f"output {name!r} is not defined")
        result = self._seen[name]
        if isinstance(result, Constant) and (result.kind == "list" or result.dtype == "string"):
            raise Fault(f"output {name!r} is a constant text or list, which is not implemented")
        return result
