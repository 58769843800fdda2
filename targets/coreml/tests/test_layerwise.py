"""Operators judged alone, against errors worked out by hand."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import coremltools as ct
import numpy as np
import pytest
from coremltools.converters.mil import Builder as mb  # noqa: N813 (its name in coremltools' documentation)
from coremltools.optimize import coreml as cto
from numpy.typing import NDArray

from edgekit.examination import OperationError
from edgekit.mobilenet.checkpoint import open_checkpoint
from edgekit.mobilenet.program import capture_program
from edgekit.samples import make_samples
from edgekit.target import ConvertJob, LoadJob
from edgekit_coreml.reference.arithmetic import ARITHMETICS
from edgekit_coreml.reference.layerwise import judge_operations
from edgekit_coreml.target import CoreMLTarget

Array = NDArray[Any]
Errors = Callable[..., dict[str, OperationError]]
NEXT_HALF = np.float16(0.0999755859375)


@pytest.fixture
def errors(build: Callable[..., Path]) -> Errors:
    """Build a program, judge it in an arithmetic, and give the records by the type of the operator, its place behind it."""

    def errors(body: Callable[..., Any], arithmetic: str, **inputs: Array) -> dict[str, OperationError]:
        path = build(body, ct.target.iOS17, **inputs)
        found = judge_operations(path, ARITHMETICS[arithmetic], [inputs])
        names = [error.operation.partition(" ")[0] for error in found]
        return {f"{name} {names[:i].count(name)}": error for i, (name, error) in enumerate(zip(names, found, strict=True))}

    return errors


def test_errors_do_not_add_up(errors: Errors) -> None:
    """2046 + 1 + 1 + 1 + 1, one after the other in float16, is 2048: one place of 2. The next layer is given the true 2050."""
    ones = np.array([[1, 1, 1, 1]], np.float16)

    def body(x: Any) -> Any:
        steps = mb.dequantize(input=mb.quantize(input=x, scale=np.float16(1), output_dtype="int8"), scale=np.float16(1))
        for bias in (2046, 0, 0):
            first = mb.linear(x=steps, weight=ones, bias=np.array([bias], np.float16))
            one = mb.slice_by_index(x=steps, begin=[0, 1], end=[1, 4])
            steps = mb.concat(values=(first, one), axis=-1)
        return steps

    found = errors(body, "cpu", x=np.array([[1, 1, 1, 1]], np.float16))
    # From 2050 it makes 2052 of 2053, where from 2048 it would be 2048 of 2051; and from 2052 the last one 2052 of 2055.
    assert [found[f"linear {i}"].largest for i in range(3)] == [1, 0.5, 1.5]
    assert {error.largest for name, error in found.items() if not name.startswith("linear")} == {0}
    assert errors(body, "float16", x=np.array([[1, 1, 1, 1]], np.float16))["linear 0"].largest == 0


def test_one_rounding_is_at_most_half_a_place(errors: Errors, random: np.random.Generator) -> None:
    """Elementwise operators in float16, whatever the exponent; and integers have none."""

    def body(x: Any, y: Any) -> tuple[Any, ...]:
        codes = mb.quantize(input=x, scale=np.float16(0.02), zero_point=np.int8(3), output_dtype="int8")
        return mb.mul(x=x, y=y), mb.relu(x=x), mb.dequantize(input=codes, scale=NEXT_HALF, zero_point=np.int8(-7))

    x, y = (random.uniform(-2, 2, (5, 40)).astype(np.float16) for _ in range(2))
    found = errors(body, "float16", x=x, y=y)
    product = x.astype(np.float64) * y
    exact = np.abs(product.astype(np.float16) - product) / np.spacing(np.abs(product).astype(np.float16)).astype(np.float64)
    assert 0.4 < exact.max() <= 0.5
    assert found["mul 0"].largest == pytest.approx(exact.max(), rel=0.01)  # where rounding reaches the next power of 2
    assert (found["mul 0"].unit, found["mul 0"].dtype) == ("ulp", "float16")
    assert found["relu 0"].largest == 0
    largest = found["dequantize 0"].largest
    assert largest is not None
    assert 0 < largest <= 0.5
    assert (found["quantize 0"].unit, found["quantize 0"].dtype, found["quantize 0"].largest) == ("step", "int8", 0)


def test_a_step_that_float32_takes_wrongly(errors: Errors) -> None:
    """A quotient just above a half, which float32 rounds to the half and then to even: one step."""
    scale = np.float32(0.1)
    candidates = [np.nextafter(np.float32(n + 0.5) * scale, np.float32(d)) for n in range(0, 100, 2) for d in (0, 1e9)]
    wrong = [
        x
        for x in candidates
        if Fraction(float(x)) / Fraction(float(scale)) % 2 > Fraction(1, 2)
        and np.rint(x / scale) % 2 == 0
        and np.rint(x / scale) < Fraction(float(x)) / Fraction(float(scale)) - Fraction(1, 2)
    ]
    assert wrong, "no such quotient"
    right = np.array([0.3, 0.77], np.float32)

    def body(x: Any) -> Any:
        return mb.quantize(input=x, scale=scale, output_dtype="int8")

    assert errors(body, "exact", x=np.array(wrong[:1], np.float32))["quantize 0"].largest == 1
    assert errors(body, "exact", x=right)["quantize 0"].largest == 0


def test_infinities_are_not_a_number_of_places(errors: Errors) -> None:
    """One that float64 has too, once stored, is no error; one of the arithmetic's own is."""
    x = np.array([[20000, 20000]], np.float16)

    def body(x: Any) -> tuple[Any, ...]:
        codes = mb.quantize(input=x, scale=np.float16(200), output_dtype="int8")
        return mb.linear(x=x, weight=np.ones((1, 2), np.float16)), mb.mul(x=x, y=np.float16(4)), codes

    found = errors(body, "neural-engine", x=x)
    assert found["linear 0"].largest is None, "40000 is finite"
    assert found["mul 0"].largest == 0, "80000 is not"


def test_what_is_not_quantised_is_not_judged(build: Callable[..., Path]) -> None:
    """Its verdict from end to end says enough."""
    x = np.ones((1, 3), np.float16)
    assert judge_operations(build(lambda x: mb.relu(x=x), x=x), ARITHMETICS["float16"], [{"x": x}]) == ()


@pytest.fixture(scope="module")
def compressed(tmp_path_factory: pytest.TempPathFactory) -> tuple[LoadJob, list[dict[str, NDArray[np.float32]]]]:
    """The embedded model in float16 with 8-bit weights, and three inputs."""
    checkpoint, target, folder = open_checkpoint("digits"), CoreMLTarget(), tmp_path_factory.mktemp("compressed")
    program = capture_program(checkpoint.network())
    made = target.convert(ConvertJob(program, "float16", {}, folder))
    with warnings.catch_warnings():  # coremltools warns of its own
        warnings.simplefilter("ignore")
        model = ct.models.MLModel(str(made.path), skip_model_load=True)
        config = cto.OptimizationConfig(cto.OpLinearQuantizerConfig(mode="linear_symmetric", weight_threshold=256))
        cto.linear_quantize_weights(model, config).save(str(folder / "compressed.mlpackage"))
    samples = make_samples(checkpoint.preprocessing, size=checkpoint.spec.resolution)[:3]
    job = LoadJob(folder / "compressed.mlpackage", "float16", made.options, program.inputs, program.outputs, 1)
    return job, [{program.inputs[0].name: sample.image_nchw} for sample in samples]


def test_a_compressed_network(compressed: tuple[LoadJob, list[dict[str, NDArray[np.float32]]]]) -> None:
    """Constants and layers, each by itself close to float64, with the modules' names."""
    job, samples = compressed
    found = CoreMLTarget().judge_operations(job, samples)
    kinds = {error.operation.partition(" ")[0] for error in found}
    assert {"constexpr_affine_dequantize", "conv"} <= kinds or {"constexpr_blockwise_shift_scale", "conv"} <= kinds
    assert all(error.largest is not None and error.largest <= 0.5 for error in found if error.operation.startswith("constexpr"))
    sums = [error for error in found if error.operation.startswith("conv ")]
    assert all(error.at_peak is not None and error.at_peak <= 0.51 for error in sums), "one rounding, and float32's"
    assert any(error.module == "blocks_2_expand_conv" for error in sums)
