"""What a network asks of a device: per kind of operator the work, the weights and the elements that move. No torch, no numpy."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, get_args

Kind = Literal[
    "stem",  # a k x k convolution on the picture itself (at most 4 channels)
    "conv3",  # 3x3, stride 1: what Winograd's algorithm is for
    "conv",  # any other k x k convolution with all channels connected
    "pointwise",
    "depthwise3",
    "depthwise5",  # 5x5 and larger
    "grouped",
    "linear",
    "squeeze",  # squeeze-excite: pooling, two small layers, one multiplication of the whole map
    "pool",
    "elementwise",  # sums, hard-swish, and what else a few instructions do that is not fused
    "activation",  # one with an exponential in it: swish, sigmoid, GELU
    "join",  # concatenation
    "move",  # shuffle, split, transposition, upsampling
    "matmul",  # activations by activations: attention
    "norm",  # layer norm and softmax, which cannot be folded
    "lrn",  # local response normalisation (AlexNet, GoogLeNet)
    "detect",  # boxes from a detector's maps: decoding, sorting, suppression
]
KINDS: tuple[Kind, ...] = get_args(Kind)


@dataclass(frozen=True, slots=True)
class Operator:
    """One operator at batch 1.

    Attributes:
        kind: what it is.
        macs: multiply-accumulates.
        weights: parameters it reads, biases left out.
        inputs: elements of activations it reads.
        outputs: elements it writes.
        tiled: of a 3x3 convolution of stride 1: multiplications left by Winograd's algorithm, F(4x4, 3x3) or F(6x6, 3x3),
            whichever leaves fewer (arXiv:1509.09308); padding to whole tiles is counted.
        ragged: multiply-accumulates that make a number of channels which four lanes do not divide.
        unrolled: of a k x k convolution with all channels connected: elements of the matrix that a runtime makes of its input to
            multiply it by the weights (im2col), k * k for every element that a window starts at.
        matrices: of a product of activations by activations: how many pairs of matrices are multiplied, one for each head.
    """

    kind: Kind
    macs: int
    weights: int
    inputs: int
    outputs: int
    tiled: int = 0
    ragged: int = 0
    unrolled: int = 0
    matrices: int = 0


@dataclass(frozen=True, slots=True)
class Total:
    """Operators of one kind together; the units of `Operator`."""

    count: int = 0
    macs: int = 0
    weights: int = 0
    inputs: int = 0
    outputs: int = 0
    tiled: int = 0
    ragged: int = 0
    unrolled: int = 0
    matrices: int = 0

    def __add__(self, other: Total) -> Total:
        return Total(
            self.count + other.count,
            self.macs + other.macs,
            self.weights + other.weights,
            self.inputs + other.inputs,
            self.outputs + other.outputs,
            self.tiled + other.tiled,
            self.ragged + other.ragged,
            self.unrolled + other.unrolled,
            self.matrices + other.matrices,
        )


@dataclass(frozen=True, slots=True)
class Workload:
    """A network's operators, added up by kind.

    Attributes:
        totals: of the kinds that occur.
    """

    totals: Mapping[Kind, Total]

    def __add__(self, other: Workload) -> Workload:
        """The network that runs one after the other."""
        return Workload(
            {kind: self.of(kind) + other.of(kind) for kind in KINDS if kind in self.totals or kind in other.totals},
        )

    def of(self, kind: Kind) -> Total:
        """Of one kind; zeros if it does not occur."""
        return self.totals.get(kind, Total())

    @property
    def macs(self) -> int:
        """Multiply-accumulates of the whole network."""
        return sum(total.macs for total in self.totals.values())

    @property
    def weights(self) -> int:
        """Parameters of the whole network, biases left out."""
        return sum(total.weights for total in self.totals.values())

    @property
    def kinds(self) -> frozenset[Kind]:
        """The kinds that occur."""
        return frozenset(self.totals)


def add_up(operators: Iterable[Operator]) -> Workload:
    """Add operators up by kind."""
    totals: dict[Kind, Total] = {}
    for op in operators:
        work = (op.macs, op.weights, op.inputs, op.outputs, op.tiled, op.ragged, op.unrolled, op.matrices)
        totals[op.kind] = totals.get(op.kind, Total()) + Total(1, *work)
    return Workload(totals)
