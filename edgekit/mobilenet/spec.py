"""MobileNet V1, V2 and V3 as the papers print them, and the geometry that follows from them. No torch here.

Each table keeps the column order of its paper, so that it can be checked against the page:

* V1: Howard et al. 2017, "MobileNets", arXiv:1704.04861, table 1.
* V2: Sandler et al. 2018, "MobileNetV2", arXiv:1801.04381, table 2.
* V3: Howard et al. 2019, "Searching for MobileNetV3", arXiv:1905.02244, tables 1 and 2.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple

from edgekit.errors import UsageError

Version = Literal["v1", "v2", "v3_small", "v3_large"]
Padding = Literal["symmetric", "same"]
Activation = Literal["relu", "relu6", "hard_swish"]

PADDINGS: tuple[Padding, ...] = ("symmetric", "same")
VERSIONS: tuple[Version, ...] = ("v1", "v2", "v3_small", "v3_large")


class V1Row(NamedTuple):
    """A depthwise-separable pair of table 1: stride of the depthwise half, filters of the pointwise half."""

    s: int
    c: int


class V2Row(NamedTuple):
    """A line of table 2: expansion factor, output channels, repetitions, stride of the first repetition."""

    t: int
    c: int
    n: int
    s: int


class V3Row(NamedTuple):
    """A bneck line of tables 1 and 2: kernel, expanded channels, output channels, squeeze-excite, non-linearity, stride."""

    k: int
    exp: int
    out: int
    se: bool
    nl: Literal["RE", "HS"]
    s: int


V1_TABLE = (
    V1Row(1, 64),
    V1Row(2, 128),
    V1Row(1, 128),
    V1Row(2, 256),
    V1Row(1, 256),
    V1Row(2, 512),
    *[V1Row(1, 512)] * 5,
    V1Row(2, 1024),
    V1Row(1, 1024),  # the paper prints s2 here; its feature map stays 7x7, and every released checkpoint uses 1
)

V2_TABLE = (
    V2Row(1, 16, 1, 1),
    V2Row(6, 24, 2, 2),
    V2Row(6, 32, 3, 2),
    V2Row(6, 64, 4, 2),
    V2Row(6, 96, 3, 1),
    V2Row(6, 160, 3, 2),
    V2Row(6, 320, 1, 1),
)

V3_LARGE_TABLE = (
    V3Row(3, 16, 16, False, "RE", 1),
    V3Row(3, 64, 24, False, "RE", 2),
    V3Row(3, 72, 24, False, "RE", 1),
    V3Row(5, 72, 40, True, "RE", 2),
    V3Row(5, 120, 40, True, "RE", 1),
    V3Row(5, 120, 40, True, "RE", 1),
    V3Row(3, 240, 80, False, "HS", 2),
    V3Row(3, 200, 80, False, "HS", 1),
    V3Row(3, 184, 80, False, "HS", 1),
    V3Row(3, 184, 80, False, "HS", 1),
    V3Row(3, 480, 112, True, "HS", 1),
    V3Row(3, 672, 112, True, "HS", 1),
    V3Row(5, 672, 160, True, "HS", 2),
    V3Row(5, 960, 160, True, "HS", 1),
    V3Row(5, 960, 160, True, "HS", 1),
)

V3_SMALL_TABLE = (
    V3Row(3, 16, 16, True, "RE", 2),
    V3Row(3, 72, 24, False, "RE", 2),
    V3Row(3, 88, 24, False, "RE", 1),
    V3Row(5, 96, 40, True, "HS", 2),
    V3Row(5, 240, 40, True, "HS", 1),
    V3Row(5, 240, 40, True, "HS", 1),
    V3Row(5, 120, 48, True, "HS", 1),
    V3Row(5, 144, 48, True, "HS", 1),
    V3Row(5, 288, 96, True, "HS", 2),
    V3Row(5, 576, 96, True, "HS", 1),
    V3Row(5, 576, 96, True, "HS", 1),
)


def round_channels(channels: float, divisor: int = 8) -> int:
    """Round to a multiple of `divisor`, never down by more than 10 % (the rule of Google's released V2 and V3 code)."""
    rounded = max(divisor, int(channels + divisor / 2) // divisor * divisor)
    return rounded + divisor if rounded < 0.9 * channels else rounded


@dataclass(frozen=True, slots=True)
class Block:
    """One row of a table with its channels worked out: [expand 1x1] -> depthwise -> [squeeze-excite] -> pointwise.

    A V1 block is the case without expansion, squeeze-excite and shortcut, whose pointwise half has an activation.
    """

    in_channels: int
    expanded_channels: int
    out_channels: int
    kernel: int
    stride: int
    expands: bool
    squeeze_channels: int  # 0: no squeeze-excite
    activation: Activation
    projects_linearly: bool

    @property
    def has_shortcut(self) -> bool:
        """V2 and V3 add the input where shape allows it; V1 never does."""
        return self.projects_linearly and self.stride == 1 and self.in_channels == self.out_channels


@dataclass(frozen=True, slots=True)
class MobileNetSpec:
    """One MobileNet. Everything that decides its shapes and arithmetic, and nothing else.

    Attributes:
        version: the table to read.
        width: channel multiplier, greater than 0.
        resolution: height and width of the input in pixels.
        input_channels: 3 for colour, 1 for grey.
        classes: length of the logits, a background class included where the checkpoint has one.
        padding: "symmetric" as PyTorch pads, "same" as TensorFlow does (one row and column more after than before at
            stride 2 on even sizes).
        norm_eps: added to the variance in every batch norm.
        v1_v2_activation: the rectifier of V1 and V2, "relu6" in the papers, "relu" in some checkpoints. V3 names its own.
    """

    version: Version
    width: float = 1.0
    resolution: int = 224
    input_channels: int = 3
    classes: int = 1000
    padding: Padding = "symmetric"
    norm_eps: float = 1e-5
    v1_v2_activation: Activation = "relu6"

    def __post_init__(self) -> None:
        if self.version not in VERSIONS:
            raise UsageError(f"unknown MobileNet version {self.version!r}: choose one of {', '.join(VERSIONS)}")
        if self.padding not in PADDINGS:
            raise UsageError(f"unknown padding {self.padding!r}: choose one of {', '.join(PADDINGS)}")
        if self.v1_v2_activation not in ("relu", "relu6"):
            raise UsageError(f"unknown activation {self.v1_v2_activation!r} of V1 and V2: choose relu or relu6")
        for name, value in (("width", self.width), ("norm_eps", self.norm_eps)):
            if not 0 < value < 100:
                raise UsageError(f"{name} must be greater than 0 and below 100, not {value}")
        for name, count in (("classes", self.classes), ("input_channels", self.input_channels)):
            if not 0 < count < 1_000_000:
                raise UsageError(f"{name} must be between 1 and 1,000,000, not {count}")
        if not 8 <= self.resolution <= 4096:
            raise UsageError(f"resolution must be between 8 and 4096 pixels, not {self.resolution}")

    @property
    def name(self) -> str:
        """The usual name: `mobilenet_v2_1.0_224`."""
        return f"mobilenet_{self.version}_{self.width:g}_{self.resolution}".replace("_1_", "_1.0_")

    @property
    def is_v3(self) -> bool:
        """Whether rows name their own expansion, activation and squeeze-excite."""
        return self.version.startswith("v3")

    @property
    def stem_channels(self) -> int:
        """Filters of the first 3x3 stride-2 convolution."""
        return self._channels(16 if self.is_v3 else 32)

    @property
    def stem_activation(self) -> Activation:
        """Of the first convolution, and of the head."""
        return "hard_swish" if self.is_v3 else self.v1_v2_activation

    @property
    def head_channels(self) -> int:
        """Filters of the 1x1 convolution before the pooling; 0 for V1, which has none."""
        last = self.blocks()[-1].out_channels
        match self.version:
            case "v1":
                return 0
            case "v2":  # never narrower than 1280: section 4 of the paper
                return round_channels(1280 * max(1.0, self.width))
            case _:
                return 6 * last

    @property
    def hidden_features(self) -> int:
        """Units of the fully connected layer after the pooling; 0 where there is none (V1, V2)."""
        match self.version:
            case "v3_large":
                return round_channels(1280 * self.width)
            case "v3_small":
                return round_channels(1024 * self.width)
            case _:
                return 0

    @property
    def feature_channels(self) -> int:
        """Channels that are pooled: of the head, or of the last block where there is no head."""
        return self.head_channels or self.blocks()[-1].out_channels

    def blocks(self) -> tuple[Block, ...]:
        """The rows between stem and head, channels multiplied by the width and rounded."""
        return tuple(self._blocks())

    def _channels(self, channels: int) -> int:
        if self.version == "v1":  # V1's released code truncates, and keeps at least 8
            return max(8, int(channels * self.width))
        return round_channels(channels * self.width)

    def _blocks(self) -> Iterator[Block]:
        channels = self.stem_channels
        match self.version:
            case "v1":
                for v1 in V1_TABLE:
                    out = self._channels(v1.c)
                    yield Block(channels, channels, out, 3, v1.s, False, 0, self.v1_v2_activation, False)
                    channels = out
            case "v2":
                for v2 in V2_TABLE:
                    out = self._channels(v2.c)
                    for repetition in range(v2.n):
                        stride = v2.s if repetition == 0 else 1
                        yield Block(channels, channels * v2.t, out, 3, stride, v2.t != 1, 0, self.v1_v2_activation, True)
                        channels = out
            case _:
                for v3 in V3_LARGE_TABLE if self.version == "v3_large" else V3_SMALL_TABLE:
                    expanded, out = self._channels(v3.exp), self._channels(v3.out)
                    squeeze = round_channels(expanded // 4) if v3.se else 0
                    activation: Activation = "hard_swish" if v3.nl == "HS" else "relu"
                    yield Block(channels, expanded, out, v3.k, v3.s, expanded != channels, squeeze, activation, True)
                    channels = out


def padding_before_after(size: int, *, kernel: int, stride: int, padding: Padding) -> tuple[int, int]:
    """Rows (or columns) of zeros before and after an axis of `size` pixels.

    "same" is TensorFlow's rule (https://www.tensorflow.org/api_docs/python/tf/nn#notes_on_padding_2).
    """
    if padding == "symmetric":
        return (kernel - 1) // 2, (kernel - 1) // 2
    total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2
