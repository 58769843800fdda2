"""int8 artifacts: integers in every product, the program's numbers, and what is caught when they are not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray
from onnx import numpy_helper

from edgekit.judge import sqnr_db
from edgekit.target import LoadJob
from edgekit.testing import Made
from edgekit_onnx.overflow import cpu_overflows
from edgekit_onnx.session import session_options
from edgekit_onnx.target import OnnxTarget

PRODUCTS = 54
KEPT = 5
ENOUGH_DB = 28.0  # two right implementations are 30 to 35 dB apart: a rounding at a tie goes either way and spreads
OptimisedOperators = Callable[[Path], Counter[str]]
Images = list[NDArray[np.float32]]
Run = Callable[..., NDArray[np.float64]]


@pytest.fixture(scope="module")
def expected(digits: Mapping[str, Made], pictures: Images, run_exactly: Run) -> NDArray[np.float64]:
    """What the int8 program answers."""
    return run_exactly(digits["int8"], pictures)


def test_the_numbers_are_those_of_the_program(
    digits: Mapping[str, Made], pictures: Images, run: Run, expected: NDArray[np.float64]
) -> None:
    assert sqnr_db(expected=expected, actual=run(digits["int8"], pictures)) > ENOUGH_DB


def test_every_product_of_a_v3_is_an_integer_kernel(digits: Mapping[str, Made], optimised_operators: OptimisedOperators) -> None:
    operators = optimised_operators(digits["int8"].conversion.path)
    assert operators["QLinearConv"] + operators["QGemm"] == PRODUCTS
    assert operators["Conv"] + operators["FusedConv"] + operators["Gemm"] + operators["MatMul"] == 0
    assert operators["QLinearAdd"] == 7  # residuals
    assert operators["QLinearMul"] == 9  # squeeze-excite
    assert operators["QLinearGlobalAveragePool"] == 10
    assert operators["Transpose"] <= 2  # to channels last at the beginning, and back at the end


def test_what_stays_float_is_told(digits: Mapping[str, Made]) -> None:
    runtime = digits["int8"].load(OnnxTarget()).runtime
    assert runtime.precision == f"int8 in {PRODUCTS} of {PRODUCTS} products, float32 in HardSigmoid, Mul"
    assert runtime.delegated_fraction == 1.0
    assert runtime.undelegated_ops == ("HardSigmoid", "Mul")  # hard-swish, of which ONNX Runtime has no integer kernel


def test_a_program_with_units_kept_in_float(digits: Mapping[str, Made], pictures: Images, run: Run, run_exactly: Run) -> None:
    made = digits["mixed"]
    assert sqnr_db(expected=run_exactly(made, pictures), actual=run(made, pictures)) > ENOUGH_DB
    runtime = made.load(OnnxTarget()).runtime
    assert runtime.delegated_fraction == pytest.approx((PRODUCTS - KEPT) / PRODUCTS)
    assert {"Conv", "Gemm"} <= set(runtime.undelegated_ops)


def test_float_artifacts_tell_their_arithmetic_without_counting(digits: Mapping[str, Made]) -> None:
    runtime = digits["float32"].load(OnnxTarget()).runtime
    assert (runtime.precision, runtime.delegated_fraction, runtime.undelegated_ops) == ("float32", None, ())


def test_a_file_of_less_than_0_30_of_float32(digits: Mapping[str, Made]) -> None:
    sizes = {name: made.conversion.path.stat().st_size for name, made in digits.items()}
    assert sizes["int8"] <= 0.30 * sizes["float32"]
    assert sizes["int8-weights"] <= 0.30 * sizes["float32"]


def test_an_app_is_told_which_session_option_it_needs(digits: Mapping[str, Made]) -> None:
    assert any("session.x64quantprecision" in note for note in digits["int8"].conversion.notes)
    assert digits["float32"].conversion.notes == digits["int8-weights"].conversion.notes == ()


def test_kernels_that_saturate_are_caught(digits: Mapping[str, Made], pictures: Images, expected: NDArray[np.float64]) -> None:
    """The runner's session against one without the option: on a CPU that has VNNI both are right."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(digits["int8"].conversion.path, options)
    plain = np.concatenate([session.run(None, {"image": image})[0] for image in pictures])
    assert (sqnr_db(expected=expected, actual=plain) < ENOUGH_DB) == cpu_overflows()


def test_weights_of_7_bits_need_no_session_option(
    digits: Mapping[str, Made], pictures: Images, run: Run, run_exactly: Run
) -> None:
    """On any CPU: nothing is set, nothing is said, and the numbers are the program's."""
    made = digits["int8 of 7 bits"]
    assert made.conversion.notes == ()
    assert not _exact_kernels_are_asked_for(made)
    assert sqnr_db(expected=run_exactly(made, pictures), actual=run(made, pictures)) > ENOUGH_DB


@pytest.mark.parametrize("overflows", [True, False])
def test_the_session_option_is_set_where_the_cpu_and_the_weights_need_it(
    digits: Mapping[str, Made], monkeypatch: pytest.MonkeyPatch, overflows: bool
) -> None:
    monkeypatch.setattr("edgekit_onnx.session.cpu_overflows", lambda: overflows)
    needed = {name for name, made in digits.items() if _exact_kernels_are_asked_for(made)}
    assert needed == ({"int8", "mixed"} if overflows else set())


def _exact_kernels_are_asked_for(made: Made) -> bool:
    options = session_options(LoadJob(made.conversion.path, made.precision, {}, made.program.inputs, made.program.outputs, 1))
    try:
        return bool(options.get_session_config_entry("session.x64quantprecision") == "1")
    except RuntimeError:  # not set
        return False


@pytest.mark.parametrize("change", ["zero point", "weights", "bias"])
def test_a_wrong_number_in_the_file_is_caught(
    digits: Mapping[str, Made], pictures: Images, run: Run, expected: NDArray[np.float64], tmp_path: Path, change: str
) -> None:
    """Negative control of what the numbers are held against."""
    made = digits["int8"]
    model = onnx.load(made.conversion.path)
    stored = {tensor.name: tensor for tensor in model.graph.initializer}
    product = [node for node in model.graph.node if node.op_type == "Conv"][PRODUCTS // 2]
    image, weights, bias = (next(node for node in model.graph.node if name in node.output) for name in product.input)
    reader, i = {"zero point": (image, 2), "weights": (weights, 0), "bias": (bias, 0)}[change]
    values = numpy_helper.to_array(stored[reader.input[i]])
    wrong = values ^ 16 if change == "zero point" else np.roll(values, 1, axis=0)
    model.graph.initializer.append(numpy_helper.from_array(wrong, "wrong"))
    reader.input[i] = "wrong"
    onnx.save(model, tmp_path / "wrong.onnx")
    assert sqnr_db(expected=expected, actual=run(made, pictures, tmp_path / "wrong.onnx")) < ENOUGH_DB


@pytest.mark.shared_data
def test_photographs(
    mobilenet_v1: Mapping[str, Made], photographs: Images, run: Run, run_exactly: Run, optimised_operators: OptimisedOperators
) -> None:
    """V1 0.25/128: nothing but integers between the picture and the logits."""
    made, others = mobilenet_v1["int8"], photographs[1::2]
    assert sqnr_db(expected=run_exactly(made, others), actual=run(made, others)) > ENOUGH_DB
    assert optimised_operators(made.conversion.path) == {
        "QuantizeLinear": 1,
        "Transpose": 2,
        "QLinearConv": 27,
        "QLinearGlobalAveragePool": 1,
        "Reshape": 1,
        "QGemm": 1,
        "DequantizeLinear": 1,
    }
    assert made.load(OnnxTarget()).runtime.undelegated_ops == ()
    sizes = {name: made.conversion.path.stat().st_size for name, made in mobilenet_v1.items()}
    assert sizes["int8"] <= 0.28 * sizes["float32"]
