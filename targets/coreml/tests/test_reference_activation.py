"""Activations against their formulae in numpy and scipy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import coremltools as ct
import numpy as np
import pytest
from coremltools.converters.mil import Builder as mb  # noqa: N813 (its name in coremltools' documentation)
from numpy.typing import NDArray
from scipy import special

Array = NDArray[Any]

X = np.array([[[-7.5, -3.0, -2.999, -0.25], [0.0, 0.4, 1.0, 2.5], [3.0, 5.999, 6.0, 9.5]]], np.float32)
ALPHA = np.array([0.1, 0.5, 2.0], np.float32)
BETA = np.array([1.5, -0.25, 0.75], np.float32)
GELU_TANH = np.sqrt(2 / np.pi)

ACTIVATIONS: dict[str, tuple[Callable[[Any], Any], Callable[[Array], Array]]] = {
    "relu": (lambda x: mb.relu(x=x), lambda x: np.where(x > 0, x, 0)),
    "relu6": (lambda x: mb.relu6(x=x), lambda x: np.minimum(np.maximum(x, 0), 6)),
    "leaky_relu": (lambda x: mb.leaky_relu(x=x, alpha=0.3), lambda x: np.where(x >= 0, x, 0.3 * x)),
    "leaky_relu_negative": (lambda x: mb.leaky_relu(x=x, alpha=-2.0), lambda x: np.where(x >= 0, x, -2 * x)),
    "clamped_relu": (
        lambda x: mb.clamped_relu(x=x, alpha=-2.0, beta=4.0),
        lambda x: np.minimum(4, np.where(x >= 0, x, -2 * x)),
    ),
    "clamped_relu_below_zero": (
        lambda x: mb.clamped_relu(x=x, alpha=0.5, beta=-1.0),
        lambda x: np.minimum(-1, np.where(x >= 0, x, 0.5 * x)),
    ),
    "thresholded_relu": (lambda x: mb.thresholded_relu(x=x, alpha=-3.0), lambda x: np.where(x >= -3, x, 0)),
    "thresholded_relu_positive": (
        lambda x: mb.thresholded_relu(x=x, alpha=0.4),
        lambda x: np.where(x >= np.float32(0.4), x, 0),
    ),
    "prelu": (lambda x: mb.prelu(x=x, alpha=ALPHA[:1].repeat(3)), lambda x: np.where(x > 0, x, 0.1 * x)),
    "linear_activation": (lambda x: mb.linear_activation(x=x, alpha=2.0, beta=-1.5), lambda x: 2 * x - 1.5),
    "sigmoid": (lambda x: mb.sigmoid(x=x), lambda x: 1 / (1 + np.exp(-x))),
    "sigmoid_hard": (
        lambda x: mb.sigmoid_hard(x=x, alpha=0.2, beta=0.4),
        lambda x: np.minimum(np.maximum(0.2 * x + 0.4, 0), 1),
    ),
    "scaled_tanh": (lambda x: mb.scaled_tanh(x=x, alpha=1.7, beta=0.6), lambda x: 1.7 * np.tanh(0.6 * x)),
    "elu": (lambda x: mb.elu(x=x, alpha=0.7), lambda x: np.where(x > 0, x, 0.7 * (np.exp(x) - 1))),
    "gelu": (lambda x: mb.gelu(x=x), lambda x: 0.5 * x * (1 + special.erf(x / np.sqrt(2)))),
    "gelu_tanh": (
        lambda x: mb.gelu(x=x, mode="TANH_APPROXIMATION"),
        lambda x: 0.5 * x * (1 + np.tanh(GELU_TANH * (x + 0.044715 * x**3))),
    ),
    "gelu_sigmoid": (lambda x: mb.gelu(x=x, mode="SIGMOID_APPROXIMATION"), lambda x: x / (1 + np.exp(-1.702 * x))),
    "silu": (lambda x: mb.silu(x=x), lambda x: x / (1 + np.exp(-x))),
    "softplus": (lambda x: mb.softplus(x=x), lambda x: np.log1p(np.exp(x))),
    "softplus_parametric": (
        lambda x: mb.softplus_parametric(x=x, alpha=ALPHA, beta=BETA),
        lambda x: ALPHA[:, None] * np.log1p(np.exp(BETA[:, None] * x)),
    ),
    "softsign": (lambda x: mb.softsign(x=x), lambda x: x / (1 + np.abs(x))),
    "softmax": (lambda x: mb.softmax(x=x), lambda x: np.exp(x) / np.exp(x).sum(2, keepdims=True)),
    "softmax_of_an_axis": (lambda x: mb.softmax(x=x, axis=-2), lambda x: np.exp(x) / np.exp(x).sum(1, keepdims=True)),
}


@pytest.fixture(scope="module")
def answers(family: Any) -> dict[str, Array]:
    computed: dict[str, Array] = family({name: body for name, (body, _) in ACTIVATIONS.items()}, x=X)
    return computed


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activation(answers: dict[str, Array], name: str) -> None:
    np.testing.assert_allclose(answers[name], ACTIVATIONS[name][1](X.astype(np.float64)), rtol=2e-6, atol=2e-6)


@pytest.mark.parametrize("x", [-200.0, -50.0, 50.0, 200.0])
def test_no_activation_overflows(compute: Any, x: float) -> None:
    values = np.array([x], np.float32)
    positive = max(x, 0.0)
    assert compute("softplus", x=values) == pytest.approx(positive, abs=1e-12)
    assert compute("sigmoid", x=values) == pytest.approx(float(x > 0), abs=1e-12)
    assert compute("silu", x=values) == pytest.approx(positive, abs=1e-12)
    assert compute("softmax", x=np.array([x, 0], np.float32)).tolist() == pytest.approx([float(x > 0), float(x < 0)], abs=1e-12)


def test_prelu_takes_its_slope_by_channel(run: Any) -> None:
    x = np.arange(-6, 6, dtype=np.float32).reshape(1, 3, 2, 2)
    (answer,) = run(lambda x: mb.prelu(x=x, alpha=ALPHA), x=x)
    np.testing.assert_allclose(answer, np.where(x > 0, x, ALPHA.reshape(3, 1, 1) * x), rtol=1e-6)


def test_softplus_parametric_of_four_axes(compute: Any) -> None:
    x = np.linspace(-4, 4, 24, dtype=np.float32).reshape(2, 3, 2, 2)
    channel = (3, 1, 1)
    expected = ALPHA.reshape(channel) * np.log1p(np.exp(BETA.reshape(channel) * x.astype(np.float64)))
    np.testing.assert_allclose(compute("softplus_parametric", x=x, alpha=ALPHA, beta=BETA), expected, rtol=2e-6)


def test_parameters_of_another_type(run: Any) -> None:
    """Since iOS 17 they may be float16 where x is float32, and the other way round."""
    half = np.float16(0.3)

    def body(x: Any) -> Any:
        single = mb.prelu(x=mb.leaky_relu(x=x, alpha=half), alpha=ALPHA.astype(np.float16)[:1].repeat(3))
        return single, mb.clamped_relu(x=mb.cast(x=x, dtype="fp16"), alpha=np.float32(0.3), beta=np.float32(2.7))

    single, short = run(body, opset=ct.target.iOS17, x=X)
    slope = np.float64(half) * np.float64(np.float16(0.1))
    np.testing.assert_allclose(single, np.where(X > 0, X, slope * X), rtol=1e-6)
    np.testing.assert_allclose(short, np.minimum(np.float32(2.7), np.where(X >= 0, X, np.float32(0.3) * X)), rtol=1e-6)


def test_float16(run: Any) -> None:
    """The two operators of a hard swish, each rounded."""
    x = np.linspace(-5, 5, 41).astype(np.float16)
    given = {"alpha": np.float16(1 / 6), "beta": np.float16(0.5)}
    gate, product = run(lambda x: (gate := mb.sigmoid_hard(x=x, **given), mb.mul(x=x, y=gate)), mode="float16", x=x)
    expected = np.clip(given["alpha"] * x.astype(np.float32) + given["beta"], 0, 1).astype(np.float16)
    assert gate.tolist() == expected.tolist()
    assert product.tolist() == (x.astype(np.float32) * expected).astype(np.float16).tolist()


@pytest.mark.parametrize(
    ("name", "shape", "given"),
    [
        ("prelu", (1, 2, 4, 4), {"alpha": ALPHA}),
        ("prelu", (1, 3), {"alpha": ALPHA}),
        ("prelu", (1, 3, 4), {"alpha": ALPHA}),  # Core ML wants one slope for all channels there
        ("prelu", (1, 3, 4, 4, 4), {"alpha": ALPHA}),
        ("softplus_parametric", (1, 3, 4), {"alpha": ALPHA, "beta": BETA[:2]}),
        ("softplus_parametric", (1, 2, 4), {"alpha": ALPHA, "beta": BETA}),
    ],
)
def test_refuses_parameters_that_do_not_fit(compute: Any, name: str, shape: tuple[int, ...], given: dict[str, Array]) -> None:
    with pytest.raises(ValueError, match="channel"):
        compute(name, x=np.zeros(shape, np.float32), **given)
