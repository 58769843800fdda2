"""Figures of devices that obey the model, so that what a fit must find is known."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import pytest

from edgekit.projection.cost import charges, terms_of
from edgekit.projection.figure import Figure, Network
from edgekit.projection.networks.catalogue import canonical, usual_resolution, workload_of
from edgekit.projection.setting import Setting

NAMES = (
    *("mobilenet_v1", "mobilenet_v2", "mnasnet", "proxylessnasnet", "shufflenet_v2", "squeezenet1.1", "resnet18", "resnet50"),
    *("regnety_400m", "efficientnet_b0", "googlenet", "vgg16", "mobilenet_v3_large", "yolov4-tiny", "densenet121"),
)


def setting(device: str, **others: object) -> Setting:
    """A CPU setting of ncnn, fields replaced."""
    fields: dict[str, object] = {
        "runtime": "ncnn",
        "device": device,
        "chipset": f"{device} (Cortex-A76 x 4)",
        "precision": "fp32",
        "compute_unit": "cpu",
        "threads": "1",
        "run": "",
        "unit_class": "cpu",
        "precision_class": "float",
    }
    return Setting(**(fields | others))  # type: ignore[arg-type]  # fields by name


def network_of(name: str) -> Network:
    """Of the catalogue, as it is usually published."""
    return Network(canonical(name), 1.0, usual_resolution(name))


def figure(where: Setting, name: str, latency_ms: float, line: int = 2) -> Figure:
    """A figure of a network of the catalogue."""
    return Figure("dev", "us", network_of(name), where, latency_ms, "mean", name, "us#L1", "CC0", line)


@pytest.fixture(scope="session")
def make_figures() -> Callable[..., list[Figure]]:
    """Figures of some devices whose unit costs are drawn around a common profile, with 2 % noise."""

    def make(devices: Sequence[str], names: Sequence[str] = NAMES, seed: int = 0, **fields: str) -> list[Figure]:
        random = np.random.default_rng(seed)
        block = setting("any", **fields).block
        profile = random.normal(0, 0.3, len(terms_of(block[1])))
        figures: list[Figure] = []
        for device in devices:
            costs = np.exp(profile + random.normal(0, 0.2, len(profile)) + random.normal(0, 1.0))
            where = setting(device, **fields)
            for name in names:
                work = workload_of(name, 1.0, usual_resolution(name))
                assert work
                latency = float(costs @ charges(work, *block[:2]) * math.exp(random.normal(0, 0.02)))
                figures.append(figure(where, name, latency, len(figures) + 2))
        return figures

    return make
