"""Arithmetic, activations, normalization and matrix products against numpy and scipy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from coremltools.converters.mil import Builder as mb  # noqa: N813 (its name in coremltools' documentation)
from numpy.typing import NDArray
from scipy import special

Array = NDArray[Any]

X = np.array([[[-7.5, -3.0, -2.999, -0.25], [0.0, 0.4, 1.0, 2.5], [3.0, 5.999, 6.0, 9.5]]], np.float32)
POSITIVE = np.abs(X) + np.float32(0.125)
ALPHA = np.array([0.1, 0.5, 2.0], np.float32)
PER_CHANNEL = ALPHA[:, None]
WEIGHT = np.array([[1.0, -2.0, 0.5, 3.0], [0.25, 0.0, -1.0, 2.0]], np.float32)
GELU_TANH = np.sqrt(2 / np.pi)

UNARY: dict[str, tuple[Callable[[Any], Any], Callable[[Array], Array]]] = {
    "relu": (lambda x: mb.relu(x=x), lambda x: np.where(x > 0, x, 0)),
    "relu6": (lambda x: mb.relu6(x=x), lambda x: np.minimum(np.maximum(x, 0), 6)),
    "leaky_relu": (lambda x: mb.leaky_relu(x=x, alpha=0.3), lambda x: np.where(x >= 0, x, 0.3 * x)),
    "clamped_relu": (
        lambda x: mb.clamped_relu(x=x, alpha=-2.0, beta=4.0),
        lambda x: np.minimum(4, np.where(x >= 0, x, -2 * x)),
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
    "softsign": (lambda x: mb.softsign(x=x), lambda x: x / (1 + np.abs(x))),
    "softmax": (lambda x: mb.softmax(x=x, axis=-2), lambda x: np.exp(x) / np.exp(x).sum(1, keepdims=True)),
    "tanh": (lambda x: mb.tanh(x=x), np.tanh),
    "erf": (lambda x: mb.erf(x=x), special.erf),
    "abs": (lambda x: mb.abs(x=x), np.abs),
    "square": (lambda x: mb.square(x=x), np.square),
    "exp": (lambda x: mb.exp(x=x), np.exp),
    "clip": (lambda x: mb.clip(x=x, alpha=-3.0, beta=2.5), lambda x: np.minimum(np.maximum(x, -3), 2.5)),
    "threshold": (lambda x: mb.threshold(x=x, alpha=0.5), lambda x: np.maximum(x, 0.5)),
    "identity": (lambda x: mb.identity(x=x), lambda x: x),
    "cast_int": (lambda x: mb.cast(x=x, dtype="int32"), np.trunc),
    "cast_bool": (lambda x: mb.cast(x=mb.cast(x=x, dtype="bool"), dtype="fp32"), lambda x: x != 0),
    "batch_norm": (
        lambda x: mb.batch_norm(x=x, mean=ALPHA, variance=ALPHA + 1, gamma=-ALPHA, beta=ALPHA * 3, epsilon=0.01),
        lambda x: -PER_CHANNEL * (x - PER_CHANNEL) / np.sqrt(PER_CHANNEL + 1.01) + 3 * PER_CHANNEL,
    ),
    "batch_norm_plain": (
        lambda x: mb.batch_norm(x=x, mean=ALPHA, variance=ALPHA),
        lambda x: (x - PER_CHANNEL) / np.sqrt(PER_CHANNEL + 1e-5),
    ),
}

UNARY_POSITIVE: dict[str, tuple[Callable[[Any], Any], Callable[[Array], Array]]] = {
    "sqrt": (lambda x: mb.sqrt(x=x), np.sqrt),
    "rsqrt": (lambda x: mb.rsqrt(x=x, epsilon=0.5), lambda x: 1 / np.sqrt(x + 0.5)),
    "inverse": (lambda x: mb.inverse(x=x, epsilon=0.25), lambda x: 1 / (x + 0.25)),
    "log": (lambda x: mb.log(x=x, epsilon=0.5), lambda x: np.log(x + 0.5)),
}

Y = np.array([[2.0], [-1.5], [4.0]], np.float32)  # broadcasts against the last two axes of X
BINARY: dict[str, tuple[Callable[[Any, Any], Any], Callable[[Array, Array], Array]]] = {
    "add": (lambda x, y: mb.add(x=x, y=y), lambda x, y: x + y),
    "sub": (lambda x, y: mb.sub(x=x, y=y), lambda x, y: x - y),
    "mul": (lambda x, y: mb.mul(x=x, y=y), lambda x, y: x * y),
    "real_div": (lambda x, y: mb.real_div(x=x, y=y), lambda x, y: x / y),
    "maximum": (lambda x, y: mb.maximum(x=x, y=y), np.maximum),
    "minimum": (lambda x, y: mb.minimum(x=x, y=y), np.minimum),
    "pow": (lambda x, y: mb.pow(x=mb.abs(x=x), y=mb.abs(x=y)), lambda x, y: np.abs(x) ** np.abs(y)),
    "constant_first": (lambda x, y: mb.sub(x=np.float32(3), y=mb.mul(x=x, y=y)), lambda x, y: 3 - x * y),
    "matmul": (lambda x, y: mb.matmul(x=x, y=y, transpose_x=True), lambda x, y: np.swapaxes(x, 1, 2) @ y),
    "matmul_y": (lambda x, y: mb.matmul(x=y, y=x, transpose_x=True), lambda x, y: y.T @ x),
    "matmul_transpose_y": (lambda x, y: mb.matmul(x=y, y=y, transpose_y=True), lambda x, y: np.outer(y, y)),
    "linear": (
        lambda x, y: mb.linear(x=x, weight=WEIGHT, bias=ALPHA[:2]),
        lambda x, y: np.einsum("bci,oi->bco", x, WEIGHT) + ALPHA[:2],
    ),
    "linear_plain": (lambda x, y: mb.linear(x=x, weight=WEIGHT), lambda x, y: np.einsum("bci,oi->bco", x, WEIGHT)),
}


@pytest.fixture(scope="module")
def unary(family: Any) -> dict[str, Array]:
    answers: dict[str, Array] = family({name: body for name, (body, _) in UNARY.items()}, x=X)
    answers.update(family({name: body for name, (body, _) in UNARY_POSITIVE.items()}, x=POSITIVE))
    return answers


@pytest.fixture(scope="module")
def binary(family: Any) -> dict[str, Array]:
    answers: dict[str, Array] = family({name: body for name, (body, _) in BINARY.items()}, x=X, y=Y)
    return answers


@pytest.mark.parametrize("name", UNARY)
def test_unary(unary: dict[str, Array], name: str) -> None:
    np.testing.assert_allclose(unary[name], UNARY[name][1](X.astype(np.float64)), rtol=2e-6, atol=2e-6)


@pytest.mark.parametrize("name", UNARY_POSITIVE)
def test_unary_positive(unary: dict[str, Array], name: str) -> None:
    np.testing.assert_allclose(unary[name], UNARY_POSITIVE[name][1](POSITIVE.astype(np.float64)), rtol=2e-6)


@pytest.mark.parametrize("name", BINARY)
def test_binary(binary: dict[str, Array], name: str) -> None:
    expected = BINARY[name][1](X.astype(np.float64), Y.astype(np.float64))
    assert binary[name].shape == expected.shape
    np.testing.assert_allclose(binary[name], expected, rtol=2e-6, atol=2e-6)


def test_prelu_takes_its_slope_by_channel(run: Any) -> None:
    x = np.arange(-6, 6, dtype=np.float32).reshape(1, 3, 2, 2)
    (answer,) = run(lambda x: mb.prelu(x=x, alpha=ALPHA), x=x)
    np.testing.assert_allclose(answer, np.where(x > 0, x, ALPHA.reshape(3, 1, 1) * x), rtol=1e-6)


def test_integers_stay_integers(run: Any) -> None:
    x = np.array([3, -4, 5], np.int32)
    doubled, total = run(lambda x: (mb.mul(x=x, y=2), mb.reduce_sum(x=x, axes=[0], keep_dims=True)), x=x)
    assert doubled.dtype == total.dtype == np.int32
    assert doubled.tolist() == [6, -8, 10]
    assert total.tolist() == [4]
