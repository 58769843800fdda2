"""The description of a model: what apps are told of its inputs and outputs, held against what its program says."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from edgekit_coreml.reference import protobuf
from edgekit_coreml.reference.constant import Fault
from edgekit_coreml.reference.feature import ArrayFeature, Feature, LabelFeature, NumberFeature, Sizes
from edgekit_coreml.reference.image import MODES, ImageFeature
from edgekit_coreml.reference.program import Variable, described


def read_features(side: str, features: Iterable[Any], variables: tuple[Variable, ...]) -> tuple[Feature, ...]:
    """Read the inputs, outputs or states of a description, in the order of the program.

    Args:
        side: which of them, for messages.
        features: the messages.
        variables: what the program has.

    Raises:
        Fault: the description says something else than the program, or something that is not implemented.
    """
    messages = {feature.name: feature for feature in features}
    if sorted(feature.name for feature in features) != sorted(variable.name for variable in variables):
        names = [variable.name for variable in variables]
        raise Fault(f"its description has the {side}s {list(messages)}, its program {names}")
    return tuple(_feature(side, messages[variable.name].type, variable) for variable in variables)


def check_predictions(description: Any) -> None:
    """See that what a classifier says to predict is among its outputs.

    Raises:
        Fault: it is not.
    """
    outputs = {feature.name for feature in description.output}
    for name in (description.predictedFeatureName, description.predictedProbabilitiesName):
        if name and name not in outputs:
            raise Fault(f"its description predicts {name!r}, which is not one of its outputs")


def _feature(side: str, type_: Any, variable: Variable) -> Feature:
    kind = type_.WhichOneof("Type")
    match kind, variable.kind, variable.dtype:
        case "multiArrayType", "tensor", _:
            return _array(side, type_.multiArrayType, variable, is_optional=type_.isOptional)
        case "stateType", "state", _ if type_.stateType.WhichOneof("Type") == "arrayType":
            return _array(side, type_.stateType.arrayType, variable, is_optional=False)
        case "imageType", "tensor", "float16" | "float32":
            return _image(side, type_.imageType, variable)
        case "int64Type", "tensor", "int32" | "int64" if variable.shape == ():
            return NumberFeature(variable)
        case "doubleType", "tensor", "float16" | "float32" | "float64" if variable.shape == ():
            return NumberFeature(variable)
        case "stringType", "tensor", "string":
            return LabelFeature(variable)
        case "dictionaryType", "dictionary", dtype:
            if type_.dictionaryType.WhichOneof("KeyType") == {"string": "stringKeyType", "int64": "int64KeyType"}.get(dtype):
                return LabelFeature(variable)
    raise Fault(f"its description says {side} {variable.name!r} is of {kind}, its program {variable}")


def _array(side: str, array: Any, variable: Variable, *, is_optional: bool) -> ArrayFeature:
    dtype, shape = protobuf.array_dtype(array.dataType), tuple(array.shape)
    sizes = Sizes((shape,)) if shape else Sizes()
    match array.WhichOneof("ShapeFlexibility"):
        case "enumeratedShapes":
            sizes = Sizes(tuple(tuple(each.shape) for each in array.enumeratedShapes.shapes))
        case "shapeRange":
            sizes = Sizes(ranges=_ranges(array.shapeRange.sizeRanges))
    agree = sizes.agree_with(variable) or (variable.shape == () and shape in ((), (1,)))
    if dtype.replace("double", "float64") != variable.dtype or not agree:
        what = described(dtype, shape) if sizes == Sizes() else f"{dtype}{sizes}"
        raise Fault(f"its description says {side} {variable.name!r} is {what}, its program {variable}")
    field = array.WhichOneof("defaultOptionalValue")
    default = float(getattr(array, field)) if is_optional and field else None
    if default is not None and "int" in dtype and not default.is_integer():
        raise Fault(f"its description says {side} {variable.name!r} is {default} by default, its program {variable}")
    return ArrayFeature(variable, sizes, default, shape)


def _image(side: str, image: Any, variable: Variable) -> ImageFeature:
    name = protobuf.image_color(image.colorSpace)
    color = next((each for each in MODES if each == name), None)
    if color is None:
        raise Fault(f"{side} {variable.name!r} is an image of {name}, which is not known")
    sizes = Sizes(((image.height, image.width),))
    match image.WhichOneof("SizeFlexibility"):
        case "enumeratedSizes":
            sizes = Sizes(tuple((each.height, each.width) for each in image.enumeratedSizes.sizes))
        case "imageSizeRange":
            sizes = Sizes(ranges=_ranges((image.imageSizeRange.heightRange, image.imageSizeRange.widthRange)))
    channels = 3 if color in ("RGB", "BGR") else 1
    shape = variable.shape
    if shape is None or len(shape) != 4 or shape[:2] != (1, channels) or not sizes.agree_with(_plane(variable)):
        raise Fault(f"its description says {side} {variable.name!r} is a {color} image of {sizes}, its program {variable}")
    return ImageFeature(variable, color, sizes)


def _plane(variable: Variable) -> Variable:
    return Variable(variable.name, variable.dtype, (variable.shape or ())[2:])


def _ranges(ranges: Iterable[Any]) -> tuple[tuple[int, int | None], ...]:
    """A largest size of -1 is none."""
    return tuple((each.lowerBound, None if each.upperBound < 0 else each.upperBound) for each in ranges)
