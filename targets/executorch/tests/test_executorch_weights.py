"""int8-weights: the integers and scales that were chosen, and what XNNPACK makes of them."""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
from executorch.backends.xnnpack.operators.node_visitor import _node_visitor_dict
from PIL import Image
from torch import Tensor, nn
from torch.export import ExportedProgram

from edgekit.digits import held_out
from edgekit.mobilenet.checkpoint import open_checkpoint
from edgekit.mobilenet.compression import compress_weights, is_compressed
from edgekit.mobilenet.program import capture_program
from edgekit.target import FLOAT32_TOLERANCE, ConvertJob, LoadJob, Program, RuntimeInfo, TensorSpec
from edgekit.testing import Made
from edgekit_executorch import weights
from edgekit_executorch.target import ExecuTorchTarget

MIN_SQNR_DB = FLOAT32_TOLERANCE.min_sqnr_db


def _convert(program: Program, folder: Path) -> Path:
    return ExecuTorchTarget().convert(ConvertJob(program, "int8-weights", {}, folder)).path


def _answer(program: Program, path: Path, images_nchw: list[Tensor]) -> tuple[Tensor, RuntimeInfo]:
    job = LoadJob(path, "int8-weights", {}, program.inputs, program.outputs, 1)
    with ExecuTorchTarget().load(job) as runner:
        answers = [torch.from_numpy(runner.infer({"image": image.numpy()})["logits"]) for image in images_nchw]
        return torch.cat(answers).double(), runner.runtime


def _exact(exported: ExportedProgram, images_nchw: list[Tensor]) -> Tensor:
    module = copy.deepcopy(exported).module().double()  # a module shares its weights with the program
    with torch.no_grad():
        return torch.cat([module(image.double()) for image in images_nchw])


def _sqnr_db(exact: Tensor, answer: Tensor) -> float:
    return float(10 * torch.log10(exact.square().sum() / (answer - exact).square().sum()))


def _check_answers(program: Program, answer: Tensor, images_nchw: list[Tensor]) -> None:
    """They are the compressed network's, and the network as trained would not do."""
    assert _sqnr_db(_exact(compress_weights(program.exported, "int8-weights"), images_nchw), answer) > MIN_SQNR_DB
    assert _sqnr_db(_exact(program.exported, images_nchw), answer) < 60, "or the limit means nothing"


def _stored_in_8_bits(program: Program) -> str:
    """What the runtime is to say, counted in the program."""
    nodes = [node for node in program.exported.graph.nodes if re.search(r"conv2d|linear", str(node.target))]
    names = program.exported.graph_signature.inputs_to_parameters
    shapes = [program.exported.state_dict[names[node.args[1].name]].shape for node in nodes]
    count = sum(is_compressed(shape) and set(shape[2:]) <= {1} for shape in shapes)
    assert 0 < count < len(shapes)
    return f"float32, int8 weights in {count} of {len(shapes)} products"


@pytest.fixture
def layers() -> Program:
    """A convolution of each kind: 1x1 with a ReLU6, with a channel of zeros; depthwise; 1x1 without a bias; small; linear."""
    torch.manual_seed(0)
    pointwise, second = nn.Conv2d(48, 80, 1), nn.Conv2d(80, 40, 1, bias=False)
    with torch.no_grad():
        pointwise.weight[5] = 0
    depthwise, small = nn.Conv2d(80, 80, 3, padding=1, groups=80), nn.Conv2d(40, 48, 1)
    head = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(48, 60)]
    network = nn.Sequential(pointwise, nn.ReLU6(), depthwise, second, small, *head).eval()
    image, logits = TensorSpec("image", (1, 48, 6, 6), "float32", "NCHW"), TensorSpec("logits", (1, 60), "float32", "NK")
    return Program(torch.export.export(network, (torch.zeros(image.shape),)), (image,), (logits,))


@pytest.fixture
def noise(layers: Program) -> list[Tensor]:
    return [torch.randn(layers.inputs[0].shape, generator=torch.Generator().manual_seed(seed)) for seed in range(4)]


def test_only_pointwise_and_linear_layers_of_some_size_are_stored_in_8_bits(
    layers: Program, noise: list[Tensor], tmp_path: Path
) -> None:
    answer, runtime = _answer(layers, _convert(layers, tmp_path), noise)
    _check_answers(layers, answer, noise)
    assert runtime.precision == "float32, int8 weights in 3 of 5 products" == _stored_in_8_bits(layers)
    assert (runtime.delegated_fraction, runtime.undelegated_ops) == (1, ())


def test_a_wrong_scale_would_be_seen(layers: Program, noise: list[Tensor], tmp_path: Path) -> None:
    answer, _ = _answer(layers, _convert(layers, tmp_path), noise)
    wrong = compress_weights(layers.exported, "int8-weights")
    with torch.no_grad():
        wrong.state_dict["0.weight"][3] *= 4 / 3
    assert _sqnr_db(_exact(wrong, noise), answer) < 60


def test_a_bias_that_is_not_divided_would_be_seen(
    layers: Program, noise: list[Tensor], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """XNNPACK multiplies the bias by the scale, so that hardly any of it would be left."""
    define = weights._define_constant
    monkeypatch.setattr(weights, "_define_constant", lambda values, *others: define(torch.zeros_like(values), *others))
    answer, _ = _answer(layers, _convert(layers, tmp_path), noise)
    assert _sqnr_db(_exact(compress_weights(layers.exported, "int8-weights"), noise), answer) < 60


def test_other_precisions_are_serialised_as_before() -> None:
    visitors = dict(_node_visitor_dict)
    with weights.integer_filters():
        assert _node_visitor_dict != visitors
    assert _node_visitor_dict == visitors


def test_the_embedded_model(digits: Mapping[str, Made]) -> None:
    """A V3: hard-swish, and squeeze-excite, where a convolution has one pixel to work on."""
    checkpoint = open_checkpoint("digits")
    pixels = [checkpoint.preprocessing.pixels(Image.fromarray(picture)) for picture in held_out()[0][:8]]
    pictures = [torch.from_numpy(checkpoint.preprocessing.normalise(each)) for each in pixels]
    program = digits["int8-weights"].program
    answer, runtime = _answer(program, digits["int8-weights"].conversion.path, pictures)
    _check_answers(program, answer, pictures)
    assert runtime.precision == _stored_in_8_bits(program)
    assert (runtime.delegated_fraction, runtime.undelegated_ops) == (1, ())


@pytest.mark.shared_data
def test_a_checkpoint_is_a_third_of_its_size(shared_data: Path, tmp_path: Path) -> None:
    checkpoint = open_checkpoint(str(shared_data / "models" / "mobilenet_v1_0.25_128"))
    images = sorted((shared_data / "images_dev").rglob("*.jpg"))[:8]
    pictures = [torch.from_numpy(checkpoint.preprocessing.tensor(path)) for path in images]
    program = capture_program(checkpoint.network())
    path = _convert(program, tmp_path)
    answer, runtime = _answer(program, path, pictures)
    _check_answers(program, answer, pictures)
    assert runtime.precision == _stored_in_8_bits(program)
    assert path.stat().st_size < 4 / 3 * sum(tensor.numel() for tensor in program.exported.state_dict.values())
