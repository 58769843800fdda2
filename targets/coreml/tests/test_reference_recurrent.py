"""Recurrent networks against loops over steps, sequences and units, written from the documentation's formulae."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import coremltools as ct
import numpy as np
import pytest
from coremltools.converters.mil import Builder as mb  # noqa: N813 (its name in coremltools' documentation)
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

Array = NDArray[Any]
States = tuple[list[Array], ...]

ACTIVATIONS: dict[str, Callable[[Array], Array]] = {
    "linear": lambda x: x,
    "relu": lambda x: np.maximum(x, 0),
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "tanh": np.tanh,
    "hard_sigmoid": lambda x: np.clip(0.2 * x + 0.5, 0, 1),
    "sigmoid_hard": lambda x: np.clip(0.2 * x + 0.5, 0, 1),
}
SIZES = st.tuples(*[st.integers(1, 4)] * 4)  # steps, sequences, inputs, units


def numbers(*shape: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).uniform(-1, 1, shape).astype(np.float32)


def steps(x: Array, direction: str) -> Array:
    return x[::-1] if direction == "reverse" else x


def of_gate(x: Array, gates: int, gate: int) -> Array:
    """Rows of one gate in a weight or a bias."""
    size = len(x) // gates
    return x[gate * size : (gate + 1) * size].astype(np.float64)


def chosen(states: list[Array], every: bool) -> Array:
    return np.stack(states if every else states[-1:])


def rnn(x: Array, h: Array, weight_ih: Array, weight_hh: Array, bias: Array, activation: str) -> list[Array]:
    states, h = [], h.astype(np.float64)
    for step in x.astype(np.float64):
        h = ACTIVATIONS[activation](step @ weight_ih.T + h @ weight_hh.T + bias)
        states.append(h)
    return states


@given(
    sizes=SIZES,
    direction=st.sampled_from(["forward", "reverse"]),
    every=st.booleans(),
    activation=st.sampled_from(sorted(ACTIVATIONS)),
    has_bias=st.booleans(),
)
def test_rnn(compute: Any, sizes: tuple[int, ...], direction: str, every: bool, activation: str, has_bias: bool) -> None:
    length, batch, inputs, units = sizes
    x, h = numbers(length, batch, inputs), numbers(batch, units, seed=1)
    weights, bias = (numbers(units, inputs, seed=2), numbers(units, units, seed=3)), has_bias * numbers(units, seed=4)
    given = {"x": x, "initial_h": h, "weight_ih": weights[0], "weight_hh": weights[1], "direction": direction}
    if has_bias:
        given["bias"] = bias
    sequence, last = compute("rnn", **given, output_sequence=every, activation=activation)
    states = rnn(steps(x, direction), h, *weights, bias, activation)
    assert sequence.shape == (length if every else 1, batch, units)
    np.testing.assert_allclose(sequence, chosen(states, every), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(last, states[-1], rtol=1e-4, atol=1e-5)


def gru(x: Array, h: Array, weight_ih: Array, weight_hh: Array, bias: Array, gate: str, new: str) -> list[Array]:
    f, g = ACTIVATIONS[gate], ACTIVATIONS[new]
    wr, wo, wz = (of_gate(weight_ih, 3, each) for each in range(3))
    ur, uo, uz = (of_gate(weight_hh, 3, each) for each in range(3))
    br, bo, bz = (of_gate(bias, 3, each) for each in range(3))
    states, h = [], h.astype(np.float64)
    for step in x.astype(np.float64):
        result = h.copy()
        for sequence in range(len(h)):
            r = f(wr @ step[sequence] + ur @ h[sequence] + br)
            z = f(wz @ step[sequence] + uz @ h[sequence] + bz)
            o = g(wo @ step[sequence] + uo @ (r * h[sequence]) + bo)
            result[sequence] = (1 - z) * o + z * h[sequence]
        h = result
        states.append(h)
    return states


@given(
    sizes=SIZES,
    direction=st.sampled_from(["forward", "reverse"]),
    every=st.booleans(),
    activations=st.tuples(st.sampled_from(["sigmoid", "hard_sigmoid", "tanh"]), st.sampled_from(["tanh", "relu", "linear"])),
    biases=st.tuples(st.booleans(), st.booleans()),
)
def test_gru(
    compute: Any,
    sizes: tuple[int, ...],
    direction: str,
    every: bool,
    activations: tuple[str, str],
    biases: tuple[bool, bool],
) -> None:
    length, batch, inputs, units = sizes
    x, h = numbers(length, batch, inputs), numbers(batch, units, seed=1)
    weights = numbers(3 * units, inputs, seed=2), numbers(3 * units, units, seed=3)
    bias, input_bias = numbers(3 * units, seed=4), numbers(3 * units, seed=5)
    given = {"x": x, "initial_h": h, "weight_ih": weights[0], "weight_hh": weights[1]}
    given |= {"bias": bias} if biases[0] else {}
    given |= {"input_bias": input_bias} if biases[1] else {}
    sequence, last = compute(
        "gru",
        **given,
        direction=direction,
        output_sequence=every,
        recurrent_activation=activations[0],
        activation=activations[1],
    )
    states = gru(steps(x, direction), h, *weights, biases[0] * bias + biases[1] * input_bias, *activations)
    assert sequence.shape == (length if every else 1, batch, units)
    np.testing.assert_allclose(sequence, chosen(states, every), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(last, states[-1], rtol=1e-4, atol=1e-5)


def lstm(
    x: Array, state: tuple[Array, Array], weights: tuple[Array, Array, Array, Array], kinds: tuple[str, str, str], clip: float
) -> States:
    """Hidden states and cell states; weights are of the input, the state, the bias and the peephole."""
    f, g, k = (ACTIVATIONS[kind] for kind in kinds)
    wi, wf, wo, wz = (of_gate(weights[0], 4, each) for each in range(4))
    ui, uf, uo, uz = (of_gate(weights[1], 4, each) for each in range(4))
    bi, bf, bo, bz = (of_gate(weights[2], 4, each) for each in range(4))
    pi, pf, po = (of_gate(weights[3], 3, each) for each in range(3))
    h, c = (each.astype(np.float64) for each in state)
    hs, cs = [], []
    for step in x.astype(np.float64):
        i = f(step @ wi.T + h @ ui.T + bi + pi * c)
        forget = f(step @ wf.T + h @ uf.T + bf + pf * c)
        z = g(step @ wz.T + h @ uz.T + bz)
        c = np.minimum(np.maximum(forget * c + i * z, -clip), clip)
        o = f(step @ wo.T + h @ uo.T + bo + po * c)
        h = o * k(c)
        hs.append(h)
        cs.append(c)
    return hs, cs


def lstm_weights(inputs: int, units: int, has_bias: bool, has_peephole: bool, seed: int) -> tuple[Array, Array, Array, Array]:
    return (
        numbers(4 * units, inputs, seed=seed),
        numbers(4 * units, units, seed=seed + 1),
        has_bias * numbers(4 * units, seed=seed + 2),
        has_peephole * numbers(3 * units, seed=seed + 3),
    )


@given(
    sizes=SIZES,
    direction=st.sampled_from(["forward", "reverse", "bidirectional"]),
    every=st.booleans(),
    kinds=st.tuples(
        st.sampled_from(["sigmoid", "hard_sigmoid"]), st.sampled_from(["tanh", "linear"]), st.sampled_from(["tanh", "relu"])
    ),
    has_bias=st.booleans(),
    has_peephole=st.booleans(),
    clip=st.sampled_from([None, 0.3]),
)
def test_lstm(
    compute: Any,
    sizes: tuple[int, ...],
    direction: str,
    every: bool,
    kinds: tuple[str, str, str],
    has_bias: bool,
    has_peephole: bool,
    clip: float | None,
) -> None:
    length, batch, inputs, units = sizes
    ways = 2 if direction == "bidirectional" else 1
    x, h, c = numbers(length, batch, inputs), numbers(batch, ways * units, seed=1), numbers(batch, ways * units, seed=2)
    names = ["weight_ih", "weight_hh", *["bias"] * has_bias, *["peephole"] * has_peephole]
    weights = [lstm_weights(inputs, units, has_bias, has_peephole, seed=10 * way) for way in range(ways)]
    given: dict[str, Any] = {
        "x": x,
        "initial_h": h,
        "initial_c": c,
        "direction": direction,
        "output_sequence": every,
        "clip": clip,
    }
    for way, suffix in zip(weights, ("", "_back"), strict=False):
        parts = dict(zip(("weight_ih", "weight_hh", "bias", "peephole"), way, strict=True))
        given |= {name + suffix: parts[name] for name in names}
    given |= dict(zip(("recurrent_activation", "cell_activation", "activation"), kinds, strict=True))
    answers = compute("lstm", **given)
    bound = np.inf if clip is None else clip
    if ways == 1:
        hs, cs = lstm(steps(x, direction), (h, c), weights[0], kinds, bound)
        expected = chosen(hs, every), hs[-1], cs[-1]
    else:
        there = lstm(x, (h[:, :units], c[:, :units]), weights[0], kinds, bound)
        back = lstm(x[::-1], (h[:, units:], c[:, units:]), weights[1], kinds, bound)
        sequence = back[0][::-1] if every else back[0]  # in the order of x again
        expected = (
            np.concatenate((chosen(there[0], every), chosen(sequence, every)), -1),
            np.concatenate((there[0][-1], back[0][-1]), -1),
            np.concatenate((there[1][-1], back[1][-1]), -1),
        )
    for answer, each in zip(answers, expected, strict=True):
        assert answer.shape == each.shape
        np.testing.assert_allclose(answer, each, rtol=1e-4, atol=1e-5)


def test_in_a_package(run: Any) -> None:
    """Every operator, its constants bound, its outputs in order."""
    x, h, c = numbers(3, 2, 4), numbers(2, 5, seed=1), numbers(2, 5, seed=2)
    weights, back = lstm_weights(4, 5, True, True, seed=10), lstm_weights(4, 5, True, True, seed=20)

    def body(x: Any, h: Any, c: Any) -> Any:
        both = {"initial_h": mb.concat(values=(h, c), axis=1), "initial_c": mb.concat(values=(c, h), axis=1)}
        return (
            *mb.rnn(
                x=x, initial_h=h, weight_ih=weights[0][:5], weight_hh=weights[1][:5], bias=weights[2][:5], output_sequence=True
            ),
            *mb.gru(x=x, initial_h=h, weight_ih=weights[0][:15], weight_hh=weights[1][:15], direction="reverse"),
            *mb.lstm(
                x=x,
                **both,
                weight_ih=weights[0],
                weight_hh=weights[1],
                bias=weights[2],
                peephole=weights[3],
                weight_ih_back=back[0],
                weight_hh_back=back[1],
                bias_back=back[2],
                peephole_back=back[3],
                direction="bidirectional",
                output_sequence=True,
                clip=0.25,
            ),
        )

    answers = run(body, x=x, h=h, c=c)
    simple = rnn(x, h, weights[0][:5], weights[1][:5], weights[2][:5], "tanh")
    gated = gru(x[::-1], h, weights[0][:15], weights[1][:15], np.zeros(15, np.float32), "sigmoid", "tanh")
    kinds = ("sigmoid", "tanh", "tanh")
    there, away = lstm(x, (h, c), weights, kinds, 0.25), lstm(x[::-1], (c, h), back, kinds, 0.25)
    expected = [
        np.stack(simple),
        simple[-1],
        gated[-1][None],
        gated[-1],
        np.concatenate((there[0], away[0][::-1]), -1),
        np.concatenate((there[0][-1], away[0][-1]), -1),
        np.concatenate((there[1][-1], away[1][-1]), -1),
    ]
    for answer, each in zip(answers, expected, strict=True):
        assert answer.shape == np.shape(each)
        np.testing.assert_allclose(answer, each, rtol=1e-5, atol=1e-5)


def test_float16_since_ios_17(run: Any) -> None:
    """What comes out is rounded, the state between the steps is not: the operator computes in float32."""
    x, h = numbers(3, 2, 4).astype(np.float16), numbers(2, 5, seed=1).astype(np.float16)
    weight_ih, weight_hh = numbers(5, 4, seed=2).astype(np.float16), numbers(5, 5, seed=3).astype(np.float16)
    sequence, last = run(
        lambda x, h: mb.rnn(x=x, initial_h=h, weight_ih=weight_ih, weight_hh=weight_hh, output_sequence=True),
        mode="float16",
        opset=ct.target.iOS17,
        x=x,
        h=h,
    )
    states = rnn(x, h, weight_ih.astype(np.float64), weight_hh.astype(np.float64), np.zeros(5), "tanh")
    assert sequence.dtype == last.dtype == np.float16
    np.testing.assert_allclose(sequence, np.stack(states), rtol=2**-10)


WEIGHTS = {"weight_ih": numbers(12, 4), "weight_hh": numbers(12, 3)}
START = {"x": numbers(2, 2, 4), "initial_h": numbers(2, 3), "initial_c": numbers(2, 3)}


@pytest.mark.parametrize(
    "changed",
    [
        {"initial_h": numbers(1, 3)},
        {"initial_c": numbers(3)},
        {"x": numbers(2, 4)},
        {"weight_ih": numbers(1, 4)},
        {"weight_hh": numbers(9, 3)},
        {"bias": numbers(1)},
        {"peephole": numbers(10)},
        {"direction": "bidirectional"},
        {"direction": "bidirectional", "weight_ih_back": WEIGHTS["weight_ih"], "weight_hh_back": WEIGHTS["weight_hh"]},
    ],
    ids="-".join,
)
def test_lstm_refuses_what_does_not_fit(compute: Any, changed: dict[str, Any]) -> None:
    compute("lstm", **START, **WEIGHTS)
    with pytest.raises(ValueError, match=r"shape|axes|bidirectional"):
        compute("lstm", **{**START, **WEIGHTS, **changed})


def test_gru_refuses_what_core_ml_gets_wrong(compute: Any) -> None:
    x, h, weights = numbers(2, 2, 4), numbers(2, 4), numbers(12, 4)
    given = {"x": x, "initial_h": h, "weight_ih": weights, "weight_hh": weights}
    with pytest.raises(ValueError, match="reset_after"):
        compute("gru", **given, reset_after=True)
    with pytest.raises(ValueError, match="bias"):
        compute("gru", **given, input_bias=numbers(1))
