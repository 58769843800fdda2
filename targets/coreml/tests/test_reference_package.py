"""Broken and hostile packages, and models of other kinds."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from coremltools.converters.mil import Builder as mb  # noqa: N813 (its name in coremltools' documentation)

from edgekit.errors import InputError, UsageError
from edgekit_coreml.reference import ReferenceModel, UnknownOp

Edit = Callable[..., Path]
X = np.arange(24, dtype=np.float32).reshape(1, 2, 3, 4)
WEIGHT = np.arange(16, dtype=np.float32).reshape(8, 2, 1, 1)


@pytest.fixture(scope="module")
def package(build: Any) -> Path:
    """X -> conv -> relu, with its weights in the weight file."""
    path: Path = build(lambda x: mb.relu(x=mb.conv(x=x, weight=WEIGHT, name="mixed"), name="answer"), x=X)
    return path


@pytest.fixture
def copy(package: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(package, tmp_path / "copy.mlpackage"))


def operations(model: Any) -> dict[str, Any]:
    (function,) = model.mlProgram.functions.values()
    return {op.outputs[0].name: op for op in function.block_specializations[function.opset].operations}


def sizes(named: Any) -> Any:
    return named.type.tensorType.dimensions


def refusal(path: Path) -> str:
    with pytest.raises(InputError) as caught:
        ReferenceModel(path).predict({"x": X})
    return str(caught.value)


def test_describes_the_model(package: Path) -> None:
    model = ReferenceModel(package)
    assert [(v.name, v.dtype, v.shape) for v in model.inputs] == [("x", "float32", (1, 2, 3, 4))]
    assert [(v.name, v.dtype, v.shape) for v in model.outputs] == [("answer", "float32", (1, 8, 3, 4))]
    assert model.op_types == {"conv", "relu"}
    assert model.spec_version == 7
    assert model.num_threads >= 1
    answer = model.predict({"x": X})["answer"]
    np.testing.assert_array_equal(answer, np.einsum("oi,nihw->nohw", WEIGHT[:, :, 0, 0], X))
    answer[:] = -1  # the caller's own
    assert (model.predict({"x": X})["answer"] >= 0).all()


def test_takes_what_casts_within_its_kind(package: Path) -> None:
    model = ReferenceModel(package)
    expected = model.predict({"x": X})["answer"]
    for given in (X.astype(np.float64), X.astype(np.int64), np.asfortranarray(X), X[:, :, ::-1][:, :, ::-1]):
        np.testing.assert_array_equal(model.predict({"x": given})["answer"], expected)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, r"input 'x' float32\[1, 2, 3, 4\] of model.mlpackage is missing"),
        ({"x": X, "y": X}, "has no input y"),
        ({"x": X[0]}, r"was given float32\[2, 3, 4\]"),
        ({"x": X[:, :, :, :3]}, r"was given float32\[1, 2, 3, 3\]"),
        ({"x": X.astype(np.complex64)}, "was given complex64"),
        ({"x": X.astype(str)}, "was given str"),
    ],
)
def test_refuses_wrong_inputs(package: Path, given: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        ReferenceModel(package).predict(given)


def test_refuses_an_unknown_mode(package: Path) -> None:
    with pytest.raises(UsageError, match="unknown mode 'bfloat16'"):
        ReferenceModel(package, "bfloat16")  # type: ignore[arg-type]  # wrong on purpose


def test_refuses_a_folder_without_manifest(tmp_path: Path) -> None:
    assert "is not an .mlpackage folder" in refusal(tmp_path)
    assert "is not an .mlpackage folder" in refusal(tmp_path / "absent")


@pytest.mark.parametrize("content", ["", "[]", "{", '{"fileFormatVersion": "1.0.0"}', "[" * 100_000, "\udcff"])
def test_refuses_a_manifest_without_a_root_model(copy: Path, content: str) -> None:
    (copy / "Manifest.json").write_text(content, errors="surrogateescape")
    assert "names no root model" in refusal(copy)


@pytest.mark.parametrize(
    ("item", "message"),
    [
        ("../../other.mlmodel", "leads out of the package"),
        ("/etc/passwd", "leads out of the package"),
        ("com.apple.CoreML/../../../x", "leads out of the package"),
        ("a\0b", "is not a path"),
        ("com.apple.CoreML/absent.mlmodel", "cannot read"),
        ("com.apple.CoreML", "cannot read"),
    ],
)
def test_refuses_a_manifest_that_points_elsewhere(copy: Path, item: str, message: str) -> None:
    manifest = json.loads((copy / "Manifest.json").read_text())
    manifest["itemInfoEntries"][manifest["rootModelIdentifier"]]["path"] = item
    (copy / "Manifest.json").write_text(json.dumps(manifest))
    assert message in refusal(copy)


def test_refuses_another_manifest_version(copy: Path) -> None:
    manifest = json.loads((copy / "Manifest.json").read_text())
    (copy / "Manifest.json").write_text(json.dumps(manifest | {"fileFormatVersion": "2.0.0"}))
    assert "has format version 2.0.0" in refusal(copy)


def test_refuses_a_link_out_of_the_package(copy: Path, tmp_path: Path) -> None:
    weights = copy / "Data/com.apple.CoreML/weights/weight.bin"
    weights.rename(tmp_path / "elsewhere.bin")
    os.symlink(tmp_path / "elsewhere.bin", weights)
    assert "leads out of the package" in refusal(copy)


def test_refuses_every_truncation_of_the_model(copy: Path) -> None:
    file = copy / "Data/com.apple.CoreML/model.mlmodel"
    content = file.read_bytes()
    for length in range(0, len(content), 97):
        file.write_bytes(content[:length])
        assert str(copy) in refusal(copy)


def test_refuses_truncated_weights(copy: Path) -> None:
    file = copy / "Data/com.apple.CoreML/weights/weight.bin"
    content = file.read_bytes()
    file.write_bytes(content[:-1] if len(content) % 64 else content[:-64])
    assert "copy the package again" in refusal(copy)
    file.unlink()
    assert "cannot read weight file" in refusal(copy)


def _rename_op(model: Any) -> None:
    operations(model)["mixed"].type = "frobnicate"


def test_names_an_unknown_operator(package: Path, edited: Edit) -> None:
    with pytest.raises(UnknownOp, match=r"frobnicate 'mixed' of edited.mlpackage: .* this operator is not known"):
        ReferenceModel(edited(package, _rename_op))


def _other_shape(model: Any) -> None:
    sizes(operations(model)["mixed"].outputs[0])[3].constant.size = 5


def _other_rank(model: Any) -> None:
    operations(model)["mixed"].outputs[0].type.tensorType.rank = 3


def _other_dtype(model: Any) -> None:
    operations(model)["mixed"].outputs[0].type.tensorType.dataType = 10


def _unknown_dtype(model: Any) -> None:
    operations(model)["mixed"].outputs[0].type.tensorType.dataType = 13


def _unknown_input(model: Any) -> None:
    operations(model)["mixed"].inputs["sparsity"].arguments.add().name = "x"


def _missing_input(model: Any) -> None:
    del operations(model)["mixed"].inputs["weight"]


def _two_values(model: Any) -> None:
    operations(model)["mixed"].inputs["x"].arguments.add().name = "x"


def _computed_constant(model: Any) -> None:
    operations(model)["mixed"].inputs["strides"].arguments[0].name = "x"


def _text_for_numbers(model: Any) -> None:
    operations(model)["mixed"].inputs["strides"].arguments[0].name = "mixed_pad_type_0"


def _numbers_for_text(model: Any) -> None:
    operations(model)["mixed"].inputs["pad_type"].arguments[0].name = "mixed_strides_0"


def _floats_for_integers(model: Any) -> None:
    operations(model)["mixed"].inputs["groups"].arguments[0].name = "mixed_weight_0"


def _unknown_choice(model: Any) -> None:
    operations(model)["mixed_pad_type_0"].attributes["val"].immediateValue.tensor.strings.values[0] = "circular"


def _wrong_groups(model: Any) -> None:
    operations(model)["mixed_groups_0"].attributes["val"].immediateValue.tensor.ints.values[0] = 3


def _zero_stride(model: Any) -> None:
    operations(model)["mixed_strides_0"].attributes["val"].immediateValue.tensor.ints.values[0] = 0


def _unknown_attribute(model: Any) -> None:
    operations(model)["mixed"].attributes["approximate"].CopyFrom(operations(model)["mixed"].attributes["name"])


def _block(model: Any) -> None:
    operations(model)["mixed"].blocks.add()


def _undefined(model: Any) -> None:
    operations(model)["answer"].inputs["x"].arguments[0].name = "nothing"


def _twice(model: Any) -> None:
    operations(model)["answer"].outputs[0].name = "mixed"


def _extra_output(model: Any) -> None:
    extra = operations(model)["mixed"].outputs.add()
    extra.CopyFrom(operations(model)["mixed"].outputs[0])
    extra.name = "second"


def _weights_elsewhere(model: Any) -> None:
    operations(model)["mixed_weight_0"].attributes["val"].blobFileValue.fileName = "@model_path/../../../weight.bin"


def _weights_unrooted(model: Any) -> None:
    operations(model)["mixed_weight_0"].attributes["val"].blobFileValue.fileName = "weight.bin"


def _weights_offset(model: Any) -> None:
    operations(model)["mixed_weight_0"].attributes["val"].blobFileValue.offset = 2**40


def _weights_shape(model: Any) -> None:
    sizes(operations(model)["mixed_weight_0"].outputs[0])[0].constant.size = 4


def _values_shape(model: Any) -> None:
    operations(model)["mixed_strides_0"].attributes["val"].immediateValue.tensor.ints.values.append(1)


def _values_field(model: Any) -> None:
    operations(model)["mixed_strides_0"].attributes["val"].immediateValue.tensor.floats.values.append(1)


def _no_value(model: Any) -> None:
    del operations(model)["mixed_strides_0"].attributes["val"]


def _two_functions(model: Any) -> None:
    model.mlProgram.functions["second"].opset = "CoreML6"


def _opset(model: Any) -> None:
    model.mlProgram.functions["main"].opset = "CoreML99"


def _network(model: Any) -> None:
    model.neuralNetwork.SetInParent()


def _state(model: Any) -> None:
    model.description.state.add().name = "cache"


def _image(model: Any) -> None:
    model.description.input[0].type.imageType.width = 4


def _described_dtype(model: Any) -> None:
    model.description.output[0].type.multiArrayType.dataType = 65552


def _described_shape(model: Any) -> None:
    model.description.input[0].type.multiArrayType.shape[3] = 9


def _described_name(model: Any) -> None:
    model.description.output[0].name = "reply"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            _other_shape,
            r"conv 'mixed' of edited.mlpackage declares 'mixed' float32[1, 8, 3, 5], but computes float32[1, 8, 3, 4]",
        ),
        (_other_rank, "'mixed' declares rank 3 and 4 sizes"),
        (
            _other_dtype,
            "conv 'mixed' of edited.mlpackage: declares 'mixed' float16[1, 8, 3, 4], but its result is of float32",
        ),
        (_unknown_dtype, "'mixed' bfloat16[1, 8, 3, 4] is of a type that the reference runtime cannot hold"),
        (_unknown_input, "conv 'mixed' of edited.mlpackage: inputs that are not implemented: sparsity"),
        (_missing_input, "conv 'mixed' of edited.mlpackage: input 'weight' has 0 values, not one"),
        (_two_values, "conv 'mixed' of edited.mlpackage: input 'x' has 2 values, not one"),
        (_computed_constant, "conv 'mixed' of edited.mlpackage: input 'strides' is float32[1, 2, 3, 4], not an integer"),
        (_text_for_numbers, "input 'strides' is text, not an integer"),
        (_numbers_for_text, "input 'pad_type' is int32[2], not text"),
        (_floats_for_integers, "input 'groups' is float32[8, 2, 1, 1], not an integer"),
        (_unknown_choice, "input 'pad_type' is 'circular', not one of ('valid', 'same', 'same_lower', 'custom')"),
        (_wrong_groups, "conv 'mixed' of edited.mlpackage cannot be computed"),
        (_zero_stride, "conv 'mixed' of edited.mlpackage cannot be computed"),
        (_unknown_attribute, "conv 'mixed' has attributes that are not known: approximate"),
        (_block, "conv 'mixed' of edited.mlpackage: it has 1 blocks of operations inside"),
        (_undefined, "relu 'answer' uses 'nothing' before it is defined"),
        (_twice, "the program defines 'mixed' twice"),
        (_extra_output, "conv 'mixed' of edited.mlpackage gives 1 values, but declares 2"),
        (_weights_elsewhere, "leads out of the package"),
        (_weights_unrooted, "should start with @model_path/"),
        (_weights_offset, "blob at offset 1099511627776 lies beyond the end"),
        (_weights_shape, "holds a value of float32[8, 2, 1, 1]"),
        (_values_shape, "does not hold values of int32[2]"),
        (_values_field, "has its values in floats, not in ints"),
        (_no_value, "a const has no value"),
        (_two_functions, "it has 2 functions (main, second)"),
        (_opset, "no block for its opset 'CoreML99'"),
        (_network, "it is a model of type neuralNetwork; only ML programs can be run"),
        (_state, "its description has the states ['cache'], its program []"),
        (_image, "input 'x' is an image of INVALID_COLOR_SPACE, which is not known"),
        (_described_dtype, "its description says output 'answer' is float16[1, 8, 3, 4]"),
        (_described_shape, "its description says input 'x' is float32[1, 2, 3, 9]"),
        (_described_name, "its description has the outputs ['reply'], its program ['answer']"),
    ],
)
def test_refuses_what_it_would_get_wrong(package: Path, edited: Edit, change: Callable[[Any], None], message: str) -> None:
    assert message in refusal(edited(package, change))


def _unknown_width(model: Any) -> None:
    (function,) = model.mlProgram.functions.values()
    for named in (function.inputs[0], operations(model)["mixed"].outputs[0], operations(model)["answer"].outputs[0]):
        sizes(named)[3].unknown.variadic = False
    for size in (1, 2, 3):
        model.description.input[0].type.multiArrayType.shapeRange.sizeRanges.add(lowerBound=size, upperBound=size)
    model.description.input[0].type.multiArrayType.shapeRange.sizeRanges.add(lowerBound=4, upperBound=-1)


def test_an_unknown_size_matches_what_the_description_allows(package: Path, edited: Edit) -> None:
    model = ReferenceModel(edited(package, _unknown_width))
    assert model.inputs[0].shape == (1, 2, 3, None)
    assert model.predict({"x": np.zeros((1, 2, 3, 9), np.float32)})["answer"].shape == (1, 8, 3, 9)
    for shape in ((1, 2, 4, 9), (1, 2, 3, 3)):
        with pytest.raises(UsageError, match=r"float32\[1, 2, 3, \?\].*allowed is \[1, 2, 3, 4\.\.\.\]"):
            model.predict({"x": np.zeros(shape, np.float32)})


def test_needs_coremltools_messages_but_not_coremltools(package: Path) -> None:
    """Other tests import coremltools first; here it comes last, and both must see the same message classes."""
    script = (
        "import sys\n"
        "from pathlib import Path\n"
        "from edgekit_coreml.reference import ReferenceModel\n"
        "ReferenceModel(sys.argv[1])\n"
        "assert 'coremltools' not in sys.modules\n"
        "for absent in ('sklearn', 'executorch', 'transformers'): sys.modules[absent] = None\n"
        "from coremltools.models.utils import load_spec\n"
        "from edgekit_coreml.reference.package import Package\n"
        "from edgekit_coreml.reference.protobuf import parse_model\n"
        "package = Package.open(Path(sys.argv[1]))\n"
        "assert parse_model(package.model) == load_spec(sys.argv[1])\n"
        "ReferenceModel(sys.argv[1])\n"
    )
    subprocess.run([sys.executable, "-c", script, str(package)], check=True, timeout=120)
