"""Normalizations against their formulae, in numpy's float64."""

from __future__ import annotations

from typing import Any

import coremltools as ct
import numpy as np
import pytest
from coremltools.converters.mil import Builder as mb  # noqa: N813 (its name in coremltools' documentation)
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

Array = NDArray[Any]


def numbers(*shape: int) -> Array:
    return np.random.default_rng(sum(shape)).standard_normal(shape).astype(np.float32) * 3 + 1


def normalized(x: Array, axes: tuple[int, ...], epsilon: float) -> Array:
    x = x.astype(np.float64)
    result: Array = (x - x.mean(axes, keepdims=True)) / np.sqrt(x.var(axes, keepdims=True) + epsilon)
    return result


@pytest.mark.parametrize("shape", [(2, 3, 4), (2, 3, 4, 2), (2, 3, 2, 1, 4)], ids=str)
@pytest.mark.parametrize("scaled", [True, False], ids=["scaled", "plain"])
def test_batch_norm(compute: Any, shape: tuple[int, ...], scaled: bool) -> None:
    x, channel = numbers(*shape), (3, *[1] * (len(shape) - 2))
    mean, variance, gamma, beta = numbers(3), np.abs(numbers(3)), numbers(3)[::-1].copy(), numbers(3) - 2
    given = {"gamma": gamma, "beta": beta, "epsilon": 0.25} if scaled else {}
    answer = compute("batch_norm", x=x, mean=mean, variance=variance, **given)
    expected = (x.astype(np.float64) - mean.reshape(channel)) / np.sqrt(variance.reshape(channel) + (0.25 if scaled else 1e-5))
    if scaled:
        expected = gamma.reshape(channel) * expected + beta.reshape(channel)
    np.testing.assert_allclose(answer, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("shape", [(2, 3, 5), (2, 3, 4, 2)], ids=str)
@pytest.mark.parametrize("scaled", [True, False], ids=["scaled", "plain"])
def test_instance_norm(compute: Any, shape: tuple[int, ...], scaled: bool) -> None:
    x, channel = numbers(*shape), (3, *[1] * (len(shape) - 2))
    gamma, beta = numbers(3), numbers(3) - 2
    answer = compute("instance_norm", x=x, **({"gamma": gamma, "beta": beta, "epsilon": 0.5} if scaled else {}))
    expected = normalized(x, tuple(range(2, x.ndim)), 0.5 if scaled else 1e-5)
    if scaled:
        expected = gamma.reshape(channel) * expected + beta.reshape(channel)
    np.testing.assert_allclose(answer, expected, rtol=1e-5, atol=1e-5)


@given(shape=st.lists(st.integers(1, 4), min_size=1, max_size=5), data=st.data())
def test_layer_norm(compute: Any, shape: list[int], data: st.DataObject) -> None:
    rank = len(shape)
    axes = data.draw(st.lists(st.integers(0, rank - 1), min_size=1, unique=True).map(lambda axes: tuple(sorted(axes))))
    x, sizes = numbers(*shape), tuple(shape[axis] for axis in axes)
    given: dict[str, Any] = {"axes": tuple(axis - rank if data.draw(st.booleans()) else axis for axis in axes), "epsilon": 0.125}
    expected = normalized(x, axes, 0.125)
    spread = [size if axis in axes else 1 for axis, size in enumerate(shape)]
    if data.draw(st.booleans()):
        given["gamma"] = numbers(*sizes)
        expected = expected * given["gamma"].reshape(spread)
    if data.draw(st.booleans()):
        given["beta"] = numbers(*sizes) - 2
        expected = expected + given["beta"].reshape(spread)
    np.testing.assert_allclose(compute("layer_norm", x=x, **given), expected, rtol=1e-4, atol=1e-4)


def test_layer_norm_of_all_axes(compute: Any) -> None:
    x = numbers(2, 3, 4)
    np.testing.assert_allclose(compute("layer_norm", x=x), normalized(x, (0, 1, 2), 1e-5), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("shape", [(3, 2, 4), (2, 3, 2, 4), (2, 2, 1, 3, 2)], ids=str)
@pytest.mark.parametrize("epsilon", [None, 5.5])
def test_l2_norm(compute: Any, shape: tuple[int, ...], epsilon: float | None) -> None:
    x = numbers(*shape)
    answer = compute("l2_norm", x=x, **({} if epsilon is None else {"epsilon": epsilon}))
    pictures = x.astype(np.float64).reshape(-1, *shape[-3:])
    expected = np.stack([each / np.sqrt((each * each).sum() + (1e-6 if epsilon is None else epsilon)) for each in pictures])
    np.testing.assert_allclose(answer, expected.reshape(shape), rtol=1e-5)


@given(
    channels=st.integers(1, 6),
    reach=st.integers(0, 3),
    alpha=st.floats(0.01, 2),
    beta=st.floats(0.25, 2),
    k=st.floats(0.5, 3),
)
def test_local_response_norm(compute: Any, channels: int, reach: int, alpha: float, beta: float, k: float) -> None:
    x, size = numbers(2, channels, 2, 3), 2 * reach + 1
    answer = compute("local_response_norm", x=x, size=size, alpha=alpha, beta=beta, k=k)
    expected = np.zeros(x.shape)
    for n, c, h, w in np.ndindex(x.shape):
        near = x[n, max(c - reach, 0) : c + reach + 1, h, w].astype(np.float64)
        expected[n, c, h, w] = x[n, c, h, w] / (k + alpha / size * (near * near).sum()) ** beta
    np.testing.assert_allclose(answer, expected, rtol=1e-5)


def test_local_response_norm_by_default(compute: Any) -> None:
    x = np.full((1, 1, 1, 1), 50, np.float32)
    assert compute("local_response_norm", x=x, size=1).item() == pytest.approx(50 / (1 + 1e-4 * 2500) ** 0.75)


@pytest.mark.parametrize(
    ("name", "shape", "given"),
    [
        ("batch_norm", (2, 3), {"mean": numbers(3), "variance": numbers(3)}),
        ("instance_norm", (2, 3), {}),
        ("instance_norm", (2, 3, 1, 1, 1), {}),
        ("instance_norm", (2, 3, 4), {"gamma": numbers(4)}),
        ("instance_norm", (2, 3, 4), {"beta": numbers(1)}),
        ("layer_norm", (2, 3, 4), {"axes": (3,)}),
        ("layer_norm", (2, 3, 4), {"axes": ()}),
        ("layer_norm", (2, 3, 4), {"axes": (2, 1)}),
        ("layer_norm", (2, 3, 4), {"axes": (1, -2)}),
        ("layer_norm", (2, 3, 4), {"axes": (1, 2), "gamma": numbers(4, 3)}),
        ("layer_norm", (2, 3, 4), {"axes": (2,), "beta": numbers(1)}),
        ("l2_norm", (2, 3), {}),
        ("local_response_norm", (2, 3, 4), {"size": 3}),
        ("local_response_norm", (2, 3, 4, 5), {"size": 2}),
    ],
)
def test_refuses_what_is_not_documented(compute: Any, name: str, shape: tuple[int, ...], given: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"axes|size|shape"):
        compute(name, x=numbers(*shape), **given)


def test_in_a_package(family: Any) -> None:
    x, gamma, beta = numbers(2, 3, 4, 5), numbers(3), numbers(3) - 2
    bodies = {
        "batch": lambda x: mb.batch_norm(x=x, mean=gamma, variance=np.abs(beta), gamma=gamma, beta=beta, epsilon=0.01),
        "instance": lambda x: mb.instance_norm(x=x, gamma=gamma, beta=beta, epsilon=0.01),
        "layer": lambda x: mb.layer_norm(x=x, axes=[1, -1], gamma=numbers(3, 5), epsilon=0.01),
        "layer_of_all": lambda x: mb.layer_norm(x=x, axes=[0, 1, 2, 3]),
        "l2": lambda x: mb.l2_norm(x=x, epsilon=0.01),
        "local": lambda x: mb.local_response_norm(x=x, size=3, alpha=0.5, beta=0.5, k=2.0),
    }
    answers, wide = family(bodies, x=x), x.astype(np.float64)
    by_channel, scale, offset = (each.reshape(3, 1, 1) for each in (np.sqrt(np.abs(beta) + 0.01), gamma, beta))
    near = np.stack([(wide[:, max(c - 1, 0) : c + 2] ** 2).sum(1) for c in range(3)], 1)
    expected = {
        "batch": scale * (wide - scale) / by_channel + offset,
        "instance": scale * normalized(x, (2, 3), 0.01) + offset,
        "layer": normalized(x, (1, 3), 0.01) * numbers(3, 5)[:, None],
        "layer_of_all": normalized(x, (0, 1, 2, 3), 1e-5),
        "l2": wide / np.sqrt((wide**2).sum((1, 2, 3), keepdims=True) + 0.01),
        "local": wide / (2 + 0.5 / 3 * near) ** 0.5,
    }
    for name, each in expected.items():
        np.testing.assert_allclose(answers[name], each, rtol=2e-5, atol=2e-5, err_msg=name)


def test_parameters_of_another_type(run: Any) -> None:
    """Since iOS 17 they may be float32 where x is float16."""
    x, gamma = numbers(1, 3, 4), numbers(3)
    (answer,) = run(
        lambda x: mb.instance_norm(x=mb.cast(x=x, dtype="fp16"), gamma=gamma, epsilon=np.float32(0.01)),
        mode="float16",
        opset=ct.target.iOS17,
        x=x,
    )
    expected = gamma[:, None] * normalized(x.astype(np.float16), (2,), 0.01)
    assert answer.dtype == np.float16
    np.testing.assert_allclose(answer, expected, rtol=2**-10)
