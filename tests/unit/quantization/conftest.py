"""The embedded model, calibrated once for all tests of this folder."""

from __future__ import annotations

import pytest
import torch
from PIL import Image
from torch import Tensor

from edgekit.digits import held_out
from edgekit.mobilenet.checkpoint import Checkpoint, open_checkpoint
from edgekit.mobilenet.program import capture_program
from edgekit.quantization.program import Quantised, capture_int8, quantise
from edgekit.target import Program


@pytest.fixture(scope="session")
def checkpoint() -> Checkpoint:
    return open_checkpoint("digits")


@pytest.fixture(scope="session")
def pictures(checkpoint: Checkpoint) -> tuple[Tensor, ...]:
    """64 pictures, one batch of one each; the first 32 to calibrate on."""
    preprocessing = checkpoint.preprocessing
    arrays = [preprocessing.normalise(preprocessing.pixels(Image.fromarray(pixels))) for pixels in held_out()[0][:64]]
    return tuple(torch.from_numpy(array) for array in arrays)


@pytest.fixture(scope="session")
def quantised(checkpoint: Checkpoint, pictures: tuple[Tensor, ...]) -> Quantised:
    return quantise(capture_program(checkpoint.network()), pictures[:32])


@pytest.fixture(scope="session")
def int8(quantised: Quantised) -> Program:
    return capture_int8(quantised)
