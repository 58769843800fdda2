"""Recurrent networks over a sequence x of [S, B, I].

Where the documentation of the MIL operators is silent or wrong, what is done here is what coremltools' tests expect of Core ML
(mil/ops/tests/iOS14/test_recurrent.py) and what the documentation of the layers of neural networks says
(mlmodel/format/NeuralNetwork.proto, "Recurrent Layers"). The latter also limits what goes into an activation to -50 and 50; the
MIL operators do not, and nor does this, which makes no difference to sigmoid and tanh.

The outputs are the states at every step, or at the last one alone, and the state after the last step. Going in reverse, the first
step is the last of the sequence, and the first output is its own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

from edgekit_coreml.reference.ops.registry import op

_Activation = Literal["linear", "relu", "sigmoid", "tanh", "hard_sigmoid", "sigmoid_hard"]
_Direction = Literal["forward", "reverse"]


def _hard_sigmoid(x: Tensor) -> Tensor:
    return (0.2 * x + 0.5).clamp_(0, 1)


_ACTIVATIONS: dict[_Activation, Callable[[Tensor], Tensor]] = {
    "linear": lambda x: x,
    "relu": torch.relu,
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "hard_sigmoid": _hard_sigmoid,
    "sigmoid_hard": _hard_sigmoid,
}


@op("rnn")
def rnn(
    x: Tensor,
    initial_h: Tensor,
    weight_ih: Tensor,
    weight_hh: Tensor,
    bias: Tensor | None = None,
    direction: _Direction = "forward",
    output_sequence: bool = False,
    activation: _Activation = "tanh",
) -> tuple[Tensor, Tensor]:
    """h = activation(W_ih x + W_hh h + b), with weights of [H, I] and [H, H].

    Raises:
        ValueError: an activation is scaled_tanh, whose factors are 1 and 1 in coremltools' tests, 1.7159 and 2/3 in the
            documentation of neural networks; or shapes do not fit together.
    """
    _check(1, x, initial_h, weight_ih, weight_hh, bias)
    h, states = initial_h, []
    for projected in functional.linear(_ordered(x, direction), weight_ih, bias):
        h = _ACTIVATIONS[activation](projected + functional.linear(h, weight_hh))
        states.append(h)
    return _sequence(states, output_sequence), h


@op("gru")
def gru(  # noqa: PLR0913, PLR0917 (MIL's inputs)
    x: Tensor,
    initial_h: Tensor,
    weight_ih: Tensor,
    weight_hh: Tensor,
    bias: Tensor | None = None,
    direction: _Direction = "forward",
    output_sequence: bool = False,
    recurrent_activation: _Activation = "sigmoid",
    activation: _Activation = "tanh",
    reset_after: bool = False,
    input_bias: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Gated recurrent unit, with weights for the gates r, o, z in this order.

    r = f(W_ir x + W_hr h + b_r), z = f(W_iz x + W_hz h + b_z), o = g(W_io x + W_ho (r * h) + b_o), h = (1 - z) * o + z * h

    The documentation writes r * W_ho h. Core ML resets the state before the product: both sources of this module.

    Raises:
        ValueError: reset_after is set. The documentation says that it resets before the product, its name says after, and
            coremltools' own test of it fails (rdar://128479517 in mil/ops/tests/iOS18/test_recurrent.py). Or as for rnn.
    """
    if reset_after:
        raise ValueError("reset_after: its documentation contradicts its name, and coremltools' own test of it fails on Core ML")
    for each in (bias, input_bias):
        _check(3, x, initial_h, weight_ih, weight_hh, each)
    h, states = initial_h, []
    gate, new = _ACTIVATIONS[recurrent_activation], _ACTIVATIONS[activation]
    weight_r, weight_o, weight_z = weight_hh.chunk(3)
    inputs = functional.linear(_ordered(x, direction), weight_ih, bias)
    for projected in inputs if input_bias is None else inputs + input_bias:
        input_r, input_o, input_z = projected.chunk(3, -1)
        r = gate(input_r + functional.linear(h, weight_r))
        z = gate(input_z + functional.linear(h, weight_z))
        o = new(input_o + functional.linear(r * h, weight_o))
        h = (1 - z) * o + z * h
        states.append(h)
    return _sequence(states, output_sequence), h


@op("lstm")
def lstm(  # noqa: PLR0913, PLR0917 (MIL's inputs)
    x: Tensor,
    initial_h: Tensor,
    initial_c: Tensor,
    weight_ih: Tensor,
    weight_hh: Tensor,
    bias: Tensor | None = None,
    peephole: Tensor | None = None,
    weight_ih_back: Tensor | None = None,
    weight_hh_back: Tensor | None = None,
    bias_back: Tensor | None = None,
    peephole_back: Tensor | None = None,
    direction: Literal["forward", "reverse", "bidirectional"] = "forward",
    output_sequence: bool = False,
    recurrent_activation: _Activation = "sigmoid",
    cell_activation: _Activation = "tanh",
    activation: _Activation = "tanh",
    clip: float | None = None,
) -> tuple[Tensor, Tensor, Tensor]:
    """Long short-term memory, with weights for the gates i, f, o, z in this order, and of the peephole for i, f, o.

    i = f(W_ii x + W_hi h + p_i * c + b_i), f = f(W_if x + W_hf h + p_f * c + b_f), z = g(W_iz x + W_hz h + b_z),
    c = clip(f * c + i * z), o = f(W_io x + W_ho h + p_o * c + b_o), h = o * k(c)

    The documentation says of clip that it limits the cell gate, which is z; by both sources of this module it limits the state c.
    Both directions give [forward, backward] along the last axis, the backward states in the order of the sequence.

    Raises:
        ValueError: bidirectional without weights of the way back; or as for rnn.
    """
    gate, new, out = _ACTIVATIONS[recurrent_activation], _ACTIVATIONS[cell_activation], _ACTIVATIONS[activation]
    cell = _Cell(weight_ih, weight_hh, bias, peephole, gate, new, out, clip)
    if direction != "bidirectional":
        states, h, c = cell.run(_ordered(x, direction), initial_h, initial_c)
        return _sequence(states, output_sequence), h, c
    if weight_ih_back is None or weight_hh_back is None:
        raise ValueError("bidirectional needs weight_ih_back and weight_hh_back")
    back = _Cell(weight_ih_back, weight_hh_back, bias_back, peephole_back, gate, new, out, clip)
    (h, h_back), (c, c_back) = (each.chunk(2, -1) for each in (initial_h, initial_c))
    states, h, c = cell.run(x, h, c)
    states_back, h_back, c_back = back.run(x.flip(0), h_back, c_back)
    if output_sequence:
        states_back.reverse()
    both = torch.cat((_sequence(states, output_sequence), _sequence(states_back, output_sequence)), -1)
    return both, torch.cat((h, h_back), -1), torch.cat((c, c_back), -1)


@dataclass(frozen=True, slots=True)
class _Cell:
    """One direction of an LSTM."""

    weight_ih: Tensor
    weight_hh: Tensor
    bias: Tensor | None
    peephole: Tensor | None
    gate: Callable[[Tensor], Tensor]
    new: Callable[[Tensor], Tensor]
    out: Callable[[Tensor], Tensor]
    clip: float | None

    def run(self, x: Tensor, h: Tensor, c: Tensor) -> tuple[list[Tensor], Tensor, Tensor]:
        """Give the hidden state at every step, and both states after the last."""
        for state in (h, c):
            _check(4, x, state, self.weight_ih, self.weight_hh, self.bias)
        states, size = [], self.weight_hh.shape[1]
        peephole = self.weight_hh.new_zeros(3 * size) if self.peephole is None else self.peephole
        if peephole.shape != (3 * size,):
            raise ValueError(f"the peephole has shape {list(peephole.shape)}, not [{3 * size}]")
        see_i, see_f, see_o = peephole.chunk(3)
        for projected in functional.linear(x, self.weight_ih, self.bias):
            i, f, o, z = (projected + functional.linear(h, self.weight_hh)).chunk(4, -1)
            c = self.gate(f + see_f * c) * c + self.gate(i + see_i * c) * self.new(z)
            if self.clip is not None:
                c = c.clamp(-self.clip, self.clip)
            h = self.gate(o + see_o * c) * self.out(c)
            states.append(h)
        return states, h, c


def _ordered(x: Tensor, direction: _Direction) -> Tensor:
    return x.flip(0) if direction == "reverse" else x


def _check(gates: int, x: Tensor, state: Tensor, weight_ih: Tensor, weight_hh: Tensor, bias: Tensor | None) -> None:
    """Refuse shapes that would broadcast."""
    if x.ndim != 3:
        raise ValueError(f"x has {x.ndim} axes, not three")
    size = weight_hh.shape[-1]
    rows = gates * size
    for name, value, shape in (
        ("state", state, (x.shape[1], size)),
        ("weight_ih", weight_ih, (rows, x.shape[2])),
        ("weight_hh", weight_hh, (rows, size)),
        ("bias", bias, (rows,)),
    ):
        if value is not None and value.shape != shape:
            raise ValueError(f"the {name} has shape {list(value.shape)}, not {list(shape)}")


def _sequence(states: list[Tensor], output_sequence: bool) -> Tensor:
    return torch.stack(states if output_sequence else states[-1:])
