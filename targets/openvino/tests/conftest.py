"""Artifacts that several modules look at: converting takes seconds."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from edgekit.digits import held_out
from edgekit.digits.recipe import input_tensor
from edgekit.mobilenet.checkpoint import open_checkpoint
from edgekit.mobilenet.program import capture_program
from edgekit.quantization.exact import ExactInt8
from edgekit.quantization.program import Quantised, capture_int8, quantise
from edgekit.quantization.unit import units_of
from edgekit.testing import Made, make_artifact
from edgekit_openvino import runner
from edgekit_openvino.target import OpenVINOTarget

CALIBRATION = 16
Images = Sequence[NDArray[np.float32]]
Run = Callable[[Made, Images], NDArray[np.float64]]


@pytest.fixture
def vnni(monkeypatch: pytest.MonkeyPatch) -> None:
    """The runner takes this CPU for one whose int8 products are right, and leaves all to OpenVINO."""
    monkeypatch.setattr(runner, "cpu_overflows", lambda: False)


@pytest.fixture
def no_vnni(monkeypatch: pytest.MonkeyPatch) -> None:
    """The runner takes this CPU for one whose int8 products overflow."""
    monkeypatch.setattr(runner, "cpu_overflows", lambda: True)


@pytest.fixture(scope="session")
def run() -> Run:
    """Run an artifact on pictures."""

    def run(made: Made, images: Images) -> NDArray[np.float64]:
        with made.load(OpenVINOTarget()) as loaded:
            return np.concatenate([loaded.infer({"image": image})["logits"] for image in images]).astype(np.float64)

    return run


@pytest.fixture(scope="session")
def run_exactly() -> Run:
    """Run the int8 program of an artifact."""

    def run_exactly(made: Made, images: Images) -> NDArray[np.float64]:
        exact = ExactInt8(made.program.exported.module())
        return np.concatenate([exact(torch.from_numpy(image))[0][None].numpy() for image in images])

    return run_exactly


@pytest.fixture(scope="session")
def quantised() -> Quantised:
    """The embedded model, a V3-Small, with its ranges."""
    images = input_tensor(held_out()[0])[:CALIBRATION]
    return quantise(capture_program(open_checkpoint("digits").network()), [image[None] for image in images])


@pytest.fixture(scope="session")
def digits(quantised: Quantised, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Made]:
    """Its artifacts by precision; int8 with weights of 7 bits; and `mixed`, int8 with five units kept in float."""
    units = units_of(quantised.module)
    programs = {
        "float32": quantised.program,
        "int8-weights": quantised.program,
        "int8": capture_int8(quantised),
        "int8 of 7 bits": capture_int8(quantise(quantised.program, quantised.images_nchw, weight_bits=7)),
        "mixed": capture_int8(quantised, {*units[:2], units[20], units[30], units[-1]}),
    }

    def make(name: str) -> Made:
        precision = name if name in OpenVINOTarget.tolerances else "int8"
        return make_artifact(OpenVINOTarget(), programs[name], precision, tmp_path_factory.mktemp("artifact"))

    return {name: make(name) for name in programs}


@pytest.fixture(scope="session")
def pictures() -> Images:
    """Digits that the model was not calibrated on, 1x1x32x32."""
    return [image[None] for image in input_tensor(held_out()[0])[CALIBRATION:][:24].numpy()]
