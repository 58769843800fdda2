"""Inputs and outputs as apps see them: images, flexible shapes, defaults, classes. Packages that coremltools converted."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import coremltools as ct
import numpy as np
import pytest
import torch
from coremltools.converters.mil import Builder as mb  # noqa: N813 (its name in coremltools' documentation)
from PIL import Image
from torch import Tensor, nn

from edgekit.errors import InputError, UsageError
from edgekit_coreml.reference import Mode, ReferenceModel

Convert = Callable[..., Path]
Edit = Callable[..., Path]
HEIGHT, WIDTH = 4, 6
ROWS, COLUMNS = np.mgrid[:HEIGHT, :WIDTH].astype(np.uint8)
PIXELS = np.stack([10 * ROWS, 20 * COLUMNS, 255 - ROWS - COLUMNS], axis=2)  # [height, width, red green blue]
COLORS = Image.fromarray(PIXELS)
GRAYS = Image.fromarray(PIXELS[:, :, 1])
HALVES = Image.fromarray((PIXELS[:, :, 1] / np.float32(7)).astype(np.float32))
FLEXIBLE = {
    "range": ct.Shape((1, 3, ct.RangeDim(HEIGHT, 8), ct.RangeDim(1, 999, default=WIDTH))),
    "list": ct.EnumeratedShapes([(1, 3, HEIGHT, WIDTH), (1, 3, 8, 5)]),
}


class Affine(nn.Module):
    """2 x + 1, or 2 x + 0.5."""

    def __init__(self, offset: float = 1) -> None:
        super().__init__()
        self.offset = offset

    def forward(self, x: Tensor) -> Tensor:
        return x * 2 + self.offset


@pytest.fixture(scope="module")
def convert(save_program: Callable[..., None], tmp_path_factory: pytest.TempPathFactory) -> Convert:
    """Save `Affine`: `convert(inputs, outputs, example=shape)`."""

    def convert(given: Any, output: Any = None, *, example: tuple[int, ...] = (1, 3, HEIGHT, WIDTH), offset: float = 1) -> Path:
        path = tmp_path_factory.mktemp("features") / "model.mlpackage"
        with warnings.catch_warnings():  # deprecated; but a traced module has no sizes, so that `inputs` alone says them
            warnings.simplefilter("ignore")
            source = torch.jit.trace(Affine(offset), torch.zeros(example))  # type: ignore[no-untyped-call]  # untyped in torch
        single = {"compute_precision": ct.precision.FLOAT32, "minimum_deployment_target": ct.target.iOS17}
        save_program(source, path, inputs=[given], outputs=[output or ct.TensorType("y", dtype=np.float32)], **single)
        return path

    return convert


def image(color: str, *, channels: int = 3, name: str = "x", **options: Any) -> Any:
    options = {"shape": (1, channels, HEIGHT, WIDTH)} | options if name == "x" else options
    return ct.ImageType(name=name, color_layout=getattr(ct.colorlayout, color), **options)


def answer(path: Path, x: Any, mode: Mode = "exact") -> Any:
    return ReferenceModel(path, mode).predict({"x": x})["y"]


def test_an_image_is_given_by_channel(convert: Convert) -> None:
    expected = 2 * PIXELS.transpose(2, 0, 1)[None].astype(np.float32) + 1
    np.testing.assert_array_equal(answer(convert(image("RGB")), COLORS), expected)
    np.testing.assert_array_equal(answer(convert(image("BGR")), COLORS), expected[:, ::-1])
    gray = answer(convert(image("GRAYSCALE", channels=1), example=(1, 1, HEIGHT, WIDTH)), GRAYS)
    np.testing.assert_array_equal(gray, expected[:, 1:2])


def test_grays_of_16_bits_are_rounded_to_them(convert: Convert) -> None:
    path = convert(image("GRAYSCALE_FLOAT16", channels=1), example=(1, 1, HEIGHT, WIDTH))
    expected = 2 * np.array(HALVES).astype(np.float16).astype(np.float32)[None, None] + 1
    np.testing.assert_array_equal(answer(path, HALVES), expected)


def test_scale_and_bias_are_operators_of_the_program(convert: Convert) -> None:
    path = convert(image("BGR", scale=0.5, bias=[-1, -20, -300]))
    assert ReferenceModel(path).op_types == {"add", "mul"}
    scaled = PIXELS[:, :, ::-1] * 0.5 - [1, 20, 300]
    np.testing.assert_array_equal(answer(path, COLORS), 2 * scaled.transpose(2, 0, 1)[None] + 1)


def test_an_image_is_what_coremltools_makes_of_it(convert: Convert) -> None:
    """RGBA with opaque pixels for colours, from channels in the described order."""
    odd = Image.fromarray(PIXELS // 3)
    rgb = answer(convert(image("RGB"), image("RGB", name="y")), odd)
    bgr = answer(convert(image("RGB"), image("BGR", name="y")), odd)
    assert rgb.mode == bgr.mode == "RGBA"
    np.testing.assert_array_equal(np.array(rgb)[:, :, :3], 2 * (PIXELS // 3) + 1)
    np.testing.assert_array_equal(np.array(bgr)[:, :, :3], 2 * (PIXELS // 3)[:, :, ::-1] + 1)
    assert (np.array(rgb)[:, :, 3] == 255).all()
    shape = {"example": (1, 1, HEIGHT, WIDTH)}
    gray = answer(convert(image("GRAYSCALE", channels=1), image("GRAYSCALE", name="y"), **shape), GRAYS)
    assert gray.mode == "L"
    np.testing.assert_array_equal(np.array(gray), 2 * np.array(GRAYS) + 1)
    float16 = image("GRAYSCALE_FLOAT16", name="y")
    halves = answer(convert(image("GRAYSCALE_FLOAT16", channels=1), float16, **shape), HALVES)
    assert halves.mode == "F"
    np.testing.assert_array_equal(np.array(halves), 2 * np.array(HALVES).astype(np.float16).astype(np.float32) + 1)


@pytest.mark.parametrize(("offset", "x"), [(0.5, COLORS), (1, COLORS), (-1, Image.fromarray(0 * PIXELS))])
def test_refuses_pixels_that_are_no_bytes(convert: Convert, offset: float, x: Any) -> None:
    with pytest.raises(InputError, match=r"output 'y' .* is an image with values that are no integers from 0 to 255"):
        answer(convert(image("RGB"), image("RGB", name="y"), offset=offset), x)


@pytest.mark.parametrize(
    ("color", "given", "message"),
    [
        ("RGB", GRAYS, "is a RGB image, which takes a PIL image of mode RGB: it was given mode L"),
        ("BGR", COLORS.convert("RGBA"), "is a BGR image, which takes a PIL image of mode RGB: it was given mode RGBA"),
        ("RGB", PIXELS, "of mode RGB: it was given ndarray"),
        ("GRAYSCALE", COLORS, "of mode L: it was given mode RGB"),
        ("GRAYSCALE_FLOAT16", GRAYS, "of mode F: it was given mode L"),
        ("RGB", COLORS.resize((HEIGHT, WIDTH)), r"was given an image of height 6 and width 4; allowed is \[4, 6\]"),
    ],
)
def test_refuses_other_pictures(convert: Convert, color: str, given: Any, message: str) -> None:
    channels = 1 if "GRAY" in color else 3
    with pytest.raises(UsageError, match=f"input 'x' .* of model.mlpackage {message}" if message[0] in "iw" else message):
        answer(convert(image(color, channels=channels), example=(1, channels, HEIGHT, WIDTH)), given)


def test_a_missing_image_is_missing(convert: Convert) -> None:
    with pytest.raises(UsageError, match="it was given nothing"):
        ReferenceModel(convert(image("RGB"))).predict({})


@pytest.mark.parametrize(
    ("flexible", "allowed", "refused", "described"),
    [
        ("range", [(4, 6), (8, 1), (5, 999)], [(3, 6), (9, 6)], r"allowed is \[4...8, 1...999\]"),
        ("list", [(4, 6), (8, 5)], [(4, 5), (8, 6)], r"allowed is \[4, 6\] or \[8, 5\]"),
    ],
)
def test_an_image_may_have_many_sizes(
    convert: Convert, flexible: str, allowed: list[tuple[int, int]], refused: list[tuple[int, int]], described: str
) -> None:
    model = ReferenceModel(convert(image("RGB", shape=FLEXIBLE[flexible])))
    for height, width in allowed:
        assert model.predict({"x": COLORS.resize((width, height))})["y"].shape == (1, 3, height, width)
    for height, width in refused:
        with pytest.raises(UsageError, match=described):
            model.predict({"x": COLORS.resize((width, height))})


@pytest.mark.parametrize(
    ("flexible", "allowed", "refused", "described"),
    [
        ("range", [(4, 6), (8, 1), (5, 999)], [(3, 6), (9, 6)], r"allowed is \[1, 3, 4...8, 1...999\]"),
        ("list", [(4, 6), (8, 5)], [(4, 5), (8, 6)], r"allowed is \[1, 3, 4, 6\] or \[1, 3, 8, 5\]"),
    ],
)
def test_an_array_may_have_many_shapes(
    convert: Convert, flexible: str, allowed: list[tuple[int, int]], refused: list[tuple[int, int]], described: str
) -> None:
    model = ReferenceModel(convert(ct.TensorType("x", FLEXIBLE[flexible], dtype=np.float32)))
    for plane in allowed:
        x = np.random.default_rng(7).random((1, 3, *plane), np.float32)
        np.testing.assert_array_equal(model.predict({"x": x})["y"], 2 * x + 1)
    for plane in refused:
        with pytest.raises(UsageError, match=described):
            model.predict({"x": np.zeros((1, 3, *plane), np.float32)})


def test_a_default_fills_an_input(convert: Convert) -> None:
    default = np.full((1, 3), 2.5, np.float32)
    model = ReferenceModel(convert(ct.TensorType("x", (1, 3), np.float32, default_value=default), example=(1, 3)))
    np.testing.assert_array_equal(model.predict({})["y"], [[6, 6, 6]])
    np.testing.assert_array_equal(model.predict({"x": [[1, 2, 3]]})["y"], [[3, 5, 7]])
    np.testing.assert_array_equal(model.predict({"x": torch.tensor([[1.0, 2, 3]], requires_grad=True)})["y"], [[3, 5, 7]])


@pytest.mark.parametrize(
    ("shape", "field", "value", "message"),
    [
        ([1, 2**40], "floatDefaultValue", 1, "a tensor of shape .* has more than"),
        ([1, -3], "floatDefaultValue", 1, "a tensor of shape .* cannot be"),
        ([1, 3], "floatDefaultValue", None, "is missing"),
    ],
)
def test_refuses_a_default_that_cannot_be(
    convert: Convert, edited: Edit, shape: list[int], field: str, value: float | None, message: str
) -> None:
    def change(model: Any) -> None:
        type_ = model.description.input[0].type
        type_.isOptional = True
        type_.multiArrayType.shapeRange.SetInParent()
        for size in (1, 3):
            type_.multiArrayType.shapeRange.sizeRanges.add(lowerBound=size, upperBound=size)
        type_.multiArrayType.shape[:] = shape
        if value is not None:
            setattr(type_.multiArrayType, field, value)

    package = edited(convert(ct.TensorType("x", (1, 3), np.float32), example=(1, 3)), change)
    with pytest.raises(UsageError, match=f"input 'x' .* {message}"):
        ReferenceModel(package).predict({})


def test_refuses_a_default_that_is_no_integer(build: Callable[..., Path], edited: Edit) -> None:
    def change(model: Any) -> None:
        model.description.input[0].type.isOptional = True
        model.description.input[0].type.multiArrayType.doubleDefaultValue = 2.5

    package = edited(build(lambda x: mb.add(x=x, y=np.int32(1)), x=np.zeros(2, np.int32)), change)
    with pytest.raises(InputError, match=r"says input 'x' is 2.5 by default, its program 'x' int32\[2\]"):
        ReferenceModel(package)


def test_many_inputs_give_many_answers(convert: Convert) -> None:
    model = ReferenceModel(convert(ct.TensorType("x", (1, 3), np.float32), example=(1, 3)))
    answers = model.predict([{"x": np.full((1, 3), value)} for value in (1, 2, 3)])
    assert [each["y"][0, 0] for each in answers] == [3, 5, 7]
    for given in ("x", [[1, 2, 3]], np.zeros((1, 3))):
        with pytest.raises(UsageError, match="predict takes a dictionary of inputs, or a list of them, not"):
            model.predict(given)  # type: ignore[arg-type]  # wrong on purpose


def test_integers_that_do_not_fit_are_refused(build: Callable[..., Path]) -> None:
    model = ReferenceModel(build(lambda x: mb.add(x=x, y=np.int32(1), name="y"), x=np.zeros(2, np.int32)))
    assert model.predict({"x": np.array([2**31 - 2, -(2**31)])})["y"].tolist() == [2**31 - 1, 1 - 2**31]
    with pytest.raises(UsageError, match="was given integers that int32 cannot hold"):
        model.predict({"x": np.array([2**31, 0])})
    with pytest.raises(UsageError, match=r"was given float64\[2\]"):
        model.predict({"x": np.array([1.0, 0])})
    with pytest.raises(UsageError, match="was given what is no array"):
        model.predict({"x": [[1], [2, 3]]})


@pytest.fixture(scope="module")
def classifier(save_program: Callable[..., None], tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    def classifier(labels: list[str] | list[int]) -> Path:
        def halves(x: Any) -> Any:
            return mb.mul(x=x, y=np.float32(0.5), name="halves")

        program = mb.program(input_specs=[mb.TensorSpec((1, 3))], opset_version=ct.target.iOS16)(halves)
        path = tmp_path_factory.mktemp("classifier") / "classes.mlpackage"
        save_program(program, path, classifier_config=ct.ClassifierConfig(labels, predicted_feature_name="kind"))
        return path

    return classifier


@pytest.mark.parametrize("labels", [["owl", "crane", "wren"], [30, -1, 2**40]])
def test_a_classifier_gives_a_class_and_all_probabilities(classifier: Callable[..., Path], labels: Any) -> None:
    model = ReferenceModel(classifier(labels))
    given = [[0.5, 1.5, 1.25]]
    predicted = model.predict({"x": given})
    assert predicted == {"kind": labels[1], "kind_probs": dict(zip(labels, [0.25, 0.75, 0.625], strict=True))}
    assert type(predicted["kind"]) is type(labels[1])
    assert model.predict({"x": [[1, 1, 0]]})["kind"] == labels[0]  # the first of equals
    assert [(variable.name, variable.kind) for variable in model.outputs] == [("kind", "tensor"), ("kind_probs", "dictionary")]
    with pytest.raises(InputError, match=r"classify 'kind' .* a probability is NaN"):
        model.predict({"x": [[np.nan, 1, 0]]})


def _classify(model: Any) -> Any:
    (function,) = model.mlProgram.functions.values()
    return function.block_specializations[function.opset].operations[-1]


def _same_class_twice(model: Any) -> None:
    values = _classify(model).inputs["classes"].arguments[0].value.immediateValue.list.values
    values[2].CopyFrom(values[0])


def _fewer_classes(model: Any) -> None:
    del _classify(model).inputs["classes"].arguments[0].value.immediateValue.list.values[2]


def _declared_integer(model: Any) -> None:
    _classify(model).outputs[0].type.tensorType.dataType = 24
    model.description.output[0].type.int64Type.SetInParent()


def _described_integer(model: Any) -> None:
    model.description.output[0].type.int64Type.SetInParent()


def _other_keys(model: Any) -> None:
    model.description.output[1].type.dictionaryType.int64KeyType.SetInParent()


def _lost_prediction(model: Any) -> None:
    model.description.predictedFeatureName = "class"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_same_class_twice, "2 different classes of 3 for 3 probabilities"),
        (_fewer_classes, "is a list of 3 elements, but holds 2"),
        (_declared_integer, r"classify 'kind' .* declares 'kind' int64\[\], but its result is of string"),
        (_described_integer, r"its description says output 'kind' is of int64Type, its program 'kind' string\[\]"),
        (_other_keys, "output 'kind_probs' is of dictionaryType, its program 'kind_probs' dictionary of string"),
        (_lost_prediction, "its description predicts 'class', which is not one of its outputs"),
    ],
)
def test_refuses_broken_classifiers(
    classifier: Callable[..., Path], edited: Edit, change: Callable[[Any], None], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        ReferenceModel(edited(classifier(["owl", "crane", "wren"]), change)).predict({"x": [[1, 2, 3]]})


def _sequence(model: Any) -> None:
    model.description.input[0].type.sequenceType.stringType.SetInParent()


def _narrow_range(model: Any) -> None:
    model.description.input[0].type.multiArrayType.shapeRange.sizeRanges.add(lowerBound=5, upperBound=9)


def _other_shapes(model: Any) -> None:
    model.description.input[0].type.multiArrayType.enumeratedShapes.shapes.add(shape=[4])


def _type_with_attributes(model: Any) -> None:
    (function,) = model.mlProgram.functions.values()
    attributes = function.inputs[0].type.tensorType.attributes
    attributes["interleave"].type.tensorType.SetInParent()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_type_with_attributes, "'x' has a type with attributes that are not known: interleave"),
        (_sequence, r"says input 'x' is of sequenceType, its program 'x' float32\[3\]"),
        (_narrow_range, r"says input 'x' is float32\[5...9\], its program 'x' float32\[3\]"),
        (_other_shapes, r"says input 'x' is float32\[4\], its program 'x' float32\[3\]"),
    ],
)
def test_refuses_a_description_of_something_else(
    build: Callable[..., Path], edited: Edit, change: Callable[[Any], None], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        ReferenceModel(edited(build(lambda x: mb.relu(x=x), x=np.zeros(3, np.float32)), change))


@pytest.mark.parametrize(
    ("change", "expected"),
    [("doubleType", 7.5), ("int64Type", 7)],
)
def test_a_number_is_pythons_own(build: Callable[..., Path], edited: Edit, change: str, expected: float) -> None:
    dtype = np.float32 if change == "doubleType" else np.int32
    path = build(lambda x: mb.reduce_sum(x=x, axes=[0], keep_dims=False, name="y"), x=np.zeros(3, dtype))

    def describe(model: Any) -> None:
        getattr(model.description.output[0].type, change).SetInParent()

    predicted = ReferenceModel(edited(path, describe)).predict({"x": [1, 2, expected - 3] if dtype is np.float32 else [1, 2, 4]})
    assert predicted == {"y": expected}
    assert type(predicted["y"]) is type(expected)
