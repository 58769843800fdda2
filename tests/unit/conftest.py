"""Settings of the unit tests, and the networks that they share."""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable, Mapping

import pytest
import torch
from torch import Tensor, nn

from edgekit.mobilenet.layouts import LAYOUTS
from edgekit.mobilenet.network import MobileNet
from edgekit.mobilenet.spec import MobileNetSpec

# OpenMP's threads spin while they wait for a core that somebody else has: one thread is faster on a shared machine.
torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def _same_numbers() -> None:
    """What torch draws in a test does not depend on the tests before it."""
    torch.manual_seed(0)


@functools.cache
def _trained(spec: MobileNetSpec) -> MobileNet:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = MobileNet(spec)
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d):
                nn.init.uniform_(module.weight, 0.5, 1.5)
                nn.init.normal_(module.bias, std=0.3)
                module.momentum = 1.0  # the statistics become those of the one batch that follows
        with torch.no_grad():
            network.train()(torch.randn(16, spec.input_channels, spec.resolution, spec.resolution))
    return network.eval()


def _make_network(spec: MobileNetSpec) -> MobileNet:
    return copy.deepcopy(_trained(spec))


def _published_tensors(network: MobileNet, layout: str) -> dict[str, Tensor]:
    names = dict(LAYOUTS[layout](network.spec))
    tensors = {}
    for ours, tensor in network.state_dict().items():
        module, _, leaf = ours.rpartition(".")
        if leaf != "num_batches_tracked":
            tensors[f"{names[module]}.{leaf}"] = tensor.clone()
    return tensors


@pytest.fixture(scope="session")
def make_network() -> Callable[[MobileNetSpec], MobileNet]:
    """Build a network as training leaves it: batch-norm statistics measured on data, so that its output depends on its input."""
    return _make_network


@pytest.fixture(scope="session")
def published_tensors() -> Callable[[MobileNet, str], Mapping[str, Tensor]]:
    """Give a network's tensors under the names of a published layout; tests/unit/mobilenet/layouts checks those names."""
    return _published_tensors
