"""An ML program as typed records, read from the protobuf message and the weight files."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.errors import InputError
from edgekit_coreml.reference import protobuf
from edgekit_coreml.reference.blob import Weights
from edgekit_coreml.reference.dtype import HELD
from edgekit_coreml.reference.package import Package

Shape = tuple[int | None, ...]

# coremltools/converters/mil/backend/mil/helper.py, _tensor_field_by_type: which field holds the values of which type
_FIELDS = {
    "float16": "bytes",
    "float32": "floats",
    "bool": "bools",
    "int8": "bytes",
    "uint8": "bytes",
    "int16": "ints",
    "uint16": "ints",
    "int32": "ints",
    "uint32": "ints",
    "string": "strings",
}


@dataclass(frozen=True, slots=True)
class Variable:
    """A value that the program computes or is given.

    Attributes:
        name: unique in the program.
        dtype: numpy's name of the declared type, such as "float16".
        shape: the declared sizes; None for a size, or for the whole shape, that is known only when the program runs.
    """

    name: str
    dtype: str
    shape: Shape | None

    def accepts(self, shape: tuple[int, ...]) -> bool:
        """Say whether a value of this shape is what the program declares."""
        if self.shape is None or self.shape == shape:
            return True
        return len(self.shape) == len(shape) and all(
            declared in (None, size) for declared, size in zip(self.shape, shape, strict=True)
        )

    def __str__(self) -> str:
        """Write it for people: `'image' float32[1, 3, 224, 224]`."""
        return f"{self.name!r} {described(self.dtype, self.shape)}"


Operand = Variable | NDArray[Any] | str
"""What an operator is given: a variable, or a constant of numbers or of text."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One operator of the program.

    Attributes:
        type: MIL's name of the operator, such as "conv".
        inputs: operands by the name of the input; more than one where the input is a tuple.
        outputs: what it computes, in order.
    """

    type: str
    inputs: dict[str, tuple[Operand, ...]]
    outputs: tuple[Variable, ...]


@dataclass(frozen=True, slots=True)
class Program:
    """The one function of a model, constants resolved.

    Attributes:
        spec_version: Core ML's specification version, 7 for iOS 16.
        inputs: what the caller gives.
        outputs: what the caller gets.
        operations: in the order of execution, without `const`.
    """

    spec_version: int
    inputs: tuple[Variable, ...]
    outputs: tuple[Variable, ...]
    operations: tuple[Operation, ...]


def described(dtype: str, shape: Shape | None) -> str:
    """Write a type for people: `float32[1, 3, ?]`."""
    sizes = "..." if shape is None else ", ".join("?" if size is None else str(size) for size in shape)
    return f"{dtype}[{sizes}]"


def read_program(package: Package) -> Program:
    """Read the model of a package.

    Raises:
        InputError: the model is damaged, is no ML program, or uses something that is not implemented yet.
    """
    model = protobuf.parse_model(package.model)
    try:
        return _Reader(Weights(package)).read(model)
    except _Fault as error:
        raise InputError(f"{package.model}: {error}") from error


class _Fault(Exception):
    """What is wrong with the message; the file is added where it is known."""


class _Reader:
    """The names that the program has defined so far."""

    def __init__(self, weights: Weights) -> None:
        self._weights = weights
        self._defined: dict[str, Operand] = {}

    def read(self, model: Any) -> Program:
        function = _only_function(model)
        if function.opset not in function.block_specializations:
            raise _Fault(f"the program has no block for its opset {function.opset!r}")
        block = function.block_specializations[function.opset]
        inputs = tuple(self._computed(value) for value in function.inputs)
        operations = tuple(self._operation(op) for op in block.operations if not self._is_constant(op))
        outputs = tuple(self._output(name) for name in block.outputs)
        _compare("input", model.description.input, inputs)
        _compare("output", model.description.output, outputs)
        return Program(model.specificationVersion, inputs, outputs, operations)

    def _define(self, name: str, value: Operand) -> None:
        if name in self._defined:
            raise _Fault(f"the program defines {name!r} twice")
        self._defined[name] = value

    def _computed(self, named: Any) -> Variable:
        variable = _variable(named)
        if variable.dtype not in HELD:
            raise _Fault(f"{variable} is of a type that is not implemented")
        self._define(variable.name, variable)
        return variable

    def _is_constant(self, op: Any) -> bool:
        if op.type != "const":
            return False
        if len(op.outputs) != 1 or "val" not in op.attributes:
            raise _Fault("a const has no value or not one output")
        variable = _variable(op.outputs[0])
        value = self._constant(op.attributes["val"], variable.name)
        if (dtype_of(value), shape_of(value)) != (variable.dtype, variable.shape):
            raise _Fault(f"const {variable} holds a value of {described(dtype_of(value), shape_of(value))}")
        self._define(variable.name, value)
        return True

    def _operation(self, op: Any) -> Operation:
        where = f"{op.type} {op.outputs[0].name!r}" if op.outputs else op.type
        if op.blocks:
            raise _Fault(f"{where} is control flow, which is not implemented")
        if unknown := sorted(set(op.attributes) - {"name"}):
            raise _Fault(f"{where} has attributes that are not known: {', '.join(unknown)}")
        inputs = {name: tuple(self._operand(b, where) for b in op.inputs[name].arguments) for name in op.inputs}
        return Operation(op.type, inputs, tuple(self._computed(output) for output in op.outputs))

    def _operand(self, binding: Any, where: str) -> Operand:
        if binding.WhichOneof("binding") == "value":
            return self._constant(binding.value, where)
        if binding.name not in self._defined:
            raise _Fault(f"{where} uses {binding.name!r} before it is defined")
        return self._defined[binding.name]

    def _output(self, name: str) -> Variable:
        value = self._defined.get(name)
        if not isinstance(value, Variable):
            raise _Fault(f"output {name!r} is {'not defined' if value is None else 'a constant'}")
        return value

    def _constant(self, value: Any, name: str) -> NDArray[Any] | str:
        dtype, shape = _type(value.type, name)
        if dtype not in _FIELDS or shape is None or None in shape:
            raise _Fault(f"constant {name!r} is of {described(dtype, shape)}, which is not implemented")
        sizes = tuple(size for size in shape if size is not None)
        match value.WhichOneof("value"):
            case "blobFileValue" if dtype != "string":
                blob = value.blobFileValue
                return self._weights.read(blob.fileName, blob.offset, dtype, prod(sizes)).reshape(sizes)
            case "immediateValue" if value.immediateValue.WhichOneof("value") == "tensor":
                return _immediate(value.immediateValue.tensor, name, dtype, sizes)
        raise _Fault(f"constant {name!r} is stored in a way that is not implemented")


def dtype_of(operand: Operand) -> str:
    """Name the type of an operand as numpy does, "string" for text."""
    if isinstance(operand, Variable):
        return operand.dtype
    return "string" if isinstance(operand, str) else operand.dtype.name


def shape_of(operand: Operand) -> Shape | None:
    """Tell the shape of an operand, as far as it is known."""
    return () if isinstance(operand, str) else operand.shape


def _only_function(model: Any) -> Any:
    kind = model.WhichOneof("Type")
    if kind is None:
        raise _Fault("it holds no model: it is truncated or empty, copy or convert the package again")
    if kind != "mlProgram":
        raise _Fault(f"it is a model of type {kind}; only ML programs can be run: convert with convert_to='mlprogram'")
    functions = model.mlProgram.functions
    if model.description.functions or len(functions) != 1:
        raise _Fault(f"it has {len(functions)} functions ({', '.join(sorted(functions))}); one is all that can be run")
    if model.description.state:
        raise _Fault("it keeps state between predictions, which is not implemented")
    (function,) = functions.values()
    return function


def _variable(named: Any) -> Variable:
    return Variable(named.name, *_type(named.type, named.name))


def _type(type_: Any, name: str) -> tuple[str, Shape | None]:
    kind = type_.WhichOneof("type")
    if kind != "tensorType":
        raise _Fault(f"{name!r} is of {kind or 'no type'}, which is not implemented: only tensors are")
    tensor = type_.tensorType
    dtype = protobuf.tensor_dtype(tensor.dataType)
    if any(dimension.unknown.variadic for dimension in tensor.dimensions):
        return dtype, None
    if tensor.rank != len(tensor.dimensions):
        raise _Fault(f"{name!r} declares rank {tensor.rank} and {len(tensor.dimensions)} sizes")
    return dtype, tuple(
        dimension.constant.size if dimension.WhichOneof("dimension") == "constant" else None for dimension in tensor.dimensions
    )


def _immediate(tensor: Any, name: str, dtype: str, shape: tuple[int, ...]) -> NDArray[Any] | str:
    field = _FIELDS[dtype]
    if tensor.WhichOneof("value") != field:
        raise _Fault(f"constant {name!r} of {dtype} has its values in {tensor.WhichOneof('value')}, not in {field}")
    values = getattr(tensor, field).values
    if dtype == "string":
        if shape or len(values) != 1:
            raise _Fault(f"constant {name!r} is a tensor of strings, which is not implemented")
        return str(values[0])
    try:
        array = np.frombuffer(bytearray(values), dtype) if field == "bytes" else np.array(values, dtype)
        return array.reshape(shape)
    except (ValueError, OverflowError) as error:
        raise _Fault(f"constant {name!r} does not hold values of {described(dtype, shape)} ({error})") from error


def _compare(side: str, features: Iterable[Any], variables: tuple[Variable, ...]) -> None:
    """The description is what an app sees of a model: it must say what the program says."""
    declared = {variable.name: variable for variable in variables}
    described_names = [feature.name for feature in features]
    if sorted(described_names) != sorted(declared):
        raise _Fault(f"its description has the {side}s {described_names}, its program {list(declared)}")
    for feature in features:
        kind = feature.type.WhichOneof("Type")
        if kind != "multiArrayType":
            raise _Fault(f"{side} {feature.name!r} is of {kind}; only multi-arrays can be run: convert with TensorType")
        array, variable = feature.type.multiArrayType, declared[feature.name]
        dtype, shape = protobuf.array_dtype(array.dataType), tuple(array.shape)
        if dtype != variable.dtype or (shape and not variable.accepts(shape)):
            raise _Fault(f"its description says {side} {feature.name!r} is {described(dtype, shape)}, its program {variable}")
