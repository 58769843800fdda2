"""A spec as a torch module. One block class reads every row of every table."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from edgekit.mobilenet.spec import Activation, Block, MobileNetSpec, Padding, padding_before_after

ACTIVATIONS: dict[Activation, Callable[[], nn.Module]] = {
    "relu": nn.ReLU,
    "relu6": nn.ReLU6,
    "hard_swish": nn.Hardswish,
}


class ConvUnit(nn.Module):
    """Convolution, batch norm and activation; pads as PyTorch or as TensorFlow does."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        spec: MobileNetSpec,
        activation: Activation | None,
        kernel: int = 1,
        stride: int = 1,
        groups: int = 1,
    ) -> None:
        super().__init__()
        self.padding: Padding = spec.padding
        self.conv = nn.Conv2d(in_channels, out_channels, kernel, stride, groups=groups, bias=False)
        self.norm: nn.Module = nn.BatchNorm2d(out_channels, eps=spec.norm_eps)
        self.activation = ACTIVATIONS[activation]() if activation else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """Float NCHW in, float NCHW out."""
        conv = self.conv
        top, bottom = self._padding(x.shape[-2])
        left, right = self._padding(x.shape[-1])
        if (top, left) != (bottom, right):  # a pad of its own only where the convolution cannot express it
            x = functional.pad(x, (left, right, top, bottom))
            top = left = 0
        x = functional.conv2d(x, conv.weight, conv.bias, conv.stride, (top, left), conv.dilation, conv.groups)
        return cast(Tensor, self.activation(self.norm(x)))

    def _padding(self, size: int) -> tuple[int, int]:
        return padding_before_after(size, kernel=self.conv.kernel_size[0], stride=self.conv.stride[0], padding=self.padding)


class SqueezeExcite(nn.Module):
    """Channel attention with V3's hard sigmoid (arXiv:1905.02244, section 5.3)."""

    def __init__(self, channels: int, squeeze_channels: int) -> None:
        super().__init__()
        self.reduce = nn.Conv2d(channels, squeeze_channels, 1)
        self.expand = nn.Conv2d(squeeze_channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Float NCHW in, the same shape out."""
        scale = functional.adaptive_avg_pool2d(x, 1)
        scale = self.expand(functional.relu(self.reduce(scale)))
        return x * functional.hardsigmoid(scale)


class Bottleneck(nn.Module):
    """[expand] -> depthwise -> [squeeze-excite] -> pointwise, with a shortcut where the block has one."""

    def __init__(self, block: Block, spec: MobileNetSpec) -> None:
        super().__init__()
        self.has_shortcut = block.has_shortcut
        if block.expands:
            self.expand: nn.Module = ConvUnit(block.in_channels, block.expanded_channels, spec=spec, activation=block.activation)
        else:
            self.expand = nn.Identity()
        self.depthwise = ConvUnit(
            block.expanded_channels,
            block.expanded_channels,
            spec=spec,
            activation=block.activation,
            kernel=block.kernel,
            stride=block.stride,
            groups=block.expanded_channels,
        )
        self.squeeze = SqueezeExcite(block.expanded_channels, block.squeeze_channels) if block.squeeze_channels else nn.Identity()
        self.pointwise = ConvUnit(
            block.expanded_channels,
            block.out_channels,
            spec=spec,
            activation=None if block.projects_linearly else block.activation,
        )

    def forward(self, x: Tensor) -> Tensor:
        """Float NCHW in, float NCHW out."""
        y = self.pointwise(self.squeeze(self.depthwise(self.expand(x))))
        return x + y if self.has_shortcut else cast(Tensor, y)


class MobileNet(nn.Module):
    """The classifier that a spec describes.

    `forward` takes float NCHW `(N, input_channels, resolution, resolution)`, already normalised, and returns the logits
    `(N, classes)`.
    """

    output_names = ("logits",)

    def __init__(self, spec: MobileNetSpec) -> None:
        super().__init__()
        self.spec = spec
        self.stem = ConvUnit(
            spec.input_channels, spec.stem_channels, spec=spec, activation=spec.stem_activation, kernel=3, stride=2
        )
        self.blocks = nn.Sequential(*(Bottleneck(block, spec) for block in spec.blocks()))
        features = spec.blocks()[-1].out_channels
        if spec.head_channels:
            self.head: nn.Module = ConvUnit(features, spec.head_channels, spec=spec, activation=spec.stem_activation)
        else:
            self.head = nn.Identity()
        features = spec.feature_channels
        if spec.hidden_features:
            self.hidden: nn.Module = nn.Linear(features, spec.hidden_features)
            self.hidden_activation: nn.Module = nn.Hardswish()
            features = spec.hidden_features
        else:
            self.hidden, self.hidden_activation = nn.Identity(), nn.Identity()
        self.classifier = nn.Linear(features, spec.classes)

    def forward(self, image_nchw: Tensor) -> Tensor:
        """Normalised image in, logits out."""
        x = self.head(self.blocks(self.stem(image_nchw)))
        x = torch.flatten(functional.adaptive_avg_pool2d(x, 1), 1)
        return cast(Tensor, self.classifier(self.hidden_activation(self.hidden(x))))
