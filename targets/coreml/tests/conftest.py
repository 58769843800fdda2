"""Packages built with coremltools' own builder, and the data that lies beside the repository."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import coremltools as ct
import numpy as np
import pytest
from coremltools.converters.mil import Builder as mb
from coremltools.converters.mil.mil import types
from coremltools.proto import Model_pb2
from edgekit_coreml.reference import ReferenceModel
from numpy.typing import NDArray

Array = NDArray[Any]
MIL_TYPES = {"float32": types.fp32, "float16": types.fp16, "int32": types.int32}


@pytest.fixture(scope="session")
def build(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Save a program: `build(body, x=array, opset=ct.target.iOS16)`. No pass runs, so that the operators stay as written."""

    def build(body: Callable[..., Any], opset: ct.target = ct.target.iOS16, **inputs: Array) -> Path:
        specs = [mb.TensorSpec(shape=x.shape, dtype=MIL_TYPES[x.dtype.name]) for x in inputs.values()]
        program = mb.program(input_specs=specs, opset_version=opset)(body)
        model = ct.convert(
            program,
            convert_to="mlprogram",
            minimum_deployment_target=opset,
            pass_pipeline=ct.PassPipeline.EMPTY,
            skip_model_load=True,
        )
        path = tmp_path_factory.mktemp("package") / "model.mlpackage"
        model.save(str(path))
        return path

    return build


@pytest.fixture(scope="session")
def run(build: Callable[..., Path]) -> Callable[..., list[Array]]:
    """Build a program, run it, and give its outputs in order."""

    def run(
        body: Callable[..., Any], mode: str = "exact", opset: ct.target = ct.target.iOS16, **inputs: Array
    ) -> list[Array]:
        model = ReferenceModel(build(body, opset, **inputs), mode)
        answers = model.predict(inputs)
        return [answers[output.name] for output in model.outputs]

    return run


@pytest.fixture
def edited(tmp_path: Path) -> Callable[..., Path]:
    """Copy a package and change its protobuf message."""

    def edited(package: Path, change: Callable[[Any], object]) -> Path:
        copy = Path(shutil.copytree(package, tmp_path / "edited.mlpackage"))
        file = copy / "Data/com.apple.CoreML/model.mlmodel"
        model = Model_pb2.Model.FromString(file.read_bytes())
        change(model)
        file.write_bytes(model.SerializeToString())
        return copy

    return edited


@pytest.fixture(scope="session")
def family(build: Callable[..., Path]) -> Callable[..., dict[str, Array]]:
    """Run many operators of the same inputs as one program, for a conversion takes longer than an operator."""

    def family(bodies: Mapping[str, Callable[..., Any]], mode: str = "exact", **inputs: Array) -> dict[str, Array]:
        def body(*variables: Any) -> tuple[Any, ...]:
            return tuple(each(*variables) for each in bodies.values())

        arguments = ", ".join(inputs)  # the builder names the inputs of a program after the parameters
        model = ReferenceModel(build(eval(f"lambda {arguments}: body({arguments})", {"body": body}), **inputs), mode)
        answers = model.predict(inputs)
        return {name: answers[output.name] for name, output in zip(bodies, model.outputs, strict=True)}

    return family


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Weights and photographs; not part of the repository."""
    beside = Path(__file__).resolve().parents[4] / "shared" / "data"
    path = Path(os.environ.get("EDGEKIT_SHARED_DATA", beside))
    if not path.is_dir():
        pytest.skip(f"shared data: no folder {path}; set EDGEKIT_SHARED_DATA")
    return path


@pytest.fixture(scope="session")
def random() -> np.random.Generator:
    """The same numbers in every run."""
    return np.random.default_rng(20240917)
