"""Writes a network down operator by operator, following the shape of the tensor in hand."""

from __future__ import annotations

from edgekit.projection.workload import Kind, Operator, Workload, add_up

FUSED = (None, "relu", "relu6", "leaky")  # activations that runtimes compute with the layer before


class Tape:
    """The operators of a network so far, and the shape of the tensor that the next one reads.

    Attributes:
        size: height and width in pixels.
        channels: of the tensor in hand.
        operators: in the order written.
    """

    def __init__(self, size: int, channels: int = 3) -> None:
        self.size = size
        self.channels = channels
        self.operators: list[Operator] = []

    @property
    def elements(self) -> int:
        """Of the tensor in hand."""
        return self.size * self.size * self.channels

    @property
    def workload(self) -> Workload:
        """All that was written."""
        return add_up(self.operators)

    def back(self, size: int, channels: int) -> Tape:
        """Take up another tensor: the start of a branch."""
        self.size, self.channels = size, channels
        return self

    def conv(
        self,
        out: int,
        kernel: int | tuple[int, int] = 1,
        stride: int = 1,
        *,
        groups: int = 1,
        act: str | None = None,
        valid: bool = False,
    ) -> Tape:
        """A convolution with its folded batch norm; `valid` is without padding."""
        tall, wide = kernel if isinstance(kernel, tuple) else (kernel, kernel)
        inputs = self.elements
        weights = self.channels // groups * out * tall * wide
        kind: Kind
        if groups > 4:  # a few groups run as so many ordinary convolutions
            kind = "grouped" if groups != self.channels else "depthwise3" if tall <= 3 else "depthwise5"
        elif tall == wide == 1:
            kind = "pointwise"
        elif self.channels <= 4:
            kind = "stem"
        else:
            kind = "conv3" if tall == wide == 3 and stride == 1 else "conv"
        self.size = (self.size - max(tall, wide)) // stride + 1 if valid else -(-self.size // stride)
        self.channels = out
        macs = weights * self.size * self.size
        tiled = weights // 9 * min(36 * (-(-self.size // 4)) ** 2, 64 * (-(-self.size // 6)) ** 2) if kind == "conv3" else 0
        ragged, unrolled = macs if out % 4 else 0, macs // out if kind in ("conv", "conv3") else 0
        self.operators.append(Operator(kind, macs, weights, inputs, self.elements, tiled, ragged, unrolled))
        return self.act(act)

    def depthwise(self, kernel: int = 3, stride: int = 1, *, act: str | None = None) -> Tape:
        """A depthwise convolution."""
        return self.conv(self.channels, kernel, stride, groups=self.channels, act=act)

    def linear(self, out: int, act: str | None = None) -> Tape:
        """A fully connected layer; on more positions than one, each token of a transformer, it is a pointwise convolution."""
        weights, positions = self.channels * out, self.size * self.size
        kind: Kind = "linear" if positions == 1 else "pointwise"
        self.operators.append(Operator(kind, weights * positions, weights, self.elements, positions * out))
        self.channels = out
        return self.act(act)

    def flatten(self) -> Tape:
        """All elements as the channels of one position."""
        return self.back(1, self.elements)

    def act(self, name: str | None) -> Tape:
        """An activation, if it is one that costs anything."""
        if name in FUSED:
            return self
        return self.touch("elementwise" if name == "hard_swish" else "activation")

    def touch(self, kind: Kind, reads: int = 1) -> Tape:
        """Something elementwise: `reads` tensors like the one in hand go in, one comes out."""
        self.operators.append(Operator(kind, 0, 0, reads * self.elements, self.elements))
        return self

    def add(self, act: str | None = None) -> Tape:
        """A shortcut's sum."""
        return self.touch("elementwise", 2).act(act)

    def concat(self, channels: int) -> Tape:
        """Join branches to this many channels."""
        self.channels = channels
        return self.touch("join")

    def pool(self, kernel: int, stride: int, *, valid: bool = False, up: bool = False) -> Tape:
        """Maximum or average over windows, `valid` without padding; `up`: so, but the last window may hang over, as in Caffe."""
        span = self.size - kernel
        self.size = -(-span // stride) + 1 if up else span // stride + 1 if valid else -(-self.size // stride)
        self.operators.append(Operator("pool", 0, 0, self.elements * kernel**2, self.elements))
        return self

    def global_pool(self) -> Tape:
        """Average over all positions."""
        inputs = self.elements
        self.size = 1
        self.operators.append(Operator("pool", 0, 0, inputs, self.channels))
        return self

    def detect(self, boxes: int, values: int) -> Tape:
        """A detector's last step: so many boxes, each with so many values."""
        self.operators.append(Operator("detect", 0, 0, boxes * values, boxes))
        return self

    def upsample(self) -> Tape:
        """Twice the height and width."""
        self.size *= 2
        return self.touch("move")

    def squeeze_excite(self, squeezed: int) -> Tape:
        """Weigh the channels by two small layers on their means (arXiv:1709.01507)."""
        weights = 2 * self.channels * squeezed
        self.operators.append(Operator("squeeze", weights, weights, 2 * self.elements, self.elements))
        return self

    def attention(self, heads: int, key: int, value: int, tokens: int | None = None) -> Tape:
        """Queries by keys, softmax, by values: `key` and `value` channels a head; the projections are layers of their own."""
        here = self.size * self.size
        there = tokens or here
        scores = heads * here * there
        self.operators.append(Operator("matmul", scores * key, 0, heads * key * (here + there), scores, matrices=heads))
        self.operators.append(Operator("norm", 0, 0, scores, scores))
        weighed, summed = scores + heads * value * there, heads * value * here
        self.operators.append(Operator("matmul", scores * value, 0, weighed, summed, matrices=heads))
        self.channels = heads * value
        return self
