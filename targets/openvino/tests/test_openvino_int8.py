"""int8 artifacts: the program's numbers on every CPU, integers where the CPU has them, and what is caught when neither is so."""

from __future__ import annotations

import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import openvino
import pytest
import torch
from numpy.typing import NDArray
from openvino import opset1 as ops

from edgekit.machine import describe_machine
from edgekit.mobilenet.checkpoint import open_checkpoint
from edgekit.mobilenet.program import capture_program
from edgekit.quantization.program import capture_int8, quantise
from edgekit.testing import Made, make_artifact
from edgekit_openvino import overflow
from edgekit_openvino.products import Products, count_products
from edgekit_openvino.target import OpenVINOTarget

PRODUCTS = 54
KEPT = 5
ENOUGH_DB = 28.0  # two right implementations are 30 to 35 dB apart: a rounding at a tie goes either way and spreads
Images = Sequence[NDArray[np.float32]]
Run = Callable[[Made, Images], NDArray[np.float64]]


def sqnr_db(expected: NDArray[np.float64], answers: NDArray[np.float64]) -> float:
    return float(10 * np.log10((expected**2).sum() / max(((answers - expected) ** 2).sum(), 1e-30)))


def constants(model: openvino.Model) -> list[openvino.Node]:
    return [node for node in model.get_ordered_ops() if node.get_type_name() == "Constant"]


@pytest.fixture(scope="module")
def expected(digits: Mapping[str, Made], pictures: Images, run_exactly: Run) -> NDArray[np.float64]:
    """What the int8 program answers."""
    return run_exactly(digits["int8"], pictures)


def test_the_numbers_are_those_of_the_program(
    digits: Mapping[str, Made], pictures: Images, run: Run, expected: NDArray[np.float64]
) -> None:
    """On whatever CPU this is."""
    assert sqnr_db(expected, run(digits["int8"], pictures)) > ENOUGH_DB


@pytest.mark.usefixtures("no_vnni")
def test_without_vnni_the_numbers_are_right_and_it_is_told_that_floats_compute(
    digits: Mapping[str, Made], pictures: Images, run: Run, expected: NDArray[np.float64]
) -> None:
    assert sqnr_db(expected, run(digits["int8"], pictures)) > ENOUGH_DB
    runtime = digits["int8"].load(OpenVINOTarget()).runtime
    assert runtime.precision == (
        f"int8 in 0 of {PRODUCTS} products, f32 arithmetic in Add, Convolution, FullyConnected, Multiply, ReduceMean: "
        "this CPU has no VNNI, without which OpenVINO's int8 products overflow"
    )
    assert runtime.delegated_fraction == 0.0
    assert runtime.undelegated_ops == ("Add", "Convolution", "FullyConnected", "Multiply", "ReduceMean")


@pytest.mark.usefixtures("vnni")
def test_openvino_makes_integers_of_every_product_of_a_v3(digits: Mapping[str, Made]) -> None:
    """Whether the CPU's integers are right is another matter: residuals, squeeze-excite and hard-swish are among them."""
    runtime = digits["int8"].load(OpenVINOTarget()).runtime
    assert runtime.precision == f"int8 in {PRODUCTS} of {PRODUCTS} products"
    assert (runtime.delegated_fraction, runtime.undelegated_ops) == (1.0, ())


@pytest.mark.usefixtures("vnni")
def test_products_that_overflow_are_caught(
    digits: Mapping[str, Made], pictures: Images, run: Run, expected: NDArray[np.float64]
) -> None:
    """Negative control of the property: left to OpenVINO, the numbers are right where the CPU sums in 32 bits, and only there."""
    assert (sqnr_db(expected, run(digits["int8"], pictures)) < ENOUGH_DB) == overflow.cpu_overflows()


@pytest.mark.parametrize("cpu", ["vnni", "no_vnni"])
def test_weights_of_7_bits_are_multiplied_as_integers_and_right_on_every_cpu(
    digits: Mapping[str, Made], pictures: Images, run: Run, run_exactly: Run, cpu: str, request: pytest.FixtureRequest
) -> None:
    """Two products of 255 and 63 fit into 16 bits: what is wrong now is wrong with the artifact, not with the CPU."""
    request.getfixturevalue(cpu)
    made = digits["int8 of 7 bits"]
    assert sqnr_db(run_exactly(made, pictures), run(made, pictures)) > ENOUGH_DB
    assert made.load(OpenVINOTarget()).runtime.precision == f"int8 in {PRODUCTS} of {PRODUCTS} products"
    assert made.conversion.notes == ()


def test_a_cpu_is_taken_for_what_it_does() -> None:
    """One product, 255 and 127 everywhere: twice the sum of two fits into 16 bits only by being cut off."""
    picture = ops.parameter([1, 16, 1, 1], openvino.Type.f32)
    rounded = ops.fake_quantize(picture, *(np.float32(end) for end in (0, 255, 0, 255)), 256)
    weights = ops.multiply(
        ops.convert(ops.constant(np.full((16, 16, 1, 1), 127, np.int8)), "f32"), ops.constant(np.ones((16, 1, 1, 1), np.float32))
    )
    model = openvino.Model([ops.convolution(rounded, weights, [1, 1], [0, 0], [0, 0], [1, 1])], [picture], "product")
    compiled = openvino.Core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    (answer,) = compiled(np.full((1, 16, 1, 1), 255, np.float32)).values()
    assert (answer.min() < 16 * 255 * 127) == overflow.cpu_overflows()


@pytest.mark.parametrize(
    ("architecture", "instruction_sets", "overflows"),
    [
        ("x86_64", ("avx2",), True),
        ("x86_64", ("avx2", "avx512f"), True),
        ("x86_64", ("avx2", "avx512f", "avx512_vnni"), False),
        ("AMD64", ("avx2", "avx_vnni"), False),
        ("x86_64", (), True),
        ("aarch64", ("asimd",), False),
        ("arm64", (), False),
    ],
)
def test_only_x86_without_vnni_overflows(
    architecture: str, instruction_sets: tuple[str, ...], overflows: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = replace(describe_machine(), architecture=architecture, instruction_sets=instruction_sets)
    monkeypatch.setattr(platform, "machine", lambda: architecture)
    monkeypatch.setattr(overflow, "describe_machine", lambda: machine)
    assert overflow.cpu_overflows() == overflows


def test_a_program_with_units_kept_in_float(digits: Mapping[str, Made], pictures: Images, run: Run, run_exactly: Run) -> None:
    made = digits["mixed"]
    assert sqnr_db(run_exactly(made, pictures), run(made, pictures)) > ENOUGH_DB


@pytest.mark.usefixtures("vnni")
def test_units_kept_in_float_are_told(digits: Mapping[str, Made]) -> None:
    runtime = digits["mixed"].load(OpenVINOTarget()).runtime
    assert runtime.delegated_fraction == pytest.approx((PRODUCTS - KEPT) / PRODUCTS)
    assert {"Convolution", "FullyConnected"} <= set(runtime.undelegated_ops)
    assert runtime.precision.startswith(f"int8 in {PRODUCTS - KEPT} of {PRODUCTS} products, f32 arithmetic in ")


def test_float_artifacts_tell_their_arithmetic_without_counting(digits: Mapping[str, Made]) -> None:
    runtime = digits["float32"].load(OpenVINOTarget()).runtime
    assert (runtime.precision, runtime.delegated_fraction, runtime.undelegated_ops) == ("f32 arithmetic", None, ())


def test_what_goes_in_and_out_is_float32(digits: Mapping[str, Made]) -> None:
    model = openvino.Core().read_model(digits["int8"].conversion.path)
    assert [(port.any_name, port.element_type) for port in (*model.inputs, *model.outputs)] == [
        ("image", openvino.Type.f32),
        ("logits", openvino.Type.f32),
    ]


def test_an_app_is_told_which_property_it_needs(digits: Mapping[str, Made]) -> None:
    assert any("LP_TRANSFORMS_MODE" in note for note in digits["int8"].conversion.notes)
    assert digits["float32"].conversion.notes == digits["int8-weights"].conversion.notes == ()


@pytest.mark.parametrize("change", ["weights", "scale", "range"])
def test_a_wrong_number_in_the_file_is_caught(
    digits: Mapping[str, Made], pictures: Images, run: Run, expected: NDArray[np.float64], tmp_path: Path, change: str
) -> None:
    """Negative control of what the numbers are held against."""
    made = digits["int8"]
    model = openvino.Core().read_model(made.conversion.path)
    kinds = {
        "weights": lambda node: node.get_element_type() == openvino.Type.i8 and node.data.ndim == 4,
        "scale": lambda node: node.data.ndim == 4 and node.data.shape[0] > 1,
        "range": lambda node: node.data.size == 1 and node.data.item() > 1,
    }
    found = [node for node in constants(model) if node.get_element_type() != openvino.Type.i64 and kinds[change](node)]
    wrong = ops.constant(np.ascontiguousarray(found[0].data[::-1]) if found[0].data.size > 1 else found[0].data / np.float32(2))
    for reader in found[0].output(0).get_target_inputs():
        reader.replace_source_output(wrong.output(0))
    openvino.save_model(model, tmp_path / "wrong.xml", compress_to_fp16=False)
    damaged = replace(made, conversion=replace(made.conversion, path=tmp_path / "wrong.xml"))
    assert sqnr_db(expected, run(damaged, pictures)) < ENOUGH_DB


@pytest.mark.shared_data
def test_photographs(shared_data: Path, run: Run, run_exactly: Run, tmp_path: Path) -> None:
    """V1 0.25/128, which pads as TensorFlow does: right, small, and no layer that only pads or rounds a second time."""
    checkpoint = open_checkpoint(str(shared_data / "models/mobilenet_v1_0.25_128"))
    paths = sorted((shared_data / "images_dev").glob("*.jpg"))[::25]
    images = [checkpoint.preprocessing.tensor(path) for path in paths]
    program = capture_program(checkpoint.network())
    int8 = capture_int8(quantise(program, [torch.from_numpy(image) for image in images[::2]]))
    made = {
        precision: make_artifact(OpenVINOTarget(), of, precision, tmp_path / precision)
        for precision, of in (("float32", program), ("int8", int8))
    }
    assert sqnr_db(run_exactly(made["int8"], images[1::2]), run(made["int8"], images[1::2])) > ENOUGH_DB
    sizes = {name: sum(file.stat().st_size for file in each.folder.iterdir()) for name, each in made.items()}
    assert sizes["int8"] <= 0.30 * sizes["float32"]
    kinds = [node.get_type_name() for node in openvino.Core().read_model(made["int8"].conversion.path).get_ops()]
    assert "Pad" not in kinds
    assert kinds.count("FakeQuantize") == 1 + 27 + 1 + 1  # the picture, the convolutions, the mean, the logits


def test_layers_are_counted_by_their_kernels() -> None:
    layers = [
        ("Input", "unknown_f32", "image"),
        ("Subgraph", "jit_avx2_f32", "12"),  # a rounding alone
        ("Convolution", "brgconv_avx512_1x1_I8", "conv/Convolution,Multiply_7,conv/Add,12"),
        ("Convolution", "jit_avx2_f32", "conv_1/GroupConvolution,conv_1/Add,hardswish/HSwish"),
        ("FullyConnected", "brgemm_avx2_f32", "linear/MatMul"),
        ("Subgraph", "jit_avx2_i8", "add/Add"),
        ("Eltwise", "jit_avx2_f32", "12/DequantizationMultiply,mul/Multiply"),
        ("Reorder", "reorder_f32", ""),
    ]
    keys = ("layerType", "primitiveType", "originalLayersNames")
    products = count_products(dict(zip(keys, layer, strict=True)) for layer in layers)
    assert products == Products(1, 3, ("Convolution", "FullyConnected", "Multiply"))
    assert str(products) == "int8 in 1 of 3 products"
    assert products.fraction == pytest.approx(1 / 3)
    assert count_products([]).fraction is None
