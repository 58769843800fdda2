"""Names and shapes as transformers, torchvision and timm write them: each file in layouts/ is a real model's state dict."""

from __future__ import annotations

import functools
import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from edgekit.errors import InputError
from edgekit.mobilenet.layouts import LAYOUTS, recognise
from edgekit.mobilenet.network import MobileNet
from edgekit.mobilenet.spec import VERSIONS, MobileNetSpec, Version
from edgekit.mobilenet.weights import infer_spec, load_network

FILES: dict[str, tuple[str, Version, float]] = {
    "huggingface_mobilenetv1_075": ("huggingface", "v1", 0.75),
    "huggingface_mobilenetv1_100": ("huggingface", "v1", 1.0),
    "huggingface_mobilenetv2_035": ("huggingface", "v2", 0.35),
    "huggingface_mobilenetv2_100": ("huggingface", "v2", 1.0),
    "huggingface_mobilenetv2_140": ("huggingface", "v2", 1.4),
    "timm_mobilenetv1_100": ("timm", "v1", 1.0),
    "timm_mobilenetv2_035": ("timm", "v2", 0.35),
    "timm_mobilenetv3_large_100": ("timm", "v3_large", 1.0),
    "timm_mobilenetv3_small_100": ("timm", "v3_small", 1.0),
    "torchvision_mobilenet_v2": ("torchvision", "v2", 1.0),
    "torchvision_mobilenet_v3_large": ("torchvision", "v3_large", 1.0),
    "torchvision_mobilenet_v3_small": ("torchvision", "v3_small", 1.0),
}
FOLDER = Path(__file__).parent / "layouts"
EVERY_FILE = pytest.mark.parametrize("name", FILES)


def read_shapes(name: str) -> dict[str, list[int]]:
    shapes: dict[str, list[int]] = json.loads((FOLDER / f"{name}.json").read_text())
    return shapes


def numbered_tensors(name: str) -> dict[str, Tensor]:
    """Each tensor full of a number of its own, so that one in the wrong place is seen."""
    return {key: torch.full(shape, float(i)) for i, (key, shape) in enumerate(read_shapes(name).items(), 1)}


@functools.cache
def inferred(name: str) -> MobileNetSpec:
    return infer_spec({key: torch.empty(shape, device="meta") for key, shape in read_shapes(name).items()})


def our_names(spec: MobileNetSpec) -> list[str]:
    with torch.device("meta"):
        return [name for name in MobileNet(spec).state_dict() if not name.endswith("num_batches_tracked")]


def test_every_file_is_expected() -> None:
    assert {path.stem for path in FOLDER.glob("*.json")} == set(FILES)


@EVERY_FILE
def test_layout_and_version_are_recognised(name: str) -> None:
    assert recognise(set(read_shapes(name))) == FILES[name][:2]


@EVERY_FILE
def test_version_width_and_classes_are_inferred(name: str) -> None:
    layout, version, width = FILES[name]
    spec = inferred(name)
    assert (spec.version, spec.width, spec.input_channels) == (version, width, 3)
    assert spec.classes == (1001 if layout == "huggingface" else 1000)
    assert spec.padding == ("same" if layout == "huggingface" else "symmetric")


@pytest.mark.parametrize(
    ("name", "norm_eps"),
    [
        ("huggingface_mobilenetv2_100", 1e-3),
        ("torchvision_mobilenet_v2", 1e-5),
        ("torchvision_mobilenet_v3_large", 1e-3),
        ("timm_mobilenetv3_large_100", 1e-5),
    ],
)
def test_epsilon_is_that_of_the_library(name: str, norm_eps: float) -> None:
    assert inferred(name).norm_eps == norm_eps


@EVERY_FILE
def test_every_tensor_lands_in_its_place_and_none_is_left_over(name: str) -> None:
    """All three libraries list their modules in the order of execution, as we do: the n-th of theirs is the n-th of ours."""
    tensors = numbered_tensors(name)
    spec = inferred(name)
    state = load_network(spec, tensors, source=name).state_dict()
    landed = [float(state[ours].flatten()[0]) for ours in our_names(spec)]
    assert landed == [float(i) for i in range(1, len(tensors) + 1)]


@EVERY_FILE
def test_random_tensors_give_a_network_that_computes(name: str) -> None:
    generator = torch.Generator().manual_seed(0)
    tensors = {key: torch.rand(shape, generator=generator) * 0.01 for key, shape in read_shapes(name).items()}
    network = load_network(replace(inferred(name), resolution=32), tensors, source=name)
    assert not network.training
    with torch.no_grad():
        assert torch.isfinite(network(torch.zeros(1, 3, 32, 32))).all()


EXISTING = [
    *[("huggingface", version) for version in ("v1", "v2")],
    *[("torchvision", version) for version in ("v2", "v3_small", "v3_large")],
    *[(layout, version) for layout in ("timm", "edgekit") for version in VERSIONS],
]


@pytest.mark.parametrize(("layout", "version"), EXISTING)
def test_no_two_modules_share_a_name(layout: str, version: Version) -> None:
    pairs = list(LAYOUTS[layout](MobileNetSpec(version, 0.5)))
    assert len({ours for ours, _ in pairs}) == len({theirs for _, theirs in pairs}) == len(pairs)


@pytest.mark.parametrize(("layout", "version"), [("huggingface", "v3_small"), ("huggingface", "v3_large"), ("torchvision", "v1")])
def test_a_library_without_that_version_is_named(layout: str, version: Version) -> None:
    with pytest.raises(InputError, match="has no MobileNetV"):
        list(LAYOUTS[layout](MobileNetSpec(version)))


def test_a_network_of_another_family_is_named_by_its_tensors() -> None:
    with pytest.raises(InputError, match=r"not the tensors of a MobileNet classifier \(first names: bn1.weight, conv1.weight"):
        recognise({"layer1.0.conv1.weight", "conv1.weight", "bn1.weight", "fc.weight"})


def test_no_tensors_at_all() -> None:
    with pytest.raises(InputError, match="none at all"):
        recognise(set())


def test_a_backbone_without_classifier_is_an_input_error() -> None:
    tensors = numbered_tensors("torchvision_mobilenet_v2")
    del tensors["classifier.1.weight"]
    with pytest.raises(InputError, match=r"no tensor 'classifier\.1\.weight'.*whole classifiers"):
        infer_spec(tensors)


def test_timm_keeps_the_hidden_layer_as_a_convolution() -> None:
    name = "timm_mobilenetv3_small_100"
    tensors = numbered_tensors(name)
    assert tensors["conv_head.weight"].shape == (1024, 576, 1, 1)
    values = torch.arange(1024.0 * 576).reshape(1024, 576, 1, 1)
    network = load_network(inferred(name), {**tensors, "conv_head.weight": values}, source="timm")
    assert torch.equal(network.state_dict()["hidden.weight"], values[:, :, 0, 0])
