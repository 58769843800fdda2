"""The models of how devices add up: against what was measured on them, and against sums written out term by term."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from coremltools.converters.mil import Builder as mb  # noqa: N813 (its name in coremltools' documentation)
from numpy.typing import NDArray

from edgekit_coreml.reference import ReferenceModel
from edgekit_coreml.reference.arithmetic import ARITHMETICS
from edgekit_coreml.reference.neural_engine import FixedPoint, round_away
from edgekit_coreml.reference.products import SumOfProducts
from edgekit_coreml.reference.sequential import SequentialHalf, to_half

Array = NDArray[Any]
Term = tuple[float, float]
INF = math.inf
HALVES = sorted({float(v) for v in np.arange(2**16, dtype=np.uint16).view(np.float16) if np.isfinite(v)})
LSB = 2.0**-16

# What 751K/Apple-Neural-Engine-Microarchitecture-Study-M6 measured in a 1x1 convolution whose weights are 1: the inputs, in the
# order of their channels, and what the Neural Engine and the CPU made of them. data/06_numerics/numerics2_m6.txt.
SUMS: list[tuple[list[float], float, float]] = [
    ([30000], 30000, 30000),
    ([32752], 32752, 32752),
    ([32768], INF, 32768),
    ([65504], INF, 65504),
    ([-32752], -32752, -32752),
    ([-32768], -INF, -32768),
    ([16376, 16376], 32752, 32752),
    ([16384, 16376], 32768, 32768),
    ([16384, 16384], INF, 32768),
    ([30000, 2768], INF, 32768),
    ([2**-16], 2**-16, 2**-16),
    ([2**-17], 2**-16, 2**-17),
    ([2**-18], 0, 2**-18),
    ([1.5 * 2**-15], 1.5 * 2**-15, 1.5 * 2**-15),
    ([1.5 * 2**-16], 2**-15, 1.5 * 2**-16),
    ([1.5 * 2**-17], 2**-16, 1.5 * 2**-17),
    ([1.5 * 2**-18], 0, 1.5 * 2**-18),
    ([2048, 1], 2050, 2048),
    ([-2048, -1], -2050, -2048),
    ([2050, 1], 2052, 2052),
    ([1, 2**-11], 1 + 2**-10, 1),
    ([-1, -(2**-11)], -1 - 2**-10, -1),
    ([1, 2**-12], 1, 1),
    ([1, 2**-11, 2**-13], 1 + 2**-10, 1),
    ([1, 2**-11, -(2**-13)], 1, 1),
    ([4096, 2], 4100, 4096),
    ([4096, 6], 4104, 4104),
    *(([1024, 2.0**-k, *[0] * 61, -1024], 2.0**-k, float(k == 0)) for k in range(0, 17, 2)),
    *(([1024, 2.0**-k, *[0] * 61, -1024], 0, 0) for k in range(18, 25, 2)),
    *(([16384, 2.0**-k, *[0] * 61, -16384], 2.0**-k, 0) for k in range(0, 17, 2)),
    *(([16384, 2.0**-k, *[0] * 61, -16384], 0, 0) for k in range(18, 25, 2)),
    ([16384, 16384, -16384, -16384, 1], INF, 1),
    ([16384, 16384, 16384, -16384, -16384, -16384, 1], INF, 1),
    ([30000, 30000, -30000, -30000, 1], INF, 1),
    ([16384, 16384, 1, *[0] * 59, -16384, -16384], INF, 0),
]
# The same with a bias: it, the inputs, and both results. numerics5_m6.txt.
BIASES: list[tuple[float, list[float], float, float]] = [
    (-16384, [16384, 16384], 16384, 16384),
    (-16384, [0], -16384, -16384),
    (-16384, [32752], 16368, 16368),
    (-16384, [16384, 16384, 16384], INF, 32768),
    (32, [32752], INF, 32768),
    (32, [32736], INF, 32768),
    (32, [16384, 16368], INF, 32768),
    (2**-20, [0], 0, 2**-20),
    (2**-20, [2**-16], 2**-16, 2**-16 + 2**-20),
    (2**-20, [2**-17], 2**-16, 2**-17 + 2**-20),
    (2**-17, [0], 2**-16, 2**-17),
    (2**-17, [2**-17], 2**-15, 2**-16),
    (2**-17, [2**-16], 2**-15, 1.5 * 2**-16),
    (2**-12, [2**-16], 2**-12 + 2**-16, 2**-12 + 2**-16),
    (1000.5, [0.25], 1001, 1001),
    (1000.5, [2**-16], 1000.5, 1000.5),
    (-1, [2**-17], -1, -1),
]
# One product: the weight, the input, and the Neural Engine's result in units of 2^-16. numerics5_m6.txt, numerics6_m6.txt.
PRODUCTS: list[tuple[float, float, float]] = [
    *((2.0**-k, wanted * 2.0 ** (k - 16), result) for k in range(4, 13) for wanted, result in [(0.25, 0), (0.5, 0), (0.75, 0)]),
    *(
        (2.0**-k, wanted * 2.0 ** (k - 16), result)
        for k in range(4, 13)
        for wanted, result in [(1, 1), (1.5, 2), (2.5, 3), (3.5, 4), (-0.5, 0), (-1.5, -2), (-2.5, -3)]
    ),
    (0.125, 3.0517578125e-05, 0),
    (0.125, 6.103515625e-05, 0),
    (0.125, 0.00018310546875, 2),
    (0.25, 1.52587890625e-05, 0),
    (0.25, 3.0517578125e-05, 1),
    (0.25, 4.57763671875e-05, 1),
    (0.25, -3.0517578125e-05, -1),
    (0.75, 5.066394805908203e-06, 0),
    (0.75, 1.0192394256591797e-05, 1),
    (0.75, 5.08427619934082e-05, 2),
    (0.75, 7.12275505065918e-05, 4),
    (0.375, 2.0325183868408203e-05, 0),
    (0.375, -2.0325183868408203e-05, 0),
    (0.375, 0.0001017451286315918, 3),
    (1.5, 5.066394805908203e-06, 0),
    (1.5, 3.55839729309082e-05, 3),
    (3, 2.562999725341797e-06, 1),
    (3, 1.2695789337158203e-05, 2),
    (16, 4.76837158203125e-07, 1),
    (16, 2.384185791015625e-07, 0),
    (0.234375, 0.00011444091796875, 0),
    (0.234375, 6.103515625e-05, 0),
    (0.234375, 6.0439109802246094e-05, 0),
    (0.248779296875, 0.0001214742660522461, 0),
    (0.09375, 0.0002319812774658203, 0),
    (0.060546875, 0.0004730224609375, 0),
    (0.199951171875, 6.0439109802246094e-05, 0),
    (256, 5.960464477539063e-08, 1),
    (256, 127, 32512 / LSB),
    (256, 128, INF),
    (2**-8, 2**-10, 0),
    (4096, 7.99609375, 32752 / LSB),
    (4096, 8, INF),
]
# One product with an input whose exponent's bits are all set, the weight being 2^-4: its bits, and the result. numerics4_m6.txt.
DECODED = [(0x7C00, 4096), (0xFC00, -4096), (0x7E00, 6144), (0x7BFF, 4094), (0x8000, 0)]


def convolved(device: SumOfProducts, weights: Sequence[float], inputs: Sequence[float], bias: float = 0.0) -> float:
    """The study's experiment: a 1x1 convolution whose first pixel is the case."""
    channels = np.zeros((64, 2), np.float16)
    channels[: len(inputs), 0] = inputs
    filters = np.zeros((3, 64), np.float16)
    filters[0] = weights
    x, weight = (torch.from_numpy(each.astype(np.float32)) for each in (channels[None, :, None], filters[:, :, None, None]))
    biases = torch.tensor([np.float16(bias), 0.0, 0.0])
    result = device.take_over()["conv"].compute(x=x, weight=weight, bias=biases)
    assert isinstance(result, torch.Tensor)
    return result[0, 0, 0, 0].item()


@pytest.mark.parametrize(("inputs", "engine", "cpu"), SUMS)
def test_sums_that_were_measured(inputs: list[float], engine: float, cpu: float) -> None:
    """Range, resolution, stickiness, rounding of results."""
    assert convolved(FixedPoint(), [1.0] * 64, inputs) == engine
    assert convolved(SequentialHalf(), [1.0] * 64, inputs) == cpu


@pytest.mark.parametrize(("bias", "inputs", "engine", "cpu"), BIASES)
def test_biases_that_were_measured(bias: float, inputs: list[float], engine: float, cpu: float) -> None:
    """The bias is what the sum starts with."""
    assert convolved(FixedPoint(), [1.0] * 64, inputs, bias) == engine
    assert convolved(SequentialHalf(), [1.0] * 64, inputs, bias) == cpu


@pytest.mark.parametrize(("weight", "value", "units"), PRODUCTS)
def test_products_that_were_measured(weight: float, value: float, units: float) -> None:
    """They are rounded to 2^-16, and dropped by their exponents."""
    assert convolved(FixedPoint(), [weight] * 64, [value]) == units * LSB


@pytest.mark.parametrize(("bits", "result"), DECODED)
def test_inputs_that_are_no_numbers(bits: int, result: float) -> None:
    """They are read as the number that their bits would be."""
    value = float(np.uint16(bits).view(np.float16))
    assert convolved(FixedPoint(), [2.0**-4] * 64, [value]) == result


def nearest(value: Fraction, *, away: bool) -> float:
    """The float16 nearest to a fraction, found among all there are."""
    if abs(value) >= 65520:
        return math.copysign(INF, value)
    at = min(max(bisect_left(HALVES, value), 1), len(HALVES) - 1)
    below, above = HALVES[at - 1], HALVES[at]
    to_below, to_above = value - Fraction(below), Fraction(above) - value
    if to_below != to_above:
        return below if to_below < to_above else above
    if away:
        return max(below, above, key=abs)
    return next(v for v in (below, above) if not np.float16(v).view(np.uint16) & 1)


def fixed_point(bias: float, terms: Iterable[Term]) -> float:
    """The accumulator of the study's chapter 8, in whole numbers of 2^-16."""

    def units(value: Fraction) -> int:
        scaled = value * 2**16
        return math.floor(abs(scaled) + Fraction(1, 2)) * (1 if scaled > 0 else -1)

    def exponent(value: float) -> int:
        return max(math.frexp(value)[1] - 1, -14)

    total = units(Fraction(bias))
    for x, y in terms:
        if x * y and exponent(x) + exponent(y) >= -16:
            total += units(Fraction(x) * Fraction(y))
        if abs(total) >= 2**31:
            return math.copysign(INF, total)
    return nearest(Fraction(total, 2**16), away=True)


def half_sums(bias: float, terms: Iterable[Term]) -> float:
    """One fused multiply-add after the other."""
    total = bias
    for x, y in terms:
        if math.isfinite(total):
            total = nearest(Fraction(total) + Fraction(x) * Fraction(y), away=False)
    return total


Sum = Callable[[float, Iterable[Term]], float]
MODELS: list[tuple[type[SumOfProducts], Sum]] = [(FixedPoint, fixed_point), (SequentialHalf, half_sums)]


def halves(random: np.random.Generator, *shape: int, lowest: int = -12, highest: int = 2) -> Array:
    """float16 values as float32: signs, fractions and exponents evenly spread."""
    values = random.choice([-1, 1], shape) * random.uniform(1, 2, shape) * 2.0 ** random.integers(lowest, highest, shape)
    return values.astype(np.float16).astype(np.float32)


def computed(model: type[SumOfProducts], name: str, **inputs: Any) -> Array:
    """What a model's operator gives."""
    tensors = {key: torch.from_numpy(each) if isinstance(each, np.ndarray) else each for key, each in inputs.items()}
    result = model().take_over()[name].compute(**tensors)
    assert isinstance(result, torch.Tensor)
    assert result.dtype == torch.float32
    return result.numpy()


@pytest.mark.parametrize(("model", "add"), MODELS)
@pytest.mark.parametrize("groups", [1, 2])
def test_convolutions_term_by_term(model: type[SumOfProducts], add: Sum, groups: int, random: np.random.Generator) -> None:
    """Channel by channel, and in each the kernel's pixels row by row; strides, dilations and padding on each side apart."""
    x, weight, bias = halves(random, 2, 4, 6, 7), halves(random, 6, 4 // groups, 2, 3), halves(random, 6)
    pads, strides, dilations = ((1, 0), (0, 2)), (2, 1), (1, 2)
    padded = np.pad(x, ((0, 0), (0, 0), *pads))
    expected = np.zeros((2, 6, 3, 5))
    for n, k, i, j in np.ndindex(expected.shape):
        first = k // (6 // groups) * (4 // groups)
        expected[n, k, i, j] = add(
            float(bias[k]),
            [
                (float(padded[n, first + c, i * 2 + u, j + v * 2]), float(weight[k, c, u, v]))
                for c, u, v in product(range(4 // groups), range(2), range(3))
            ],
        )
    options = {"strides": strides, "dilations": dilations, "pad_type": "custom", "pad": (1, 0, 0, 2), "groups": groups}
    np.testing.assert_array_equal(computed(model, "conv", x=x, weight=weight, bias=bias, **options), expected)


@pytest.mark.parametrize(("model", "add"), MODELS)
def test_matrices_term_by_term(model: type[SumOfProducts], add: Sum, random: np.random.Generator) -> None:
    """linear and matmul, batches and transposes included."""
    x, weight, bias = halves(random, 2, 3, 7), halves(random, 5, 7), halves(random, 5)

    def row(a: Array, b: Array) -> list[Term]:
        return list(zip(a.tolist(), b.tolist(), strict=True))

    linear = [[[add(float(bias[k]), row(x[n, m], weight[k])) for k in range(5)] for m in range(3)] for n in range(2)]
    np.testing.assert_array_equal(computed(model, "linear", x=x, weight=weight, bias=bias), linear)
    y = halves(random, 2, 4, 7)
    products = [[[add(0.0, row(x[n, m], y[n, k])) for k in range(4)] for m in range(3)] for n in range(2)]
    np.testing.assert_array_equal(computed(model, "matmul", x=x, y=y, transpose_y=True), products)
    vector = halves(random, 7)
    single = [[add(0.0, row(x[n, m], vector)) for m in range(3)] for n in range(2)]
    np.testing.assert_array_equal(computed(model, "matmul", x=x, y=vector), single)
    assert computed(model, "matmul", x=vector, y=weight[2]).item() == add(0.0, row(vector, weight[2]))


@pytest.mark.parametrize(("model", "add"), MODELS)
def test_sums_that_overflow_term_by_term(model: type[SumOfProducts], add: Sum, random: np.random.Generator) -> None:
    """Some on their way only, some for good, with either sign."""
    x, weight, bias = halves(random, 40, 9, highest=9), halves(random, 3, 9, highest=9), halves(random, 3, lowest=8, highest=14)
    expected = [
        [add(float(b), zip(row.tolist(), w.tolist(), strict=True)) for w, b in zip(weight, bias, strict=True)] for row in x
    ]
    assert {INF, -INF} <= set(np.ravel(expected)) if model is FixedPoint else True
    assert np.isfinite(expected).sum() > 30
    np.testing.assert_array_equal(computed(model, "linear", x=x, weight=weight, bias=bias), expected)


def test_infinity_sticks_with_its_sign() -> None:
    """Whatever follows; and a bias that the accumulator cannot hold is infinite before anything does."""
    assert convolved(FixedPoint(), [1.0] * 64, [30000, 30000, *[-30000] * 5]) == INF
    assert convolved(FixedPoint(), [1.0] * 64, [-30000, -30000, *[30000] * 5]) == -INF
    assert convolved(FixedPoint(), [1.0] * 64, [-20000], bias=40000) == INF


def test_float64_is_wide_enough_for_a_fused_multiply_add(random: np.random.Generator) -> None:
    """Sums with a half of float16's last place on the way, and with terms that float64 loses: one rounding in effect."""
    values = np.array([v for v in HALVES if v])
    totals, x, y = (random.choice(values, 6000) for _ in range(3))
    x[:2000], y[:2000] = totals[:2000], 2.0**-11  # a quarter to a half of the last place ...
    y[2000:3000] = random.choice([2.0**-24, -(2.0**-24)], 1000)  # ... or hardly anything
    expected = [nearest(Fraction(t) + Fraction(a) * Fraction(b), away=False) for t, a, b in zip(totals, x, y, strict=True)]
    sums = torch.addcmul(torch.from_numpy(totals), torch.from_numpy(x), torch.from_numpy(y))
    np.testing.assert_array_equal(to_half(sums).double(), expected)


def test_rounding_twice_would_show() -> None:
    """1 + 2^-11 + 2^-40 is nearer to 1 + 2^-10, and by way of float32 a tie that goes to 1."""
    value = 1 + 2**-11 + 2**-40
    assert torch.tensor(value, dtype=torch.float64).float().half() == 1
    assert to_half(torch.tensor(value, dtype=torch.float64)) == 1 + 2**-10


def test_halves_go_away_from_zero(random: np.random.Generator) -> None:
    """Between any two neighbours, among subnormal numbers and at the end of the range too."""
    at = random.integers(0, len(HALVES) - 1, 3000)
    below, above = np.array(HALVES)[at], np.array(HALVES)[at + 1]
    between = np.concatenate([below + (above - below) * part for part in (0.5, 0.499, 0.501, 0)])
    expected = [nearest(Fraction(v), away=True) for v in between]
    np.testing.assert_array_equal(round_away(torch.from_numpy(between)), expected)
    special = round_away(torch.tensor([65519.0, 65520.0, -65520.0, INF, math.nan, 2.0**-25, -(2.0**-26)]))
    np.testing.assert_array_equal(special, [65504, INF, -INF, INF, math.nan, 2.0**-24, 0])


def test_peak_is_the_largest_sum_on_the_way() -> None:
    """Not that of the result."""
    for model in (FixedPoint(), SequentialHalf()):
        assert convolved(model, [1.0] * 64, [1000, 2000, -2500]) == 500
        assert model.peak == 3000
        convolved(model, [1.0] * 64, [0], bias=-4000)
        assert model.peak == 4000


def test_modes_of_a_package(build: Callable[..., Path]) -> None:
    """16384 + 16384 - 16384 + 2^-11 in each arithmetic, and 2048 + 1, which is a sum but not of products."""
    weight = np.array([[1, 1, -1, 1], [0, 0, 0, 2]], np.float16)

    def body(x: Any, y: Any) -> tuple[Any, ...]:
        return mb.linear(x=x, weight=weight), mb.add(x=y, y=np.float16(1))

    given = {"x": np.array([[16384, 16384, 16384, 2**-11]], np.float16), "y": np.array([2048], np.float16)}
    path = build(body, **given)
    answers = {}
    for name in ARITHMETICS:
        model = ReferenceModel(path, name)  # type: ignore[arg-type]  # a name from the table
        (product_, small), (total,) = ([*value.ravel()] for value in model.predict(given).values())
        answers[name] = (product_, small, total)
    assert answers == {
        "exact": (16384 + 2**-11, 2**-10, 2049),
        "float16": (16384, 2**-10, 2048),
        "neural-engine": (INF, 2**-10, 2050),
        "cpu": (16384, 2**-10, 2048),
    }


def test_float32_operators_stay_as_they_are(build: Callable[..., Path]) -> None:
    """The models are of float16 arithmetic."""
    x = np.array([[40000.0, 2**-20]], np.float32)
    path = build(lambda x: mb.linear(x=x, weight=np.eye(2, dtype=np.float32)), x=x)
    (answer,) = ReferenceModel(path, "neural-engine").predict({"x": x}).values()
    np.testing.assert_array_equal(answer, x)


def test_arithmetics_say_what_they_are() -> None:
    """A model of a device is called one, with its source."""
    for name, arithmetic in ARITHMETICS.items():
        assert (arithmetic.sums is not None) == (name in {"neural-engine", "cpu"})
        assert ("model: " in arithmetic.description) == (arithmetic.sums is not None)
        assert ("Apple-Neural-Engine-Microarchitecture-Study-M6" in arithmetic.description) == (arithmetic.sums is not None)
