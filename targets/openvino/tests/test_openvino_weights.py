"""int8-weights: the integers and scales that were chosen, and what OpenVINO makes of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import openvino
import pytest
import torch
from numpy.typing import NDArray

from edgekit.mobilenet.compression import MIN_SIZE, compress_weights, quantize_channels
from edgekit.testing import Made
from edgekit_openvino.size import strip_details
from edgekit_openvino.target import OpenVINOTarget
from edgekit_openvino.weights import find_integers

Images = Sequence[NDArray[np.float32]]
Run = Callable[[Made, Images], NDArray[np.float64]]


def sqnr_db(expected: NDArray[np.float64], answers: NDArray[np.float64]) -> float:
    return float(10 * np.log10((expected**2).sum() / max(((answers - expected) ** 2).sum(), 1e-30)))


@pytest.mark.parametrize("shape", [(8, 16, 3, 3), (32, 64), (16, 1, 1, 5, 5)])
def test_integers_and_scales_give_back_what_was_chosen(shape: tuple[int, ...]) -> None:
    weights = quantize_channels(torch.randn(shape, generator=torch.Generator().manual_seed(0))).numpy()
    weights[3] = 0
    integers, scales = find_integers(weights, axes=2 if len(shape) == 5 else 1)
    assert (str(integers.dtype), str(scales.dtype)) == ("int8", "float16")
    assert scales.shape == (shape[0], *[1] * (len(shape) - 1))
    np.testing.assert_array_equal(integers * scales.astype(np.float32), weights)


def test_other_weights_are_refused() -> None:
    with pytest.raises(ValueError, match="not int8 times a float16 scale"):
        find_integers(np.linspace(-1, 1, 64, dtype=np.float32).reshape(4, 16))


def test_weights_of_more_than_a_few_values_are_int8(digits: Mapping[str, Made]) -> None:
    model = openvino.Core().read_model(digits["int8-weights"].conversion.path)
    found = [(node.get_element_type(), node.data.size) for node in model.get_ops() if node.get_type_name() == "Constant"]
    assert {kind for kind, size in found if size > MIN_SIZE} == {openvino.Type.i8}
    assert {kind for kind, size in found if size <= MIN_SIZE} <= {openvino.Type.f32, openvino.Type.i64}


def test_they_are_the_weights_that_were_chosen(digits: Mapping[str, Made], pictures: Images, run: Run) -> None:
    """And not those before: the control."""
    made = digits["int8-weights"]
    answers = run(made, pictures)
    assert sqnr_db(_answers(compress_weights(made.program.exported, "int8-weights"), pictures), answers) > 100
    assert sqnr_db(_answers(made.program.exported, pictures), answers) < 60


def _answers(exported: torch.export.ExportedProgram, images: Images) -> NDArray[np.float64]:
    module = exported.module()
    with torch.no_grad():
        return np.concatenate([module(torch.from_numpy(image)).numpy() for image in images]).astype(np.float64)


def test_it_is_told(digits: Mapping[str, Made]) -> None:
    assert digits["int8-weights"].load(OpenVINOTarget()).runtime.precision == "int8 weights, f32 arithmetic"


def test_artifacts_are_smaller(digits: Mapping[str, Made]) -> None:
    """A quarter of the weights' bytes; what is left of a network this small is its description."""
    sizes = {name: sum(file.stat().st_size for file in made.folder.iterdir()) for name, made in digits.items()}
    assert sizes["int8-weights"] < 0.45 * sizes["float32"]
    weights = {name: (made.folder / "model.bin").stat().st_size for name, made in digits.items()}
    assert weights["int8"] < 0.30 * weights["float32"]


def test_details_that_are_left_out_are_not_read() -> None:
    xml = (
        '<layer id="3" name="1f" type="Add" version="opset1"><data auto_broadcast="numpy" /><input><port id="0" precision="FP32">'
        '<dim>1</dim><dim>8</dim></port><port id="1" precision="FP32"></port></input><output><port id="2" precision="FP32">'
        "<dim>1</dim><dim>8</dim></port></output></layer>"
    )
    assert strip_details(xml) == (
        '<layer id="3" name="1f" type="Add" version="opset1"><data/><input><port id="0"/><port id="1"/></input>'
        '<output><port id="2" precision="FP32"><dim>1</dim><dim>8</dim></port></output></layer>'
    )
