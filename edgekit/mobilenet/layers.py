"""Every layer of a spec with its shape, parameters and multiply-accumulates. No torch: this is arithmetic on the tables."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from edgekit.mobilenet.spec import MobileNetSpec


@dataclass(frozen=True, slots=True)
class Layer:
    """One convolution or fully connected layer with its batch norm.

    Attributes:
        name: of the module in the network.
        kind: "conv", "depthwise", "pointwise", "squeeze" (both halves of a squeeze-excite) or "linear".
        kernel: side of the filter in pixels; 0 for a linear layer.
        stride: of the convolution.
        in_channels: channels that come in.
        out_channels: channels that go out.
        out_size: height and width of the output in pixels; 1 after the pooling.
        parameters: weights, biases, and the scale and shift of the batch norm.
        macs: multiply-accumulates for one image, batch norm folded.
    """

    name: str
    kind: str
    kernel: int
    stride: int
    in_channels: int
    out_channels: int
    out_size: int
    parameters: int
    macs: int


@dataclass(frozen=True, slots=True)
class SeparableCost:
    """Depthwise-separable against standard convolution, section 3.1 of arXiv:1704.04861.

    Attributes:
        block: index of the block.
        separable_macs: D_K^2 * M * D_F^2 + M * N * D_F^2.
        standard_macs: D_K^2 * M * N * D_F^2, with the same kernel D_K, channels M and N and output size D_F.
    """

    block: int
    separable_macs: int
    standard_macs: int

    @property
    def ratio(self) -> float:
        """Separable over standard: 1/N + 1/D_K^2."""
        return self.separable_macs / self.standard_macs


def list_layers(spec: MobileNetSpec) -> tuple[Layer, ...]:
    """Every layer in the order of execution."""
    return tuple(_layers(spec))


def separable_costs(spec: MobileNetSpec) -> tuple[SeparableCost, ...]:
    """What each block's depthwise and pointwise halves cost, and one standard convolution in their place would."""
    size, costs = _halved(spec.resolution), []
    for i, block in enumerate(spec.blocks()):
        size = -(-size // block.stride)
        m, n, area = block.expanded_channels, block.out_channels, size * size
        depthwise, standard = block.kernel**2 * m * area, block.kernel**2 * m * n * area
        costs.append(SeparableCost(i, depthwise + m * n * area, standard))
    return tuple(costs)


def _layers(spec: MobileNetSpec) -> Iterator[Layer]:
    size = _halved(spec.resolution)
    yield _conv("stem", spec.input_channels, spec.stem_channels, size, kernel=3, stride=2)
    for i, block in enumerate(spec.blocks()):
        if block.expands:
            yield _conv(f"blocks.{i}.expand", block.in_channels, block.expanded_channels, size)
        size = -(-size // block.stride)
        channels = block.expanded_channels
        yield Layer(
            f"blocks.{i}.depthwise",
            "depthwise",
            block.kernel,
            block.stride,
            channels,
            channels,
            size,
            channels * block.kernel**2 + 2 * channels,
            channels * block.kernel**2 * size**2,
        )
        if squeeze := block.squeeze_channels:
            weights = 2 * channels * squeeze
            yield Layer(f"blocks.{i}.squeeze", "squeeze", 1, 1, channels, channels, 1, weights + squeeze + channels, weights)
        yield _conv(f"blocks.{i}.pointwise", channels, block.out_channels, size)
    features = spec.blocks()[-1].out_channels
    if spec.head_channels:
        yield _conv("head", features, spec.head_channels, size)
    features = spec.feature_channels
    if spec.hidden_features:
        yield _linear("hidden", features, spec.hidden_features)
        features = spec.hidden_features
    yield _linear("classifier", features, spec.classes)


def _conv(name: str, m: int, n: int, size: int, *, kernel: int = 1, stride: int = 1) -> Layer:
    weights = m * n * kernel**2
    kind = "pointwise" if kernel == 1 else "conv"
    return Layer(name, kind, kernel, stride, m, n, size, weights + 2 * n, weights * size**2)


def _linear(name: str, m: int, n: int) -> Layer:
    return Layer(name, "linear", 0, 1, m, n, 1, m * n + n, m * n)


def _halved(size: int) -> int:
    """Both paddings give a 3x3 stride-2 convolution ceil(size / 2) outputs."""
    return -(-size // 2)
