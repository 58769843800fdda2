"""The int8 program in XNNPACK: in int8 what the program has in int8, at the program's own numbers."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from PIL import Image

from edgekit import digits
from edgekit.mobilenet.checkpoint import open_checkpoint
from edgekit.mobilenet.program import capture_program
from edgekit.quantization.exact import ExactInt8
from edgekit.quantization.program import Quantised, capture_int8, quantise
from edgekit.quantization.unit import units_of
from edgekit.target import ConvertJob, LoadJob, Program, RuntimeInfo
from edgekit_executorch.target import ExecuTorchTarget

MIN_SQNR_DB = 22.0  # two correct runtimes are 30 dB apart and more; one wrong scale leaves less than 10


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


@pytest.fixture(scope="module")
def pictures() -> list[torch.Tensor]:
    preprocessing = open_checkpoint("digits").preprocessing
    pixels = [preprocessing.pixels(Image.fromarray(picture)) for picture in digits.held_out()[0][:72]]
    return [torch.from_numpy(preprocessing.normalise(each)) for each in pixels]


@pytest.fixture(scope="module")
def quantised(pictures: list[torch.Tensor]) -> Quantised:
    return quantise(capture_program(open_checkpoint("digits").network()), pictures[:48])


def test_v3_is_int8_but_for_hard_sigmoid(quantised: Quantised, pictures: list[torch.Tensor], tmp_path: Path) -> None:
    """All of it is XNNPACK's; hard-swish too is int8, and the runtime names what is not."""
    program = capture_int8(quantised)
    path = _convert(program, "int8", tmp_path / "int8")
    answer, runtime = _answer(program, path, pictures[48:])
    assert _sqnr_db(_exact(program, pictures[48:]), answer) > MIN_SQNR_DB
    assert (runtime.delegated_fraction, runtime.undelegated_ops) == (1, ())
    count = len(units_of(quantised.module))
    assert runtime.precision == (f"int8 in {count} of {count} products; besides products, float32 in 9 Add, 9 Clamp, 9 Multiply")


def test_units_kept_in_float_run_in_float32(quantised: Quantised, pictures: list[torch.Tensor], tmp_path: Path) -> None:
    units = units_of(quantised.module)
    kept = (units[0], units[5], units[6], units[-1])
    program = capture_int8(quantised, kept)
    path = _convert(program, "int8", tmp_path / "mixed")
    answer, runtime = _answer(program, path, pictures[48:])
    assert _sqnr_db(_exact(program, pictures[48:]), answer) > MIN_SQNR_DB
    assert runtime.precision.startswith(f"float32 in 4 of {len(units)} products, int8 in {len(units) - 4}; ")
    assert (runtime.delegated_fraction, runtime.undelegated_ops) == (1, ())
