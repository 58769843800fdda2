"""Whole networks: what Core ML is given, against the same network in PyTorch with float64."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import coremltools as ct
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from edgekit.mobilenet.capture import capture
from edgekit.mobilenet.network import MobileNet
from edgekit.mobilenet.spec import Activation, MobileNetSpec
from edgekit.mobilenet.weights import infer_spec, load_network, read_tensors
from edgekit_coreml.reference import Mode, ReferenceModel

pytestmark = [
    pytest.mark.shared_data,
    pytest.mark.filterwarnings("ignore:.*isinstance.treespec, LeafSpec:FutureWarning"),  # torch.export warns of itself
]

PHOTOGRAPHS = ("owl.jpg", "parrot.jpg", "sunflower.png", "grace_hopper.png", "cat.png")
COMPARED = 3  # of them


@dataclass(frozen=True)
class Checkpoint:
    resolution: int
    resize: int
    mean: float = 0.5
    std: float = 0.5
    rectifier: Activation = "relu6"


CHECKPOINTS = {
    "mobilenet_v1_0.25_96_vww": Checkpoint(96, 96, mean=0.0, std=1.0, rectifier="relu"),
    "mobilenet_v1_0.25_128": Checkpoint(128, 160),
    "mobilenet_v1_1.0_224": Checkpoint(224, 256),
    "mobilenet_v2_1.0_224": Checkpoint(224, 256),
}
RANDOM = ("v3_small", "v3_large")


@dataclass(frozen=True)
class Case:
    images: Tensor  # float32 NCHW, a batch of photographs
    logits: NDArray[np.float64]  # of the network in float64
    packages: dict[str, Path]  # by precision
    float16_floor_db: float

    def sqnr_db(self, precision: str, mode: Mode) -> float:
        model = ReferenceModel(self.packages[precision], mode)
        (given,), (answer,) = model.inputs, model.outputs
        found = np.concatenate([model.predict({given.name: image[None].numpy()})[answer.name] for image in self.images])
        return float(10 * np.log10((self.logits**2).sum() / ((found - self.logits) ** 2).sum()))


def photographs(shared_data: Path, checkpoint: Checkpoint) -> Tensor:
    images = []
    for name in PHOTOGRAPHS:
        image = Image.open(shared_data / "misc" / name).convert("RGB")
        scale = checkpoint.resize / min(image.size)
        image = image.resize((round(image.width * scale), round(image.height * scale)), Image.Resampling.BILINEAR)
        left, top = ((side - checkpoint.resolution) // 2 for side in image.size)
        image = image.crop((left, top, left + checkpoint.resolution, top + checkpoint.resolution))
        images.append((np.asarray(image, np.float32) / 255 - checkpoint.mean) / checkpoint.std)
    return torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).contiguous()


def trained(folder: Path, checkpoint: Checkpoint) -> MobileNet:
    file = folder / "model.safetensors"
    if not file.is_file():
        pytest.skip(f"shared data: no checkpoint {file}")
    tensors = read_tensors(file)
    spec = infer_spec(tensors, resolution=checkpoint.resolution)
    return load_network(replace(spec, v1_v2_activation=checkpoint.rectifier), tensors, source=str(file))


def calibrated(name: str, images: Tensor) -> MobileNet:
    """Random weights whose batch norms have seen photographs, so that no signal dies on its way."""
    torch.manual_seed(20240917)
    network = MobileNet(MobileNetSpec(name))  # type: ignore[arg-type]  # a parameter of this test
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = None
    with torch.no_grad():
        network.train()(images)
    return network.eval()


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module", params=[*CHECKPOINTS, *RANDOM])
def case(
    request: pytest.FixtureRequest,
    shared_data: Path,
    tmp_path_factory: pytest.TempPathFactory,
    save_program: Callable[..., None],
) -> Case:
    name: str = request.param
    images = photographs(shared_data, CHECKPOINTS.get(name, Checkpoint(224, 256)))
    if name in CHECKPOINTS:
        network, floor_db = trained(shared_data / "models" / name, CHECKPOINTS[name]), 42
    else:  # the logits of random weights are small differences of large sums
        network, floor_db = calibrated(name, images), 35
    program = capture(network).run_decompositions({})
    packages = {}
    for precision in (ct.precision.FLOAT32, ct.precision.FLOAT16):
        packages[precision.value] = path = tmp_path_factory.mktemp(name) / f"{precision.value}.mlpackage"
        output = ct.TensorType(dtype=np.float32)
        save_program(program, path, compute_precision=precision, outputs=[output])
    images = images[:COMPARED]
    with torch.no_grad():
        logits = network.double()(images.double()).numpy()
    return Case(images, logits, packages, floor_db)


def test_float32_is_the_network(case: Case) -> None:
    assert case.sqnr_db("float32", "exact") >= 100


@pytest.mark.parametrize("mode", ["exact", "float16"])
def test_float16_is_near_the_network(case: Case, mode: Mode) -> None:
    assert case.sqnr_db("float16", mode) >= case.float16_floor_db
