"""The int8 program in a package: its numbers stored as they are, in the form that Neural Engines compute in int8."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from operator import attrgetter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from torch.fx import Node

from edgekit.digits import held_out
from edgekit.errors import UsageError
from edgekit.judge import judge, sqnr_db
from edgekit.manifest import ModelCard
from edgekit.mobilenet.checkpoint import Checkpoint, open_checkpoint
from edgekit.mobilenet.network import MobileNet
from edgekit.mobilenet.program import capture_program
from edgekit.quantization.exact import ExactInt8
from edgekit.quantization.program import Quantised, capture_int8, quantise
from edgekit.quantization.unit import is_rounding, units_of
from edgekit.reference import compute_int8_reference
from edgekit.samples import make_samples
from edgekit.target import Conversion, ConvertJob, LoadJob, Program
from edgekit.testing import Made, make_case
from edgekit_coreml.placement import NEURAL_ENGINE
from edgekit_coreml.profile import profile_package
from edgekit_coreml.reference import ReferenceModel
from edgekit_coreml.reference.package import Package
from edgekit_coreml.reference.program import Operation, Variable
from edgekit_coreml.reference.reader import read_program
from edgekit_coreml.target import CoreMLTarget

Array = NDArray[Any]
COMPRESSED_WEIGHT = "constexpr_affine_dequantize"


@pytest.fixture(scope="module")
def checkpoint() -> Checkpoint:
    return open_checkpoint("digits")


@pytest.fixture(scope="module")
def pictures(checkpoint: Checkpoint) -> list[Array]:
    """24 that the contract's model was not calibrated on."""
    pixels = [checkpoint.preprocessing.pixels(Image.fromarray(each)) for each in held_out()[0][:24]]
    return [checkpoint.preprocessing.normalise(each) for each in pixels]


@pytest.fixture(scope="module")
def quantised() -> Quantised:
    return make_case().trained.quantised


@pytest.fixture(scope="module")
def program(digits: Mapping[str, Made]) -> Program:
    return digits["int8"].program


@pytest.fixture(scope="module")
def convert(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Conversion]:
    def convert(program: Program, card: ModelCard | None = None, **options: str) -> Conversion:
        return CoreMLTarget().convert(ConvertJob(program, "int8", options, tmp_path_factory.mktemp("int8"), card))

    return convert


@pytest.fixture(scope="module")
def conversion(digits: Mapping[str, Made]) -> Conversion:
    return digits["int8"].conversion


def roundings(program: Program) -> list[Node]:
    return [node for node in program.exported.graph.nodes if is_rounding(node)]


def operations_of(path: Path) -> tuple[Operation, ...]:
    return read_program(Package.open(path)).operations


def source(operation: Operation, name: str, operations: tuple[Operation, ...]) -> Operation | None:
    """What computes an operand; None for the caller's input and for constants."""
    (operand,) = operation.inputs[name]
    made = {output.name: each for each in operations for output in each.outputs}
    return made.get(operand.name) if isinstance(operand, Variable) else None


def stored(package: Path) -> dict[str, tuple[Array, Array]]:
    """The int8 values and the scales of every compressed weight, by its name."""
    found = {}
    for operation in operations_of(package):
        if operation.type == COMPRESSED_WEIGHT:
            (values,), (scales,) = operation.inputs["quantized_data"], operation.inputs["scale"]
            # constants here, never None: mypy cannot know
            found[operation.outputs[0].name] = np.asarray(values.value), np.asarray(scales.value)  # type: ignore[union-attr]
    return found


def answers(path: Path, pictures: list[Array], mode: Any = "float16") -> Array:
    model = ReferenceModel(path, mode)
    (given,) = model.inputs
    return np.concatenate([np.asarray(next(iter(model.predict({given.name: each}).values()))) for each in pictures])


def exact(program: Program, pictures: list[Array]) -> Array:
    module = ExactInt8(program.exported.module())
    return np.concatenate([module(torch.from_numpy(each)).numpy() for each in pictures])


def test_weights_and_scales_are_those_of_the_program(program: Program, conversion: Conversion) -> None:
    """The integers bit by bit, the scales as float16, in the order of execution."""
    module = program.exported.module()
    expected = []
    for node in module.graph.nodes:
        if str(node.target).startswith("quantized_decomposed.dequantize_per_channel"):
            values, scales = (attrgetter(str(given.target))(module).numpy() for given in node.args[:2])
            expected.append((values, scales.astype(np.float16)))
    found = list(stored(conversion.path).values())
    assert len(found) == len(expected) > 50
    order = {values.tobytes(): scales for values, scales in found}
    assert len(order) == len(found)
    for values, scales in expected:
        np.testing.assert_array_equal(order[values.tobytes()], scales)
    assert all(values.dtype == np.int8 for values, _ in found)


def test_every_product_reads_int8_from_both_sides(conversion: Conversion) -> None:
    """quantize -> dequantize -> conv with a compressed weight, as in Apple's own W8A8 models."""
    operations = operations_of(conversion.path)
    products = [operation for operation in operations if operation.type in ("conv", "linear")]
    assert len(products) == 54
    for product in products:
        image, weight = source(product, "x", operations), source(product, "weight", operations)
        while image is not None and image.type == "reshape":
            image = source(image, "x", operations)
        assert image is not None
        assert weight is not None
        assert (image.type, weight.type) == ("dequantize", COMPRESSED_WEIGHT)


def test_what_follows_a_relu_has_no_zero_point(conversion: Conversion) -> None:
    """uint8 around zero, which coremltools calls faster; what has values of both signs keeps its zero point."""
    operations = operations_of(conversion.path)
    kinds = {"relu": set[tuple[str, bool]](), "conv": set[tuple[str, bool]]()}
    for operation in operations:
        if operation.type == "quantize" and (made := source(operation, "input", operations)) and made.type in kinds:
            kinds[made.type].add((operation.outputs[0].dtype, "zero_point" in operation.inputs))
    assert kinds["relu"] == {("uint8", False)}
    assert ("int8", True) in kinds["conv"]


def test_the_answers_are_the_programs(program: Program, conversion: Conversion, pictures: list[Array]) -> None:
    """Float16 between the roundings moves a value to the next step here and there, and no class."""
    expected = exact(program, pictures)
    for mode in ("exact", "float16", "neural-engine", "cpu"):
        count = 24 if mode in ("exact", "float16") else 2
        actual = answers(conversion.path, pictures[:count], mode)
        assert sqnr_db(expected=expected[:count], actual=actual) >= 28, mode
        assert (actual.argmax(1) == expected[:count].argmax(1)).mean() >= 0.99, mode


def changed_weight(module: Any) -> None:
    node = next(node for node in module.graph.nodes if "dequantize_per_channel" in str(node.target))
    attrgetter(str(node.args[0].target))(module).neg_()


def changed_scale(module: Any) -> None:
    """Of the answers, by an eighth, where they are quantised and not where they are turned back: 19 dB."""
    nodes = [node for node in module.graph.nodes if "quantize_per_tensor" in str(node.target) and "dequ" not in str(node.target)]
    node = nodes[-1]
    node.args = (node.args[0], node.args[1] * 1.125, *node.args[2:])


@pytest.mark.parametrize("change", [changed_weight, changed_scale])
def test_a_wrong_number_is_noticed(
    change: Callable[[Any], None], program: Program, pictures: list[Array], convert: Callable[..., Conversion]
) -> None:
    module = program.exported.module()
    module.load_state_dict({name: value.clone() for name, value in module.state_dict().items()}, assign=True)
    change(module)
    module.recompile()
    with torch.no_grad():
        wrong = replace(program, exported=torch.export.export(module, (torch.from_numpy(pictures[0]),)))
    expected, actual = exact(program, pictures[:12]), answers(convert(wrong).path, pictures[:12])
    assert sqnr_db(expected=expected, actual=actual) < 22


def test_units_kept_in_float_stay_float(quantised: Quantised, pictures: list[Array], convert: Callable[..., Conversion]) -> None:
    first, second, *_, last = units_of(quantised.module)
    mixed = capture_int8(quantised, [first, second, last])
    path = convert(mixed).path
    operations = operations_of(path)
    products = [operation for operation in operations if operation.type in ("conv", "linear")]
    in_float = [each.outputs[0].name for each in products if source(each, "weight", operations) is None]
    assert [name.removesuffix("_cast_fp16") for name in in_float] == [
        "stem_conv2d",
        "blocks_0_depthwise_conv2d",
        "classifier_linear",
    ]
    stem = next(each for each in products if each.outputs[0].name.startswith("stem"))
    assert (made := source(stem, "x", operations)) is None or made.type == "cast"
    expected = exact(mixed, pictures[:12])
    assert sqnr_db(expected=expected, actual=answers(path, pictures[:12])) >= 28


def test_older_systems_are_refused(program: Program, conversion: Conversion, convert: Callable[..., Conversion]) -> None:
    for system in ("iOS15", "iOS16"):
        with pytest.raises(UsageError, match=r"int8 needs --option minimum_deployment_target=iOS17"):
            convert(program, minimum_deployment_target=system)
    assert conversion.options["minimum_deployment_target"] == "iOS17"
    assert ReferenceModel(conversion.path).spec_version == 8


def test_ios_18_stores_the_same_numbers_in_its_own_operators(
    program: Program, conversion: Conversion, pictures: list[Array], convert: Callable[..., Conversion]
) -> None:
    path = convert(program, minimum_deployment_target="iOS18").path
    assert {each for each in ReferenceModel(path).op_types if each.startswith("constexpr_")} == {
        "constexpr_blockwise_shift_scale"
    }
    np.testing.assert_array_equal(answers(path, pictures[:8]), answers(conversion.path, pictures[:8]))


def test_operators_are_judged_alone_and_named(program: Program, conversion: Conversion, pictures: list[Array]) -> None:
    """In float16 a step is missed where a sum lies halfway: by one, in the operator that rounds, which says where it stands."""
    job = LoadJob(conversion.path, "int8", conversion.options, program.inputs, program.outputs, 1)
    found = CoreMLTarget().judge_operations(job, [{program.inputs[0].name: pictures[12]}])
    kinds = {error.operation.partition(" ")[0] for error in found}
    assert {COMPRESSED_WEIGHT, "conv", "linear", "quantize", "dequantize"} <= kinds
    steps = [error for error in found if error.operation.startswith("quantize ")]
    assert all(error.unit == "step" and error.largest is not None and error.largest <= 1 for error in steps)
    for error in found:
        if error.operation.startswith(("conv ", COMPRESSED_WEIGHT)):
            assert error.at_peak is not None
            assert error.at_peak <= 0.51, error
    names = {error.operation for error in found}
    assert "quantize 'blocks_1_expand_activation_relu_quantize'" in names
    assert not any(name.split("'")[1].startswith(("quantize", "dequantize")) for name in names)


def test_every_operator_has_a_place_and_a_cost(conversion: Conversion) -> None:
    """Nothing is left to guess, and weights are read as they are stored: one byte each, and their scales."""
    profile = profile_package(conversion.path)
    float16 = 2
    for row in profile.operations:
        assert NEURAL_ENGINE in row.units or row.type == "cast", row
        assert row.read_bytes is not None
        assert row.written_bytes is not None
    rows = {row.name: row for row in profile.operations}
    stem = rows["stem_conv2d_cast_fp16"]
    channels, scale_and_zero = 8, 3
    assert stem.read_bytes == float16 * 32 * 32 + channels * (9 + scale_and_zero + float16)  # the picture, weights, biases
    assert rows["stem_conv2d_quantize"].written_bytes == channels * 16 * 16


@pytest.fixture(scope="module")
def padded(network: MobileNet, card: ModelCard) -> Program:
    """Of a network that pads as TensorFlow does, calibrated on noise."""
    noise = torch.randn(8, 1, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    return capture_int8(quantise(capture_program(network), list(noise)))


def test_pads_are_folded_behind_their_rounding(padded: Program, convert: Callable[..., Conversion]) -> None:
    """Padding adds zeros, which are a step: nothing is rounded after it, and the convolution does it itself."""
    assert any("aten.pad" in str(node.target) for node in padded.exported.graph.nodes), "or there is nothing to fold"
    path = convert(padded).path
    kinds = [operation.type for operation in operations_of(path)]
    assert "pad" not in kinds
    kept = sum("dequantize_per_tensor" not in str(node.target) for node in roundings(padded)) - kinds.count(COMPRESSED_WEIGHT)
    assert kinds.count("quantize") < kept


def test_pictures_and_probabilities_work_as_in_other_precisions(
    checkpoint: Checkpoint, program: Program, pictures: list[Array], convert: Callable[..., Conversion]
) -> None:
    spec, preprocessing = checkpoint.spec, checkpoint.preprocessing
    card = ModelCard("digits", "digits", "0" * 64, "classification", spec, preprocessing, tuple("0123456789"))
    model = ReferenceModel(convert(program, card, input="image", output="classifier").path, "float16")
    for number in range(6):
        pixels = preprocessing.pixels(Image.fromarray(held_out()[0][number]))
        answer = model.predict({"image": Image.fromarray(pixels[..., 0])})
        logits = exact(program, [pictures[number]])[0]
        expected = np.exp(logits - logits.max()) / np.exp(logits - logits.max()).sum()
        (probabilities,) = (value for value in answer.values() if isinstance(value, dict))
        np.testing.assert_allclose(list(probabilities.values()), expected, atol=0.05)


# dB of SQNR of the package against the exact program on twenty other photographs, and its size relative to float32
LEAST_DB, LARGEST = 20, 0.30


@pytest.mark.shared_data
def test_a_trained_network(shared_data: Path, convert: Callable[..., Conversion], tmp_path: Path) -> None:
    checkpoint = open_checkpoint(str(shared_data / "models" / "mobilenet_v1_0.25_128"))
    network = checkpoint.network()
    photographs = sorted((shared_data / "images_dev").glob("*.jpg"))[::7][:36]
    images = [checkpoint.preprocessing.tensor(path) for path in photographs]
    float_program = capture_program(network)
    program = capture_int8(quantise(float_program, [torch.from_numpy(each) for each in images[:24]]))
    package = convert(program)
    assert "pad" not in ReferenceModel(package.path).op_types
    expected = exact(program, images[24:])
    actual = answers(package.path, images[24:])
    assert sqnr_db(expected=expected, actual=actual) >= LEAST_DB
    assert (actual.argmax(1) == expected.argmax(1)).mean() >= 11 / 12
    plain = CoreMLTarget().convert(ConvertJob(float_program, "float32", {}, tmp_path)).path
    assert size(package.path) <= LARGEST * size(plain)
    samples = make_samples(checkpoint.preprocessing, size=checkpoint.spec.resolution)
    reference = compute_int8_reference(program.exported.module(), network.output_names, samples)
    found = [{"logits": answers(package.path, [sample.image_nchw])} for sample in samples]
    parity = judge(reference, found, program.outputs, CoreMLTarget().tolerances["int8"])
    assert parity.passed, parity.problems


def size(package: Path) -> int:
    return sum(file.stat().st_size for file in package.rglob("*") if file.is_file())
