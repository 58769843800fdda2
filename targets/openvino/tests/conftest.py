"""Artifacts that several modules look at: converting takes seconds."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from edgekit.digits import held_out
from edgekit.digits.recipe import input_tensor
from edgekit.quantization.exact import ExactInt8
from edgekit.quantization.program import capture_int8, quantise
from edgekit.quantization.unit import units_of
from edgekit.testing import Made, make_artifact, make_case
from edgekit_openvino import runner
from edgekit_openvino.target import OpenVINOTarget

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
def digits(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Made]:
    """The embedded model, a V3-Small, by precision; int8 with weights of 7 bits; and `mixed`, int8 with units kept in float."""
    trained = make_case().trained
    quantised, units = trained.quantised, units_of(trained.quantised.module)
    programs = {precision: trained.of(precision) for precision in OpenVINOTarget.tolerances} | {
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
    return [image[None] for image in input_tensor(held_out()[0])[:24].numpy()]
