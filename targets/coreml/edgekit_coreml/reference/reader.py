"""A package's protobuf message, read into the records of `edgekit_coreml.reference.program`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from edgekit.errors import InputError
from edgekit_coreml.reference import protobuf
from edgekit_coreml.reference.blob import Weights
from edgekit_coreml.reference.constant import Fault, read_constant, tensor_type
from edgekit_coreml.reference.dtype import HELD
from edgekit_coreml.reference.package import Package
from edgekit_coreml.reference.program import Constant, Operand, Operation, Program, Variable, described


def read_program(package: Package) -> Program:
    """Read the model of a package.

    Raises:
        InputError: the model is damaged, is no ML program, or uses something that is not implemented yet.
    """
    model = protobuf.parse_model(package.model)
    try:
        return _Reader(Weights(package)).read(model)
    except Fault as error:
        raise InputError(f"{package.model}: {error}") from error


class _Reader:
    """The names that the program has defined so far."""

    def __init__(self, weights: Weights) -> None:
        self._weights = weights
        self._defined: dict[str, Operand] = {}

    def read(self, model: Any) -> Program:
        function = _only_function(model)
        if function.opset not in function.block_specializations:
            raise Fault(f"the program has no block for its opset {function.opset!r}")
        block = function.block_specializations[function.opset]
        inputs = tuple(self._computed(value) for value in function.inputs)
        operations = tuple(self._operation(op) for op in block.operations if not self._is_constant(op))
        results = {name: self._result(name) for name in block.outputs}
        outputs = tuple(
            Variable(name, result.dtype, result.shape) if isinstance(result, Constant) else result
            for name, result in results.items()
        )
        _compare("input", model.description.input, inputs)
        _compare("output", model.description.output, outputs)
        constants = {name: result for name, result in results.items() if isinstance(result, Constant)}
        return Program(model.specificationVersion, inputs, outputs, operations, constants)

    def _define(self, name: str, value: Operand) -> None:
        if name in self._defined:
            raise Fault(f"the program defines {name!r} twice")
        self._defined[name] = value

    def _computed(self, named: Any) -> Variable:
        variable = Variable(named.name, *tensor_type(named.type, named.name))
        if variable.dtype not in HELD:
            raise Fault(f"{variable} is of a type that the reference runtime cannot hold")
        self._define(variable.name, variable)
        return variable

    def _is_constant(self, op: Any) -> bool:
        if op.type != "const":
            return False
        if len(op.outputs) != 1 or "val" not in op.attributes:
            raise Fault("a const has no value or not one output")
        variable = Variable(op.outputs[0].name, *tensor_type(op.outputs[0].type, op.outputs[0].name))
        constant = read_constant(op.attributes["val"], variable.name, self._weights)
        if (constant.dtype, constant.shape) != (variable.dtype, variable.shape):
            raise Fault(f"const {variable} holds a value of {described(constant.dtype, constant.shape)}")
        self._define(variable.name, constant)
        return True

    def _operation(self, op: Any) -> Operation:
        where = f"{op.type} {op.outputs[0].name!r}" if op.outputs else op.type
        if op.blocks:
            raise Fault(f"{where} is control flow, which is not implemented")
        inputs = {name: tuple(self._operand(b, where) for b in op.inputs[name].arguments) for name in op.inputs}
        attributes = sorted(set(op.attributes) - {"name"})
        if op.type.startswith("constexpr_"):  # up to iOS 17 these have their inputs among the attributes
            if twice := sorted(set(attributes) & inputs.keys()):
                raise Fault(f"{where} has both an input and an attribute {', '.join(twice)}")
            inputs |= {name: (read_constant(op.attributes[name], where, self._weights),) for name in attributes}
        elif attributes:
            raise Fault(f"{where} has attributes that are not known: {', '.join(attributes)}")
        return Operation(op.type, inputs, tuple(self._computed(output) for output in op.outputs))

    def _operand(self, binding: Any, where: str) -> Operand:
        if binding.WhichOneof("binding") == "value":
            return read_constant(binding.value, where, self._weights)
        if binding.name not in self._defined:
            raise Fault(f"{where} uses {binding.name!r} before it is defined")
        return self._defined[binding.name]

    def _result(self, name: str) -> Operand:
        if name not in self._defined:
            raise Fault(f"output {name!r} is not defined")
        return self._defined[name]


def _only_function(model: Any) -> Any:
    kind = model.WhichOneof("Type")
    if kind is None:
        raise Fault("it holds no model: it is truncated or empty, copy or convert the package again")
    if kind != "mlProgram":
        raise Fault(f"it is a model of type {kind}; only ML programs can be run: convert with convert_to='mlprogram'")
    functions = model.mlProgram.functions
    if model.description.functions or len(functions) != 1:
        raise Fault(f"it has {len(functions)} functions ({', '.join(sorted(functions))}); one is all that can be run")
    if model.description.state:
        raise Fault("it keeps state between predictions, which is not implemented")
    (function,) = functions.values()
    return function


def _compare(side: str, features: Iterable[Any], variables: tuple[Variable, ...]) -> None:
    """The description is what an app sees of a model: it must say what the program says."""
    declared = {variable.name: variable for variable in variables}
    described_names = [feature.name for feature in features]
    if sorted(described_names) != sorted(declared):
        raise Fault(f"its description has the {side}s {described_names}, its program {list(declared)}")
    for feature in features:
        kind = feature.type.WhichOneof("Type")
        if kind != "multiArrayType":
            raise Fault(f"{side} {feature.name!r} is of {kind}; only multi-arrays can be run: convert with TensorType")
        array, variable = feature.type.multiArrayType, declared[feature.name]
        dtype, shape = protobuf.array_dtype(array.dataType), tuple(array.shape)
        if dtype != variable.dtype or (shape and not variable.accepts(shape)):
            raise Fault(f"its description says {side} {feature.name!r} is {described(dtype, shape)}, its program {variable}")
