"""Parameters and multiply-accumulates: against the published figures, and against what torch counts."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from edgekit.mobilenet.layers import Layer, list_layers, separable_costs
from edgekit.mobilenet.network import ConvUnit, MobileNet
from edgekit.mobilenet.spec import VERSIONS, MobileNetSpec, Padding, Version

specs = st.builds(
    MobileNetSpec,
    st.sampled_from(VERSIONS),
    width=st.sampled_from([0.1, 0.25, 0.35, 0.5, 0.75, 1.0, 1.3, 1.4]),
    resolution=st.integers(8, 260),
    input_channels=st.sampled_from([1, 3, 4]),
    classes=st.integers(1, 1001),
    padding=st.sampled_from(["symmetric", "same"]),
)


def on_meta(spec: MobileNetSpec) -> tuple[MobileNet, Tensor]:
    """A network and an image without numbers: shapes alone, in no time."""
    with torch.device("meta"):
        return MobileNet(spec).eval(), torch.empty(1, spec.input_channels, spec.resolution, spec.resolution)


def parameters(spec: MobileNetSpec) -> int:
    return sum(layer.parameters for layer in list_layers(spec))


def macs(spec: MobileNetSpec) -> int:
    return sum(layer.macs for layer in list_layers(spec))


@pytest.mark.parametrize(
    ("version", "published"), [("v1", 4_231_976), ("v2", 3_504_872), ("v3_large", 5_483_032), ("v3_small", 2_542_856)]
)
def test_parameters_are_the_published_ones(version: Version, published: int) -> None:
    assert parameters(MobileNetSpec(version)) == published


@pytest.mark.parametrize(
    ("version", "width", "resolution", "millions"),
    [
        ("v1", 1.0, 224, 569),
        ("v1", 0.75, 224, 325),
        ("v1", 0.5, 224, 149),
        ("v1", 1.0, 192, 418),
        ("v2", 1.0, 224, 300),
        ("v2", 1.4, 224, 585),
        ("v3_large", 1.0, 224, 219),
    ],
)
def test_macs_are_those_of_the_papers(version: Version, width: float, resolution: int, millions: int) -> None:
    assert macs(MobileNetSpec(version, width, resolution)) / 1e6 == pytest.approx(millions, rel=0.03)


@settings(max_examples=25)
@given(specs)
def test_parameters_are_those_of_the_network(spec: MobileNetSpec) -> None:
    network, _ = on_meta(spec)
    assert parameters(spec) == sum(parameter.numel() for parameter in network.parameters())


@settings(max_examples=15)
@given(specs)
def test_macs_are_half_the_operations_that_torch_counts(spec: MobileNetSpec) -> None:
    network, image = on_meta(spec)
    with FlopCounterMode(display=False) as counter:
        network(image)
    assert macs(spec) * 2 == counter.get_total_flops()


@settings(max_examples=15)
@given(specs)
def test_layers_have_the_shapes_that_flow_through_the_network(spec: MobileNetSpec) -> None:
    network, image = on_meta(spec)
    shapes: dict[str, tuple[int, ...]] = {}

    def remember(name: str, module: nn.Module) -> None:
        module.register_forward_hook(lambda _module, _inputs, output: shapes.update({name: tuple(output.shape)}))

    for name, module in network.named_modules():
        if isinstance(module, ConvUnit | nn.Linear):
            remember(name, module)
    network(image)
    listed = [layer for layer in list_layers(spec) if layer.kind != "squeeze"]
    assert [layer.name for layer in listed] == list(shapes), "every layer once, in the order of execution"
    for layer in listed:
        flat = (1, layer.out_channels)
        expected = flat if layer.kind == "linear" else (*flat, layer.out_size, layer.out_size)
        assert shapes[layer.name] == expected, layer.name


@pytest.mark.parametrize("padding", ["symmetric", "same"])
@pytest.mark.parametrize(
    ("resolution", "sizes"), [(224, [112, 56, 28, 14, 7]), (225, [113, 57, 29, 15, 8]), (33, [17, 9, 5, 3, 2])]
)
def test_every_stride_halves_and_rounds_up(padding: Padding, resolution: int, sizes: list[int]) -> None:
    layers = list_layers(MobileNetSpec("v2", resolution=resolution, padding=padding))
    assert [layer.out_size for layer in layers if layer.stride == 2] == sizes


@given(specs)
def test_separable_over_standard_is_the_papers_ratio(spec: MobileNetSpec) -> None:
    for cost, block in zip(separable_costs(spec), spec.blocks(), strict=True):
        assert cost.ratio == pytest.approx(1 / block.out_channels + 1 / block.kernel**2, rel=1e-12)


def test_separable_cost_is_that_of_the_listed_halves() -> None:
    spec = MobileNetSpec("v3_large", 0.75, 192)
    by_name: dict[str, Layer] = {layer.name: layer for layer in list_layers(spec)}
    for cost in separable_costs(spec):
        halves = (by_name[f"blocks.{cost.block}.depthwise"], by_name[f"blocks.{cost.block}.pointwise"])
        assert cost.separable_macs == sum(half.macs for half in halves)


def test_first_block_of_v1_worked_by_hand() -> None:
    """32 -> 64 channels at 112x112: depthwise 9*32, pointwise 32*64, standard 9*32*64, each times 112^2."""
    cost = separable_costs(MobileNetSpec("v1"))[0]
    assert cost.separable_macs == (288 + 2048) * 12544
    assert cost.standard_macs == 18432 * 12544
