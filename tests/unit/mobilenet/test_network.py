"""The torch modules: padding as TensorFlow counts it, the papers' activations, and the shapes of inputs and outputs."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from edgekit.mobilenet.network import Bottleneck, ConvUnit, MobileNet, SqueezeExcite
from edgekit.mobilenet.spec import VERSIONS, Activation, MobileNetSpec, Padding, Version


def bare_unit(kernel: int, stride: int, padding: Padding) -> ConvUnit:
    """One channel, no norm, no activation: the convolution and its padding alone."""
    torch.manual_seed(0)
    unit = ConvUnit(1, 1, spec=MobileNetSpec("v2", padding=padding), activation=None, kernel=kernel, stride=stride)
    unit.norm = nn.Identity()
    return unit.double()


def convolve_by_hand(image: Tensor, weight: Tensor, *, stride: int, before: int, outputs: int) -> Tensor:
    """The definition: each output is a sum over a window that starts `before` pixels outside the picture."""
    size, kernel = image.shape[-1], weight.shape[-1]
    result = torch.zeros(outputs, outputs, dtype=torch.float64)
    for row in range(outputs):
        for column in range(outputs):
            for i in range(kernel):
                for j in range(kernel):
                    y, x = row * stride - before + i, column * stride - before + j
                    if 0 <= y < size and 0 <= x < size:
                        result[row, column] += image[y, x] * weight[i, j]
    return result


@pytest.mark.parametrize(
    ("size", "kernel", "stride", "padding", "before"),
    [
        (8, 3, 2, "same", 0),  # TensorFlow: all of an even picture's padding is after it
        (9, 3, 2, "same", 1),
        (8, 5, 2, "same", 1),
        (9, 5, 2, "same", 2),
        (8, 3, 1, "same", 1),
        (8, 3, 2, "symmetric", 1),
        (9, 5, 2, "symmetric", 2),
    ],
)
def test_convolution_pads_where_its_framework_does(size: int, kernel: int, stride: int, padding: Padding, before: int) -> None:
    unit = bare_unit(kernel, stride, padding)
    image = torch.randn(size, size, dtype=torch.float64)
    with torch.no_grad():
        actual = unit(image[None, None])[0, 0]
    expected = convolve_by_hand(image, unit.conv.weight.detach()[0, 0], stride=stride, before=before, outputs=-(-size // stride))
    torch.testing.assert_close(actual, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("resolution", "agree"), [(32, False), (33, True)])
def test_the_two_paddings_differ_on_even_sizes_alone(resolution: int, agree: bool) -> None:
    symmetric, same = bare_unit(3, 2, "symmetric"), bare_unit(3, 2, "same")
    image = torch.randn(1, 1, resolution, resolution, dtype=torch.float64)
    with torch.no_grad():
        assert torch.allclose(symmetric(image), same(image)) is agree


@pytest.mark.parametrize(("activation", "largest"), [("relu6", 6.0), ("relu", 50.0), ("hard_swish", 50.0)])
def test_activations(activation: Activation, largest: float) -> None:
    unit = ConvUnit(1, 1, spec=MobileNetSpec("v2"), activation=activation)
    unit.norm = nn.Identity()
    nn.init.ones_(unit.conv.weight)
    with torch.no_grad():
        outputs = unit(torch.tensor([-50.0, -1.0, 50.0]).reshape(1, 1, 1, 3)).flatten().tolist()
    # hard swish: x * relu6(x + 3) / 6, so -1 -> -1 * 2 / 6
    assert outputs == pytest.approx([0.0, -1 / 3 if activation == "hard_swish" else 0.0, largest])


def test_squeeze_excite_scales_channels_by_a_hard_sigmoid() -> None:
    module = SqueezeExcite(3, 2)
    for parameter in module.parameters():
        nn.init.zeros_(parameter)
    module.load_state_dict({**module.state_dict(), "expand.bias": torch.tensor([-4.0, 1.0, 4.0])})  # relu6(b + 3) / 6 = 0, 4/6, 1
    image = torch.full((1, 3, 2, 2), 9.0)
    with torch.no_grad():
        outputs = module(image)[0, :, 0, 0].tolist()
    assert outputs == pytest.approx([0.0, 6.0, 9.0])


def test_squeeze_excite_looks_at_the_mean_of_each_channel() -> None:
    module = SqueezeExcite(1, 1)
    for parameter, value in zip(module.parameters(), (1.0, 0.0, 1.0, -3.0), strict=True):
        nn.init.constant_(parameter, value)
    image = torch.tensor([0.0, 0.0, 3.0, 9.0]).reshape(1, 1, 2, 2)  # mean 3: hard sigmoid of 3 - 3 is one half
    with torch.no_grad():
        assert module(image).flatten().tolist() == pytest.approx([0.0, 0.0, 1.5, 4.5])


@pytest.mark.parametrize(("version", "index", "expected"), [("v2", 2, True), ("v2", 1, False), ("v1", 2, False)])
def test_shortcut_adds_the_input(version: Version, index: int, expected: bool) -> None:
    """With the last norm's scale at 0 a block gives only its shortcut."""
    spec = MobileNetSpec(version, 0.5)
    block = spec.blocks()[index]
    module = Bottleneck(block, spec).eval()
    assert isinstance(module.pointwise.norm, nn.BatchNorm2d)
    nn.init.zeros_(module.pointwise.norm.weight)
    image = torch.rand(1, block.in_channels, 8, 8) + 1
    with torch.no_grad():
        output = module(image)
    assert torch.equal(output, image) if expected else not output.any()


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("channels", [1, 3])
def test_network_turns_a_batch_of_images_into_logits(version: Version, channels: int) -> None:
    network = MobileNet(MobileNetSpec(version, 0.25, 32, channels, classes=7)).eval()
    with torch.no_grad():
        logits = network(torch.randn(2, channels, 32, 32))
    assert logits.shape == (2, 7)
    assert network.output_names == ("logits",)


def test_norm_eps_of_the_definition_reaches_every_norm() -> None:
    network = MobileNet(MobileNetSpec("v3_small", 0.25, 32, norm_eps=0.0123))
    assert {module.eps for module in network.modules() if isinstance(module, nn.BatchNorm2d)} == {0.0123}
