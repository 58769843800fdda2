"""The int8 program in XNNPACK: in int8 what the program has in int8, at the program's own numbers."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image

from edgekit.digits import held_out
from edgekit.mobilenet.checkpoint import open_checkpoint
from edgekit.mobilenet.program import capture_program
from edgekit.quantization.exact import ExactInt8
from edgekit.quantization.program import Quantised, capture_int8, quantise
from edgekit.quantization.unit import units_of
from edgekit.target import ConvertJob, LoadJob, Program, RuntimeInfo
from edgekit.testing import Made, make_case
from edgekit_executorch.target import ExecuTorchTarget

MIN_SQNR_DB = 22.0  # two correct runtimes are about 30 dB apart


def _convert(program: Program, precision: str, folder: Path) -> Path:
    folder.mkdir()
    return ExecuTorchTarget().convert(ConvertJob(program, precision, {}, folder)).path


def _answer(program: Program, path: Path, images_nchw: list[torch.Tensor]) -> tuple[torch.Tensor, RuntimeInfo]:
    job = LoadJob(path, "int8", {}, program.inputs, program.outputs, 1)
    with ExecuTorchTarget().load(job) as runner:
        answers = [torch.from_numpy(runner.infer({"image": image.numpy()})["logits"]) for image in images_nchw]
        return torch.cat(answers), runner.runtime


def _sqnr_db(exact: torch.Tensor, answer: torch.Tensor) -> float:
    return float(10 * torch.log10(exact.square().sum() / (answer - exact).square().sum()))


def _exact(program: Program, images_nchw: list[torch.Tensor]) -> torch.Tensor:
    module = ExactInt8(program.exported.module())
    return torch.cat([module(image) for image in images_nchw])


def _with_wrong_scale(program: Program) -> Program:
    """The same with the range of one tensor in the middle a third too wide."""
    exported = copy.deepcopy(program.exported)
    nodes = [node for node in exported.graph.nodes if "dequantize_per_tensor" in str(node.target)]
    middle = nodes[len(nodes) // 2]
    middle.update_arg(1, middle.args[1] * 4 / 3)
    return replace(program, exported=exported)


@pytest.fixture(scope="module")
def pictures() -> list[torch.Tensor]:
    """24 that the contract's model was not calibrated on."""
    preprocessing = open_checkpoint("digits").preprocessing
    pixels = [preprocessing.pixels(Image.fromarray(picture)) for picture in held_out()[0][:24]]
    return [torch.from_numpy(preprocessing.normalise(each)) for each in pixels]


@pytest.fixture(scope="module")
def quantised() -> Quantised:
    return make_case().trained.quantised


def test_v3_is_int8_but_for_hard_sigmoid(digits: Mapping[str, Made], quantised: Quantised, pictures: list[torch.Tensor]) -> None:
    """All of it is XNNPACK's; hard-swish too is int8, and the runtime names what is not."""
    program = digits["int8"].program
    answer, runtime = _answer(program, digits["int8"].conversion.path, pictures)
    assert _sqnr_db(_exact(program, pictures), answer) > MIN_SQNR_DB
    assert (runtime.delegated_fraction, runtime.undelegated_ops) == (1, ())
    count = len(units_of(quantised.module))
    assert runtime.precision == (f"int8 in {count} of {count} products; besides products, float32 in 9 Add, 9 Clamp, 9 Multiply")


def test_units_kept_in_float_run_in_float32(quantised: Quantised, pictures: list[torch.Tensor], tmp_path: Path) -> None:
    units = units_of(quantised.module)
    kept = (units[0], units[5], units[6], units[-1])
    program = capture_int8(quantised, kept)
    path = _convert(program, "int8", tmp_path / "mixed")
    answer, runtime = _answer(program, path, pictures)
    assert _sqnr_db(_exact(program, pictures), answer) > MIN_SQNR_DB
    assert runtime.precision.startswith(f"float32 in 4 of {len(units)} products, int8 in {len(units) - 4}; ")
    assert (runtime.delegated_fraction, runtime.undelegated_ops) == (1, ())


@pytest.mark.shared_data
def test_a_checkpoint_padded_as_tensorflow_does(shared_data: Path, tmp_path: Path) -> None:
    """Pads before every second depthwise convolution become the convolution's own; the file is 0.30 of float32 at most."""
    checkpoint = open_checkpoint(str(shared_data / "models" / "mobilenet_v1_0.25_128"))
    images = sorted((shared_data / "images_dev").rglob("*.jpg"))[:24]
    pictures = [torch.from_numpy(checkpoint.preprocessing.tensor(path)) for path in images]
    program = capture_int8(quantise(capture_program(checkpoint.network()), pictures[:16]))
    weights = sum(tensor.numel() for tensor in checkpoint.network().state_dict().values())
    path = _convert(program, "int8", tmp_path / "int8")
    answer, runtime = _answer(program, path, pictures[16:])
    assert _sqnr_db(_exact(program, pictures[16:]), answer) > MIN_SQNR_DB
    assert _sqnr_db(_exact(_with_wrong_scale(program), pictures[16:]), answer) < MIN_SQNR_DB, "or the limit means nothing"
    assert runtime.precision == "int8 in 28 of 28 products", "a pad of its own would be a float32 operator"
    assert path.stat().st_size <= 0.30 * 4 * weights
