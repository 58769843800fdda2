"""A graph's products named by counting."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from edgekit.mobilenet.capture import capture
from edgekit.mobilenet.layers import list_layers
from edgekit.mobilenet.modules import Kind, name_modules
from edgekit.mobilenet.network import MobileNet
from edgekit.mobilenet.spec import MobileNetSpec, Version
from edgekit.operators import find_layer

KINDS: dict[str, list[Kind]] = {"squeeze": ["pool", "conv", "conv"], "linear": ["linear"]}


def kinds_of(spec: MobileNetSpec) -> list[Kind]:
    """Told by the definition; the last pooling is in front of the first linear layer."""
    found = [kind for layer in list_layers(spec) for kind in KINDS.get(layer.kind, ["conv"])]
    found.insert(found.index("linear"), "pool")
    return found


@pytest.mark.parametrize("version", ["v1", "v2", "v3_small", "v3_large"])
def test_every_layer_of_the_definition_is_named_in_order(
    version: Version, make_network: Callable[[MobileNetSpec], MobileNet]
) -> None:
    spec = MobileNetSpec(version, 0.25, 32, padding="same")
    paths = name_modules(capture(make_network(spec)), kinds_of(spec))
    layers = [layer.name for layer in list_layers(spec)]
    found = [find_layer(path, layers) for path in paths]
    assert list(dict.fromkeys(found)) == layers
    assert paths[0] == "stem"
    last_product = paths[kinds_of(spec).index("linear") - 2]
    assert paths[kinds_of(spec).index("linear") - 1] == last_product  # the pooling of the whole network


def test_a_graph_of_other_products_is_not_named(make_network: Callable[[MobileNetSpec], MobileNet]) -> None:
    spec = MobileNetSpec("v1", 0.25, 32)
    exported = capture(make_network(spec))
    kinds = kinds_of(spec)
    assert name_modules(exported, kinds[1:]) == ()
    assert name_modules(exported, [*kinds[1:], "conv"]) == ()
    assert name_modules(exported, []) == ()


def test_modules_that_are_lost_are_not_made_up(make_network: Callable[[MobileNetSpec], MobileNet]) -> None:
    spec = MobileNetSpec("v1", 0.25, 32)

    class Wrapped(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = capture(make_network(spec)).module()

        def forward(self, image: torch.Tensor) -> torch.Tensor:
            return self.inner(image)  # type: ignore[no-any-return]  # torch calls return Any

    again = torch.export.export(Wrapped(), (torch.zeros(1, 3, 32, 32),))
    assert not any(find_layer(path, [layer.name for layer in list_layers(spec)]) for path in name_modules(again, kinds_of(spec)))
