"""Real checkpoints and photographs, from the shared data: every target, both precisions, the figures that edgekit promises."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import torch

from edgekit.mobilenet.checkpoint import open_checkpoint, save_checkpoint
from edgekit.mobilenet.network import ConvUnit, MobileNet
from edgekit.mobilenet.spec import MobileNetSpec, Version
from edgekit.preprocessing import Preprocessing
from tests.e2e.conftest import Cli, Outcome

pytestmark = pytest.mark.shared_data

TARGETS = ("coreml", "executorch", "onnx", "openvino")
CHECKPOINTS = ("mobilenet_v2_1.0_224", "mobilenet_v1_1.0_224", "mobilenet_v1_0.25_128", "mobilenet_v1_0.25_96_vww")
CATS = "coco_000000039769_cats.png"


@pytest.fixture(scope="module")
def photographs(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The photographs of misc, without the segmentation mask that lies among them."""
    folder = tmp_path_factory.mktemp("photographs")
    for path in (shared_data / "misc").iterdir():
        if path.suffix in (".png", ".jpg") and not path.stem.endswith("_mask"):
            (folder / path.name).symlink_to(path)
    return folder


@pytest.fixture(scope="module", params=CHECKPOINTS)
def converted(
    request: pytest.FixtureRequest, shared_data: Path, photographs: Path, cli: Cli, tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, Path, Outcome]:
    output = tmp_path_factory.mktemp(request.param)
    model = shared_data / "models" / request.param
    outcome = cli(
        "convert", "-m", model, "-t", "all", "-p", "float32", "-p", "float16", "--images", photographs, "-o", output,
        "--no-latency", "--json",
    )  # fmt: skip
    return request.param, output, outcome


def _parity(outcome: Outcome, cell: str) -> Any:
    return outcome.reports[cell]["parity"]["outputs"][0]


def test_all_targets_pass_at_both_precisions(converted: tuple[str, Path, Outcome]) -> None:
    name, _, outcome = converted
    assert outcome.code == 0, outcome.stderr
    assert len(outcome.reports) == 8
    for target in TARGETS:
        float32, float16 = (_parity(outcome, f"{name}-{target}-{precision}") for precision in ("float32", "float16"))
        assert float32["image_sqnr_db"] >= 100, target
        assert float16["image_sqnr_db"] >= 42, target
        assert float32["top1"] == 1.0, target


def test_float16_halves_the_size(converted: tuple[str, Path, Outcome]) -> None:
    name, _, outcome = converted
    for target in TARGETS:
        sizes = {p: outcome.reports[f"{name}-{target}-{p}"]["size_bytes"] for p in ("float32", "float16")}
        assert sizes["float16"] / sizes["float32"] <= 0.55, target


def test_executorch_delegates_all_of_float32(converted: tuple[str, Path, Outcome]) -> None:
    name, _, outcome = converted
    assert outcome.reports[f"{name}-executorch-float32"]["runtime"]["delegated_fraction"] == 1.0


def test_every_artifact_sees_what_pytorch_sees_in_the_two_cats(
    converted: tuple[str, Path, Outcome], shared_data: Path, cli: Cli
) -> None:
    """As its report says of this photograph; and `predict`, on all eight of one checkpoint and on one of each other."""
    name, output, outcome = converted
    image = shared_data / "misc" / CATS
    checkpoint = open_checkpoint(str(shared_data / "models" / name))
    with torch.no_grad():
        logits = checkpoint.network()(torch.from_numpy(checkpoint.preprocessing.tensor(image)))
    expected = checkpoint.labels[int(logits.argmax())]
    if name in ("mobilenet_v2_1.0_224", "mobilenet_v1_1.0_224"):
        assert expected == "tabby, tabby cat"
    folders = sorted(output.iterdir())
    assert len(folders) == 8
    for folder in folders:
        (cats,) = (sample for sample in _parity(outcome, folder.name)["samples"] if sample["sample"] == CATS)
        assert cats["top1"], folder.name
    for folder in folders if name == CHECKPOINTS[0] else folders[-1:]:
        predicted = cli("predict", folder, image, "--top", "1", "--json")
        assert predicted.json["predictions"][0]["candidates"][0]["label"] == expected, folder.name


@pytest.mark.parametrize("name", CHECKPOINTS)
def test_logits_are_those_of_transformers(shared_data: Path, photographs: Path, name: str) -> None:
    """The same folder in transformers, with its own preprocessing: at most 1e-4 apart on every photograph."""
    os.environ["HF_HUB_OFFLINE"] = "1"
    from PIL import Image
    from transformers import AutoModelForImageClassification
    from transformers.models.mobilenet_v1.image_processing_pil_mobilenet_v1 import MobileNetV1ImageProcessorPil
    from transformers.models.mobilenet_v2.image_processing_pil_mobilenet_v2 import MobileNetV2ImageProcessorPil

    folder = shared_data / "models" / name
    theirs = AutoModelForImageClassification.from_pretrained(folder).eval()
    processor_class = MobileNetV1ImageProcessorPil if "_v1_" in name else MobileNetV2ImageProcessorPil
    processor = processor_class.from_pretrained(folder)
    checkpoint = open_checkpoint(str(folder))
    ours = checkpoint.network()
    for path in photographs.iterdir():
        with Image.open(path) as image, torch.no_grad():
            expected = theirs(processor(image.convert("RGB"), return_tensors="pt")["pixel_values"]).logits
            actual = ours(torch.from_numpy(checkpoint.preprocessing.tensor(path)))
        assert (actual - expected).abs().max() <= 1e-4, path.name


@pytest.fixture(scope="module", params=["v3_small", "v3_large"])
def calibrated(request: pytest.FixtureRequest, photographs: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """V3 at full size. No trained weights are at hand: seeded ones, with batch-norm statistics measured on photographs.

    Without those statistics the logits would not depend on the input, and every parity figure would be meaningless.
    """
    version: Version = request.param
    torch.manual_seed(0)
    network = MobileNet(MobileNetSpec(version, norm_eps=1e-3))
    preprocessing = Preprocessing("RGB", mean=(0.5,) * 3, std=(0.5,) * 3, shortest_edge=256, crop=(224, 224))
    images = torch.cat([torch.from_numpy(preprocessing.tensor(path)) for path in sorted(photographs.iterdir())])
    for module in network.modules():
        if isinstance(module, ConvUnit) and isinstance(module.norm, torch.nn.BatchNorm2d):
            module.norm.momentum = None  # a plain mean over what it sees
    with torch.no_grad():
        network.train()(images)
    path = tmp_path_factory.mktemp("v3") / f"mobilenet_{version}.safetensors"
    save_checkpoint(path, network.eval(), preprocessing=preprocessing, labels=())
    return version, path


def test_v3_passes_everywhere(calibrated: tuple[str, Path], photographs: Path, cli: Cli, tmp_path: Path) -> None:
    version, path = calibrated
    outcome = cli(
        "convert", "-m", path, "-t", "all", "-p", "float32", "-p", "float16", "--images", photographs, "-o", tmp_path,
        "--no-latency", "--json",
    )  # fmt: skip
    assert outcome.code == 0, outcome.stderr
    for target in TARGETS:
        float32, float16 = (_parity(outcome, f"mobilenet_{version}-{target}-{p}") for p in ("float32", "float16"))
        assert float32["image_sqnr_db"] >= 100, target
        # Untrained filters round worse than trained ones, in PyTorch's own float16 too.
        assert float16["image_sqnr_db"] >= float16["pytorch_sqnr_db"]["float16"] - 12, target
        assert float32["dependence"] > 0.1
        sizes = {p: outcome.reports[f"mobilenet_{version}-{target}-{p}"]["size_bytes"] for p in ("float32", "float16")}
        assert sizes["float16"] / sizes["float32"] <= 0.55, target
    assert outcome.reports[f"mobilenet_{version}-executorch-float32"]["runtime"]["delegated_fraction"] == 1.0
