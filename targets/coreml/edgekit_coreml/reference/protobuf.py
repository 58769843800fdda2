"""Core ML's protobuf messages, taken from the coremltools wheel without importing coremltools.

`import coremltools` loads every converter it finds and takes seconds; the generated `*_pb2` modules take milliseconds.
They import each other with `from . import`, so they need a package around them: an empty one, whose path is their
folder. Messages register with protobuf by their file, so this and coremltools' own import give the same classes.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

from google.protobuf.message import DecodeError

from edgekit.errors import InputError, TargetMissing

_PACKAGE = "edgekit_coreml_proto"


def parse_model(path: Path) -> Any:
    """Read a `CoreML.Specification.Model` message.

    Raises:
        InputError: the file is missing, or is not a whole message.
        TargetMissing: coremltools is not installed.
    """
    try:
        return _messages("Model_pb2").Model.FromString(path.read_bytes())
    except OSError as error:
        raise InputError(f"cannot read {path} ({error.strerror}): copy or convert the package again") from error
    except DecodeError as error:
        raise InputError(f"{path} is not a whole Core ML model ({error}): copy or convert the package again") from error


@cache
def tensor_dtype(number: int) -> str:
    """Name a `MILSpec.DataType` as numpy does: "float16", "int32", "bool"; the rest as protobuf does, in lower case."""
    return _enum_name(_messages("MIL_pb2").DataType, number)


def array_dtype(number: int) -> str:
    """Name an `ArrayFeatureType.ArrayDataType` as numpy does: "float32"; "double" is the one that numpy has not."""
    return _enum_name(_messages("FeatureTypes_pb2").ArrayFeatureType.ArrayDataType, number)


def image_color(number: int) -> str:
    """Name an `ImageFeatureType.ColorSpace` as protobuf does: "RGB", "GRAYSCALE_FLOAT16"."""
    return _enum_name(_messages("FeatureTypes_pb2").ImageFeatureType.ColorSpace, number).upper()


def _enum_name(enum: Any, number: int) -> str:
    try:
        return str(enum.Name(number)).lower()
    except ValueError:
        return f"unknown dtype {number}"


@cache
def _messages(module: str) -> ModuleType:
    if _PACKAGE not in sys.modules:
        coremltools = importlib.util.find_spec("coremltools")  # a top-level name: nothing is imported
        if coremltools is None or not coremltools.submodule_search_locations:
            raise TargetMissing("coremltools is not installed: pip install coremltools")
        package = ModuleType(_PACKAGE)
        package.__path__ = [str(Path(folder) / "proto") for folder in coremltools.submodule_search_locations]
        sys.modules[_PACKAGE] = package
    return importlib.import_module(f"{_PACKAGE}.{module}")
