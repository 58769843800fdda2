"""Arithmetic, functions, comparison and conversion, element by element, against numpy and Python."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import coremltools as ct
import numpy as np
import pytest
from coremltools.converters.mil import Builder as mb  # noqa: N813 (its name in coremltools' documentation)
from numpy.typing import NDArray
from scipy import special

from edgekit_coreml.reference import ReferenceModel

Array = NDArray[Any]
Cases = dict[str, tuple[Callable[[Any], Any], Callable[[Array], Any]]]
Cases2 = dict[str, tuple[Callable[[Any, Any], Any], Callable[[Array, Array], Any]]]

X = np.array([[[-7.5, -3.0, -2.999, -0.25], [0.0, 0.4, 1.0, 2.5], [3.0, 5.999, 6.0, 9.5]]], np.float32)

UNARY: Cases = {
    "abs": (lambda x: mb.abs(x=x), np.abs),
    "sign": (lambda x: mb.sign(x=x), np.sign),
    "square": (lambda x: mb.square(x=x), lambda x: x * x),
    "exp": (lambda x: mb.exp(x=x), np.exp),
    "exp2": (lambda x: mb.exp2(x=x), np.exp2),
    "erf": (lambda x: mb.erf(x=x), special.erf),
    "sin": (lambda x: mb.sin(x=x), np.sin),
    "cos": (lambda x: mb.cos(x=x), np.cos),
    "tan": (lambda x: mb.tan(x=x), np.tan),
    "atan": (lambda x: mb.atan(x=x), np.arctan),
    "sinh": (lambda x: mb.sinh(x=x), np.sinh),
    "cosh": (lambda x: mb.cosh(x=x), np.cosh),
    "tanh": (lambda x: mb.tanh(x=x), np.tanh),
    "ceil": (lambda x: mb.ceil(x=x), np.ceil),
    "floor": (lambda x: mb.floor(x=x), np.floor),
    "round": (lambda x: mb.round(x=x), lambda x: np.array([round(float(each)) for each in x.flat]).reshape(x.shape)),
    "clip": (lambda x: mb.clip(x=x, alpha=-3.0, beta=2.5), lambda x: np.minimum(np.maximum(x, -3), 2.5)),
    "clip_inverted": (lambda x: mb.clip(x=x, alpha=2.0, beta=1.0), lambda x: np.minimum(np.maximum(x, 2), 1)),
    "threshold": (lambda x: mb.threshold(x=x, alpha=0.5), lambda x: np.maximum(x, 0.5)),
    "identity": (lambda x: mb.identity(x=x), lambda x: x),
    "cast_int": (lambda x: mb.cast(x=x, dtype="int32"), np.trunc),
    "cast_bool": (lambda x: mb.cast(x=mb.cast(x=x, dtype="bool"), dtype="fp32"), lambda x: x != 0),
}

UNIT = np.array([-1.0, -0.875, -0.25, 0.0, 0.125, 0.5, 0.999, 1.0], np.float32)
UNARY_OF_UNIT: Cases = {
    "asin": (lambda x: mb.asin(x=x), np.arcsin),
    "acos": (lambda x: mb.acos(x=x), np.arccos),
    "atanh": (lambda x: mb.atanh(x=mb.mul(x=x, y=np.float32(0.875))), lambda x: np.arctanh(x * 0.875)),
}

POSITIVE = np.abs(X) + np.float32(0.125)
UNARY_OF_POSITIVE: Cases = {
    "sqrt": (lambda x: mb.sqrt(x=x), np.sqrt),
    "rsqrt": (lambda x: mb.rsqrt(x=x, epsilon=0.5), lambda x: 1 / np.sqrt(x + 0.5)),
    "inverse": (lambda x: mb.inverse(x=x, epsilon=0.25), lambda x: 1 / (x + 0.25)),
    "log": (lambda x: mb.log(x=x, epsilon=0.5), lambda x: np.log(x + 0.5)),
    "inverse_default": (lambda x: mb.inverse(x=x), lambda x: 1 / (x + 1e-4)),
    "log_default": (lambda x: mb.log(x=x), np.log),
}

Y = np.array([[2.0], [-1.5], [4.0]], np.float32)  # broadcasts against the last two axes of X
BINARY: Cases2 = {
    "add": (lambda x, y: mb.add(x=x, y=y), lambda x, y: x + y),
    "sub": (lambda x, y: mb.sub(x=x, y=y), lambda x, y: x - y),
    "mul": (lambda x, y: mb.mul(x=x, y=y), lambda x, y: x * y),
    "real_div": (lambda x, y: mb.real_div(x=x, y=y), lambda x, y: x / y),
    "floor_div": (lambda x, y: mb.floor_div(x=x, y=y), lambda x, y: np.floor(x / y)),
    "mod": (lambda x, y: mb.mod(x=mb.abs(x=x), y=mb.abs(x=y)), lambda x, y: np.abs(x) % np.abs(y)),
    "mod_negative": (
        lambda x, y: mb.mod(x=mb.sub(x=np.float32(-0.5), y=mb.abs(x=x)), y=np.float32(-2)),
        lambda x, y: (-0.5 - np.abs(x)) % -2,
    ),
    "maximum": (lambda x, y: mb.maximum(x=x, y=y), np.maximum),
    "minimum": (lambda x, y: mb.minimum(x=x, y=y), np.minimum),
    "pow": (lambda x, y: mb.pow(x=mb.abs(x=x), y=mb.abs(x=y)), lambda x, y: np.abs(x) ** np.abs(y)),
    "constant_first": (lambda x, y: mb.sub(x=np.float32(3), y=mb.mul(x=x, y=y)), lambda x, y: 3 - x * y),
}

COMPARED = np.array([[[-1.5, 2.0, 4.0, 0.0]]], np.float32)
LOGICAL: Cases2 = {
    "equal": (lambda x, y: mb.equal(x=x, y=y), lambda x, y: x == y),
    "not_equal": (lambda x, y: mb.not_equal(x=x, y=y), lambda x, y: x != y),
    "less": (lambda x, y: mb.less(x=x, y=y), lambda x, y: x < y),
    "less_equal": (lambda x, y: mb.less_equal(x=x, y=y), lambda x, y: x <= y),
    "greater": (lambda x, y: mb.greater(x=x, y=y), lambda x, y: x > y),
    "greater_equal": (lambda x, y: mb.greater_equal(x=x, y=y), lambda x, y: x >= y),
    "logical_and": (
        lambda x, y: mb.logical_and(x=mb.less(x=x, y=y), y=mb.cast(x=x, dtype="bool")),
        lambda x, y: (x < y) & (x != 0),
    ),
    "logical_or": (
        lambda x, y: mb.logical_or(x=mb.less(x=x, y=y), y=mb.cast(x=x, dtype="bool")),
        lambda x, y: (x < y) | (x != 0),
    ),
    "logical_xor": (
        lambda x, y: mb.logical_xor(x=mb.less(x=x, y=y), y=mb.cast(x=x, dtype="bool")),
        lambda x, y: (x < y) ^ (x != 0),
    ),
    "logical_not": (lambda x, y: mb.logical_not(x=mb.less(x=x, y=y)), lambda x, y: ~(x < y)),
}


@pytest.fixture(scope="module")
def unary(family: Any) -> dict[str, Array]:
    answers: dict[str, Array] = {}
    for cases, x in ((UNARY, X), (UNARY_OF_UNIT, UNIT), (UNARY_OF_POSITIVE, POSITIVE)):
        answers.update(family({name: body for name, (body, _) in cases.items()}, x=x))
    return answers


@pytest.fixture(scope="module")
def binary(family: Any) -> dict[str, Array]:
    answers: dict[str, Array] = family({name: body for name, (body, _) in BINARY.items()}, x=X, y=Y)
    return answers


@pytest.fixture(scope="module")
def logical(family: Any) -> dict[str, Array]:
    """Truth values leave a program as numbers: Core ML has no arrays of them."""
    bodies = {name: (lambda x, y, body=body: mb.cast(x=body(x, y), dtype="int32")) for name, (body, _) in LOGICAL.items()}
    answers: dict[str, Array] = family(bodies, x=COMPARED, y=Y)
    return answers


@pytest.mark.parametrize("name", [*UNARY, *UNARY_OF_UNIT, *UNARY_OF_POSITIVE])
def test_unary(unary: dict[str, Array], name: str) -> None:
    cases, x = next(
        (cases, x) for cases, x in ((UNARY, X), (UNARY_OF_UNIT, UNIT), (UNARY_OF_POSITIVE, POSITIVE)) if name in cases
    )
    np.testing.assert_allclose(unary[name], cases[name][1](x.astype(np.float64)), rtol=3e-6, atol=2e-6)


@pytest.mark.parametrize("name", BINARY)
def test_binary(binary: dict[str, Array], name: str) -> None:
    expected = BINARY[name][1](X.astype(np.float64), Y.astype(np.float64))
    assert binary[name].shape == expected.shape
    np.testing.assert_allclose(binary[name], expected, rtol=2e-6, atol=2e-6)


@pytest.mark.parametrize("name", LOGICAL)
def test_logical(logical: dict[str, Array], name: str) -> None:
    assert logical[name].tolist() == LOGICAL[name][1](COMPARED, Y).astype(int).tolist()


def test_round_takes_the_even_neighbour_of_a_half(compute: Any) -> None:
    x = np.array([-3.5, -2.5, -1.5, -0.5, 0.5, 1.5, 2.5, 3.5, 0.49999997], np.float32)
    assert compute("round", x=x).tolist() == [-4, -2, -2, 0, 0, 2, 2, 4, 0]


@pytest.mark.parametrize("epsilon", [None, 0.25])
def test_epsilon_is_rounded_to_the_type_of_x_where_it_is_left_out(
    run: Any, build: Any, edited: Any, epsilon: float | None
) -> None:
    """coremltools writes every default into the package; whoever leaves it out means what the definition says."""
    given = {} if epsilon is None else {"epsilon": np.float16(epsilon)}
    x = np.zeros(1, np.float16)

    def body(x: Any) -> Any:
        return mb.log(x=x, **given), mb.rsqrt(x=x, **given), mb.inverse(x=x, **given)

    def without_epsilon(model: Any) -> None:
        (block,) = model.mlProgram.functions["main"].block_specializations.values()
        for operation in block.operations:
            if epsilon is None and "epsilon" in operation.inputs:
                del operation.inputs["epsilon"]

    model = ReferenceModel(edited(build(body, ct.target.iOS16, x=x), without_epsilon))
    answers = model.predict({"x": x})
    computed = [answers[output.name].item() for output in model.outputs]
    if epsilon is None:  # float16 has no 1e-45 and no 1e-12; its 1e-4 is a little more
        assert computed[:2] == [-math.inf, math.inf]
        assert computed[2] == pytest.approx(1 / float(np.float16(1e-4)))
    else:
        assert computed == pytest.approx([math.log(epsilon), epsilon**-0.5, 1 / epsilon])


def test_epsilon_of_float32(compute: Any) -> None:
    zero = np.zeros(1, np.float32)
    assert compute("log", x=zero) == pytest.approx(math.log(2.0**-149))  # the float32 nearest to 1e-45
    assert compute("rsqrt", x=zero) == pytest.approx(1e6)
    assert compute("inverse", x=zero) == pytest.approx(1e4)


NAN, INF = math.nan, math.inf


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("equal", [False, False, True]),
        ("not_equal", [True, True, False]),
        ("less", [False, False, False]),
        ("less_equal", [False, False, True]),
        ("greater", [False, False, False]),
        ("greater_equal", [False, False, True]),
    ],
)
def test_comparisons_of_nan_and_infinity(compute: Any, name: str, expected: list[bool]) -> None:
    x, y = np.array([NAN, 1, INF], np.float32), np.array([NAN, NAN, INF], np.float32)
    assert compute(name, x=x, y=y).tolist() == expected


def test_special_values(compute: Any) -> None:
    def numbers(*values: float) -> Array:
        return np.array(values, np.float32)

    np.testing.assert_array_equal(compute("sign", x=numbers(NAN, -INF, -0.0, INF)), [NAN, -1, 0, 1])
    np.testing.assert_array_equal(compute("maximum", x=numbers(NAN, 1), y=numbers(1, NAN)), [NAN, NAN])
    np.testing.assert_array_equal(compute("minimum", x=numbers(NAN, 1), y=numbers(1, NAN)), [NAN, NAN])
    np.testing.assert_array_equal(compute("real_div", x=numbers(1, -1, 0), y=numbers(0, 0, 0)), [INF, -INF, NAN])
    np.testing.assert_array_equal(compute("floor_div", x=numbers(1, -1, 0), y=numbers(0, 0, 0)), [INF, -INF, NAN])
    np.testing.assert_array_equal(compute("mod", x=numbers(5, 0), y=numbers(INF, 0)), [5, NAN])
    np.testing.assert_array_equal(compute("pow", x=numbers(-2, -2, 0, -8), y=numbers(3, 0.5, 0, -1)), [-8, NAN, 1, -0.125])
    np.testing.assert_array_equal(compute("asin", x=numbers(1.5)), [NAN])
    np.testing.assert_array_equal(compute("atanh", x=numbers(1, -1, 2)), [INF, -INF, NAN])


def test_clip_is_strict_since_ios_17(compute: Any) -> None:
    x = np.array([0.5, 3], np.float32)
    assert compute("clip", x=x, alpha=1.0, beta=1.0, opset=6).tolist() == [1, 1]
    assert compute("clip", x=x, alpha=1.0, beta=2.0, opset=7).tolist() == [1, 2]
    with pytest.raises(ValueError, match="iOS 17"):
        compute("clip", x=x, alpha=1.0, beta=1.0, opset=7)


def test_floor_division_is_of_the_exact_quotient(compute: Any) -> None:
    """0.1 in float32 is more than a tenth, so ten of them do not fit one, though the rounded quotient is 10."""
    one, tenth = np.array([1], np.float32), np.array([0.1], np.float32)
    assert compute("floor_div", x=one, y=tenth).tolist() == [9]
    assert compute("mod", x=one, y=tenth) == pytest.approx(math.fmod(1, float(tenth[0])))
