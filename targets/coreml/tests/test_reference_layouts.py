"""Packages whoever made them: every version, every layout that the Manifest allows, and parts of other packages."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import coremltools as ct
import numpy as np
import pytest
from coremltools.converters.mil import Builder as mb  # noqa: N813 (its name in coremltools' documentation)
from coremltools.converters.mil.backend.mil.helper import create_tensor_value
from coremltools.proto import MIL_pb2, Model_pb2

from edgekit.errors import InputError
from edgekit_coreml.reference import ReferenceModel

Edit = Callable[..., Path]
X = np.array([[1.0, -2.0, 3.0], [4.0, 5.0, -6.0]], np.float32)
WEIGHT = np.arange(12, dtype=np.float32).reshape(4, 3) - 5
WEIGHTS = Path("Data/com.apple.CoreML/weights/weight.bin")


def linear(weight: Any) -> Callable[[Any], Any]:
    return lambda x: mb.linear(x=x, weight=weight, name="answer")


@pytest.fixture(scope="module")
def package(build: Callable[..., Path]) -> Path:
    return build(linear(WEIGHT), x=X)


@pytest.fixture
def copy(package: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(package, tmp_path / "copy.mlpackage"))


@pytest.mark.parametrize(
    ("target", "version"),
    [("iOS15", 6), ("iOS16", 7), ("iOS17", 8), ("iOS18", 9), ("iOS26", 10)],
)
def test_runs_every_version_that_coremltools_writes(build: Callable[..., Path], target: str, version: int) -> None:
    model = ReferenceModel(build(linear(WEIGHT), opset=ct.target[target], x=X))
    assert model.spec_version == version
    np.testing.assert_array_equal(model.predict({"x": X})["answer"], X @ WEIGHT.T)


@pytest.mark.parametrize("version", [0, 5, 11, 2**31 - 1, -1])
def test_refuses_a_version_that_has_no_ml_programs_or_is_not_known(package: Path, edited: Edit, version: int) -> None:
    with pytest.raises(InputError, match=f"specification version is {version}; known for ML programs are 6 to 10"):
        ReferenceModel(edited(package, lambda model: setattr(model, "specificationVersion", version)))


def test_refuses_an_opset_that_is_not_known(package: Path, edited: Edit) -> None:
    def rename(model: Any) -> None:
        (function,) = model.mlProgram.functions.values()
        function.block_specializations["CoreML10"].CopyFrom(function.block_specializations[function.opset])
        function.opset = "CoreML10"

    with pytest.raises(InputError, match="is of opset 'CoreML10'; known are CoreML5, CoreML6"):
        ReferenceModel(edited(package, rename))


def test_refuses_a_program_of_another_version(package: Path, edited: Edit) -> None:
    with pytest.raises(InputError, match="its program is of version 2; only version 1 is known"):
        ReferenceModel(edited(package, lambda model: setattr(model.mlProgram, "version", 2)))


def test_finds_a_model_where_the_manifest_says(copy: Path) -> None:
    folder = copy / "Data/org.example"
    (copy / "Data/com.apple.CoreML").rename(folder)
    (folder / "model.mlmodel").rename(folder / "network.mlmodel")
    (copy / "Data/org.example/unnamed.txt").write_text("what the Manifest does not name is not read")
    manifest = json.loads((copy / "Manifest.json").read_text())
    manifest["itemInfoEntries"][manifest["rootModelIdentifier"]]["path"] = "org.example/network.mlmodel"
    (copy / "Manifest.json").write_text(json.dumps(manifest))
    np.testing.assert_array_equal(ReferenceModel(copy).predict({"x": X})["answer"], X @ WEIGHT.T)


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (np.zeros((4, 5), np.float32), r"has 80 bytes, but the model declares 12 values of float32"),
        (np.zeros((4, 3), np.float16), "blob at offset 64 holds float16, but the model declares float32"),
        (None, "cannot read weight file"),
    ],
)
def test_names_the_weight_file_of_another_model(build: Callable[..., Path], copy: Path, other: Any, message: str) -> None:
    if other is None:
        shutil.rmtree((copy / WEIGHTS).parent)
    else:
        x = np.zeros((2, other.shape[1]), other.dtype)
        shutil.copy(build(linear(other), x=x) / WEIGHTS, copy / WEIGHTS)
    with pytest.raises(InputError, match=message) as caught:
        ReferenceModel(copy)
    assert str(copy / WEIGHTS) in str(caught.value)


def test_names_the_weight_file_whose_blobs_are_elsewhere(build: Callable[..., Path], tmp_path: Path) -> None:
    """The first of two blobs, where the model looks for the second."""
    two = build(lambda x: mb.linear(x=mb.linear(x=x, weight=WEIGHT), weight=WEIGHT.T, name="answer"), x=X)
    copy = Path(shutil.copytree(two, tmp_path / "copy.mlpackage"))
    shutil.copy(build(linear(WEIGHT), x=X) / WEIGHTS, copy / WEIGHTS)
    with pytest.raises(InputError, match="the blob at offset 192 lies beyond the end of the file"):
        ReferenceModel(copy)
    data = bytearray((two / WEIGHTS).read_bytes())
    (copy / WEIGHTS).write_bytes(bytes(data[:192]) + bytes(len(data) - 192))
    with pytest.raises(InputError, match="has no blob at offset 192: the model belongs to another weight file"):
        ReferenceModel(copy)


@pytest.mark.parametrize(
    "kind",
    ["neuralNetwork", "neuralNetworkClassifier", "pipeline", "pipelineClassifier", "treeEnsembleRegressor", "identity"],
)
def test_names_a_model_of_another_type(package: Path, edited: Edit, kind: str) -> None:
    with pytest.raises(InputError, match=f"it is a model of type {kind}; only ML programs can be run"):
        ReferenceModel(edited(package, lambda model: getattr(model, kind).SetInParent()))


def tensor(dtype: int, *sizes: int) -> Any:
    type_ = MIL_pb2.ValueType()
    type_.tensorType.dataType, type_.tensorType.rank = dtype, len(sizes)
    for size in sizes:
        type_.tensorType.dimensions.add().constant.size = size
    return type_


def operation(block: Any, kind: str, outputs: dict[str, Any], **inputs: Any) -> Any:
    """Add an operation; texts name variables, all else is a value that stands in the operation itself."""
    made = block.operations.add(type=kind)
    for name, type_ in outputs.items():
        made.outputs.add(name=name).type.CopyFrom(type_)
    for name, given in inputs.items():
        for each in given if isinstance(given, list) else [given]:
            binding = made.inputs[name].arguments.add()
            if isinstance(each, str):
                binding.name = each
            else:
                binding.value.CopyFrom(create_tensor_value(each))
    return made


def test_runs_a_package_that_no_coremltools_has_written(tmp_path: Path) -> None:
    """3 x + 1 while a count is below 4, from messages made by hand: no `const`, names of inner blocks used in both of them."""
    vector, count, truth = tensor(11, 2), tensor(23), tensor(1)
    model = Model_pb2.Model(specificationVersion=7)
    for side, name in ((model.description.input, "x"), (model.description.output, "y")):
        feature = side.add(name=name).type.multiArrayType
        feature.dataType, feature.shape[:] = 65568, [2]
    model.mlProgram.version = 1
    function = model.mlProgram.functions["main"]
    function.opset = "CoreML6"
    function.inputs.add(name="x").type.CopyFrom(vector)
    block = function.block_specializations["CoreML6"]
    block.outputs.append("y")
    loop = operation(block, "while_loop", {"n": count, "y": vector}, loop_vars=[np.array(0, np.int32), "x"])
    for outputs in (["goes_on"], ["next_n", "next_v"]):
        inner = loop.blocks.add(outputs=outputs)
        inner.inputs.add(name="i").type.CopyFrom(count)
        inner.inputs.add(name="v").type.CopyFrom(vector)
    condition, body = loop.blocks
    operation(condition, "less", {"goes_on": truth}, x="i", y=np.array(4, np.int32))
    operation(body, "add", {"next_n": count}, x="i", y=np.array(1, np.int32))
    operation(body, "mul", {"goes_on": vector}, x=np.array(3, np.float32), y="v")  # a name of the other block
    operation(body, "add", {"next_v": vector}, x="goes_on", y=np.array([1], np.float32))

    root = tmp_path / "made.mlpackage"
    (root / "Data").mkdir(parents=True)
    (root / "Data/network").write_bytes(model.SerializeToString())
    entries = {"model": {"path": "network"}}
    manifest = {"fileFormatVersion": "1.0.0", "rootModelIdentifier": "model", "itemInfoEntries": entries}
    (root / "Manifest.json").write_text(json.dumps(manifest))
    x = np.array([2, -1], np.float32)
    np.testing.assert_array_equal(ReferenceModel(root).predict({"x": x})["y"], 81 * x + 40)
