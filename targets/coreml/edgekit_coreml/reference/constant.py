"""Constants of a program: MIL's `Value` messages, with their numbers in the message or in a weight file."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit_coreml.reference import protobuf
from edgekit_coreml.reference.blob import Weights
from edgekit_coreml.reference.dtype import HELD, from_bytes, stored_bytes
from edgekit_coreml.reference.program import Constant, Kind, Shape, described

# coremltools/converters/mil/backend/mil/helper.py, _tensor_field_by_type: which field holds the values of which type, first
# where coremltools writes them. 16-bit integers will move to bytes some day, it says.
_FIELDS = {
    "float32": ("floats",),
    "float64": ("doubles",),
    "bool": ("bools",),
    "int16": ("ints", "bytes"),
    "uint16": ("ints", "bytes"),
    "int32": ("ints",),
    "uint32": ("bytes", "ints"),
    "int64": ("longInts",),
    "uint64": ("longInts",),
    "string": ("strings",),
}
_PACKED = ("bytes",)


class Fault(Exception):
    """What is wrong with a model's message; the file is added where it is known."""


def read_constant(value: Any, name: str, weights: Weights) -> Constant:
    """Read a `Value`.

    Args:
        value: the message.
        name: for messages.
        weights: the package's weight files.

    Raises:
        Fault: it does not hold what it declares, or nothing that can be held.
        edgekit.errors.InputError: a weight file is damaged or another model's.
    """
    kind, dtype, shape = read_type(value.type, name)
    if kind == "list" and value.immediateValue.WhichOneof("value") == "list":
        return _list(value, name, dtype, weights)
    if kind != "tensor" or (dtype not in HELD and dtype != "string") or shape is None or None in shape:
        raise Fault(f"constant {name!r} is {kind} {described(dtype, shape)}, which the reference runtime cannot hold")
    sizes = tuple(size for size in shape if size is not None)
    match value.WhichOneof("value"):
        case "blobFileValue" if dtype != "string":
            blob = value.blobFileValue
            return Constant(dtype, _shaped(weights.read(blob.fileName, blob.offset, dtype, prod(sizes)), name, dtype, sizes))
        case "immediateValue" if value.immediateValue.WhichOneof("value") == "tensor":
            return Constant(dtype, _immediate(value.immediateValue.tensor, name, dtype, sizes))
    raise Fault(f"constant {name!r} is stored in a way that is not implemented")


def read_type(type_: Any, name: str) -> tuple[Kind, str, Shape | None]:
    """Read a `ValueType`: its kind, dtype and shape as `Variable` has them.

    Raises:
        Fault: it is of another kind, or its rank is not that of its sizes.
    """
    match type_.WhichOneof("type"):
        case "tensorType":
            return "tensor", *_tensor_type(type_.tensorType, name)
        case "listType":
            return "list", *_tensor_type(type_.listType.type.tensorType, name)
        case "stateType":
            return "state", *_tensor_type(type_.stateType.wrappedType.tensorType, name)
        case "dictionaryType":
            entry = type_.dictionaryType
            if protobuf.tensor_dtype(entry.valueType.tensorType.dataType) != "float64":
                raise Fault(f"{name!r} is a dictionary of values that are not float64, which is not implemented")
            return "dictionary", protobuf.tensor_dtype(entry.keyType.tensorType.dataType), ()
        case other:
            raise Fault(f"{name!r} is of {other or 'no type'}, which is not implemented")


def _tensor_type(tensor: Any, name: str) -> tuple[str, Shape | None]:
    dtype = protobuf.tensor_dtype(tensor.dataType)
    if tensor.attributes:
        raise Fault(f"{name!r} has a type with attributes that are not known: {', '.join(sorted(tensor.attributes))}")
    if any(dimension.unknown.variadic for dimension in tensor.dimensions):
        return dtype, None
    if tensor.rank != len(tensor.dimensions):
        raise Fault(f"{name!r} declares rank {tensor.rank} and {len(tensor.dimensions)} sizes")
    return dtype, tuple(
        dimension.constant.size if dimension.WhichOneof("dimension") == "constant" else None for dimension in tensor.dimensions
    )


def _list(value: Any, name: str, dtype: str, weights: Weights) -> Constant:
    """The classes of a classifier: texts or integers."""
    elements = [read_constant(each, name, weights) for each in value.immediateValue.list.values]
    length = value.type.listType.length.constant.size
    if len(elements) != length:
        raise Fault(f"constant {name!r} is a list of {length} elements, but holds {len(elements)}")
    if any(element.dtype != dtype or element.shape or element.kind != "tensor" for element in elements):
        raise Fault(f"constant {name!r} is a list of {dtype}, but not all of its elements are")
    if dtype == "string":
        return Constant(dtype, tuple(str(element.value) for element in elements))
    if dtype == "int64":
        return Constant(dtype, tuple(int(element.tensor()) for element in elements))
    raise Fault(f"constant {name!r} is a list of {dtype}, which is not implemented")


def _immediate(tensor: Any, name: str, dtype: str, shape: tuple[int, ...]) -> NDArray[Any] | str:
    fields, field = _FIELDS.get(dtype, _PACKED), tensor.WhichOneof("value")
    if field not in fields:
        raise Fault(f"constant {name!r} of {dtype} has its values in {field}, not in {' or '.join(fields)}")
    values = getattr(tensor, field).values
    if dtype == "string":
        if shape or len(values) != 1:
            raise Fault(f"constant {name!r} is a tensor of strings, which is not implemented")
        return str(values[0])
    if field == "bytes":
        needed = stored_bytes(dtype, prod(shape))
        if len(values) != needed:
            raise Fault(f"constant {name!r} does not hold values of {described(dtype, shape)}: {len(values)} bytes, not {needed}")
        return _shaped(from_bytes(np.frombuffer(bytearray(values), np.uint8), dtype, prod(shape)), name, dtype, shape)
    wide = np.array(values)  # of the field's type, whose integers may be wider than the declared one's
    array = wide.astype(dtype)
    if array.dtype.kind in "iu" and (array != wide).any():
        raise Fault(f"constant {name!r} does not hold values of {described(dtype, shape)}: some are out of its range")
    return _shaped(array, name, dtype, shape)


def _shaped(values: NDArray[Any], name: str, dtype: str, shape: tuple[int, ...]) -> NDArray[Any]:
    try:
        return values.reshape(shape)
    except (ValueError, OverflowError) as error:
        raise Fault(f"constant {name!r} does not hold values of {described(dtype, shape)} ({error})") from error
