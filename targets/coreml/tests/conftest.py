"""Packages built with coremltools' own builder."""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from edgekit.manifest import ModelCard
from edgekit.mobilenet.network import MobileNet
from edgekit.mobilenet.program import capture_program
from edgekit.mobilenet.spec import MobileNetSpec
from edgekit.preprocessing import Preprocessing
from edgekit.target import Conversion, ConvertJob
from edgekit.testing import Made, make_artifact, make_case
from edgekit_coreml.reference import Mode, ReferenceModel
from edgekit_coreml.reference.ops import OPS
from edgekit_coreml.saving import own_temporary_folder
from edgekit_coreml.sdk import import_coremltools
from edgekit_coreml.target import CoreMLTarget

ct = import_coremltools()  # first, for the modules below would import it without its precautions

from coremltools.converters.mil import Builder as mb  # noqa: E402, N813 (its name in coremltools' documentation)
from coremltools.converters.mil.mil import types  # noqa: E402
from coremltools.proto import Model_pb2  # noqa: E402

Array = NDArray[Any]
MIL_TYPES = {"float32": types.fp32, "float16": types.fp16, "int32": types.int32}


@pytest.fixture(scope="session", autouse=True)
def _temporary_folder() -> Iterator[None]:
    """coremltools leaves a copy of every package it makes in the temporary folder: this one goes with the run."""
    with own_temporary_folder():
        yield


@pytest.fixture(scope="session")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Made]:
    """The embedded model, a V3-Small, by precision."""
    target, trained = CoreMLTarget(), make_case().trained
    return {p: make_artifact(target, trained.of(p), p, tmp_path_factory.mktemp(p)) for p in target.tolerances}


@pytest.fixture(scope="session")
def save_program() -> Callable[..., None]:
    """Convert to an ML program of iOS 16 and save it: `save_program(source, path, compute_precision=...)`."""

    def save_program(source: Any, path: Path, **options: Any) -> None:
        given = {"minimum_deployment_target": ct.target.iOS16, **options}
        with warnings.catch_warnings():  # coremltools and torch.export warn of themselves
            warnings.simplefilter("ignore")
            ct.convert(source, convert_to="mlprogram", skip_model_load=True, **given).save(str(path))

    return save_program


@pytest.fixture(scope="session")
def build(save_program: Callable[..., None], tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Save a program of these inputs: `build(body, x=array)`. No pass runs, so the operators stay as written."""

    def build(body: Callable[..., Any], opset: Any = ct.target.iOS16, **inputs: Array) -> Path:
        specs = [mb.TensorSpec(shape=x.shape, dtype=MIL_TYPES[x.dtype.name]) for x in inputs.values()]
        program = mb.program(input_specs=specs, opset_version=opset)(body)
        path = tmp_path_factory.mktemp("package") / "model.mlpackage"
        no_passes = ct.PassPipeline.EMPTY
        save_program(program, path, minimum_deployment_target=opset, pass_pipeline=no_passes)
        return path

    return build


@pytest.fixture(scope="session")
def run(build: Callable[..., Path]) -> Callable[..., list[Array]]:
    """Build a program, run it, and give its outputs in order."""

    def run(body: Callable[..., Any], mode: Mode = "exact", opset: Any = ct.target.iOS16, **inputs: Array) -> list[Array]:
        model = ReferenceModel(build(body, opset, **inputs), mode)
        answers = model.predict(inputs)
        return [answers[output.name] for output in model.outputs]

    return run


@pytest.fixture(scope="session")
def card() -> ModelCard:
    """A colour classifier that pads as TensorFlow does; two of its classes are called alike."""
    return ModelCard(
        name="finches",
        source="finches",
        sha256="0123456789abcdef" * 4,
        task="classification",
        spec=MobileNetSpec("v2", width=0.35, resolution=32, classes=5, padding="same"),
        preprocessing=Preprocessing(
            "RGB", mean=(0.485, 0.456, 0.306), std=(0.229, 0.324, 0.125), shortest_edge=40, crop=(32, 32)
        ),
        labels=("crane", "finch", "crane", "wren", "none"),
    )


@pytest.fixture(scope="session")
def network(card: ModelCard) -> MobileNet:
    """Of the card, with seeded weights, and batch norms that have seen noise: without, its logits would hardly move."""
    torch.manual_seed(20240917)
    network = MobileNet(card.spec)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = None
            torch.nn.init.uniform_(module.bias, -0.5, 0.5)
    with torch.no_grad():
        network.train()(torch.randn(16, 3, 32, 32))
    return network.eval()


@pytest.fixture(scope="session")
def converted(network: MobileNet, card: ModelCard, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Conversion]:
    """Convert as the command line does, once for each set of options: `converted("float16", input="image")`."""
    program = capture_program(network)

    @cache
    def converted(precision: str = "float32", *, card: ModelCard = card, **options: str) -> Conversion:
        folder = tmp_path_factory.mktemp("converted")
        return CoreMLTarget().convert(ConvertJob(program, precision, options, folder, card))

    return converted


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

    def family(bodies: Mapping[str, Callable[..., Any]], **inputs: Array) -> dict[str, Array]:
        def one(x: Any) -> tuple[Any, ...]:  # the builder names a program's inputs after these parameters
            return tuple(body(x) for body in bodies.values())

        def two(x: Any, y: Any) -> tuple[Any, ...]:
            return tuple(body(x, y) for body in bodies.values())

        model = ReferenceModel(build(two if "y" in inputs else one, **inputs))
        answers = model.predict(inputs)
        return {name: answers[output.name] for name, output in zip(bodies, model.outputs, strict=True)}

    return family


@pytest.fixture(scope="session")
def compute() -> Callable[..., Any]:
    """Call an operator's function without a package around it: `compute("conv", x=array, weight=array, groups=2)`."""

    def compute(name: str, **given: Any) -> Any:
        if OPS[name].has_opset:
            given.setdefault("opset", 6)
        result: Any = OPS[name].compute(**{key: hold(value) for key, value in given.items()})
        return result.numpy() if isinstance(result, torch.Tensor) else tuple(each.numpy() for each in result)

    def hold(value: Any) -> Any:
        if isinstance(value, np.ndarray):
            return torch.from_numpy(value)
        return tuple(hold(each) for each in value) if isinstance(value, tuple) else value

    return compute


@pytest.fixture(scope="module")
def random() -> np.random.Generator:
    """The same numbers in every run, whichever modules ran before."""
    return np.random.default_rng(20240917)
