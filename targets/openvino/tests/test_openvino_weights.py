"""int8-weights: the integers and scales that were chosen, and what OpenVINO makes of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import openvino
import torch
from numpy.typing import NDArray

from edgekit.mobilenet.compression import MIN_SIZE, compress_weights
from edgekit.testing import Made
from edgekit_openvino.size import strip_details
from edgekit_openvino.target import OpenVINOTarget

Images = Sequence[NDArray[np.float32]]
Run = Callable[[Made, Images], NDArray[np.float64]]


def sqnr_db(expected: NDArray[np.float64], answers: NDArray[np.float64]) -> float:
    return float(10 * np.log10((expected**2).sum() / max(((answers - expected) ** 2).sum(), 1e-30)))


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


def test_activations_are_not_rounded_whatever_the_cpu(digits: Mapping[str, Made]) -> None:
    """Where the CPU has VNNI, OpenVINO rounds the classifier's to bytes, unless the file says otherwise: 47 dB."""
    core = openvino.Core()
    for name, expected in (("int8-weights", 0), ("float32", 32)):
        compiled = core.compile_model(str(digits[name].conversion.path), "CPU")
        assert compiled.get_property("DYNAMIC_QUANTIZATION_GROUP_SIZE") == expected


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
