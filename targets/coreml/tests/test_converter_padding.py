"""Zero padding becomes part of the convolution after it, where it can, and the numbers stay."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import coremltools as ct
import numpy as np
import pytest
from coremltools.converters.mil import Builder as mb  # noqa: N813 (its name in coremltools' documentation)
from numpy.typing import NDArray

from edgekit.mobilenet.checkpoint import open_checkpoint
from edgekit.mobilenet.network import MobileNet
from edgekit.mobilenet.program import capture_program
from edgekit.target import Conversion, ConvertJob
from edgekit_coreml.padding import fold_pads
from edgekit_coreml.reference import ReferenceModel
from edgekit_coreml.target import CoreMLTarget

Array = NDArray[Any]
Body = Callable[[Any], Any]

X = np.random.default_rng(1).standard_normal((2, 4, 9, 7)).astype(np.float32)
W = np.random.default_rng(2).standard_normal((6, 2, 3, 2)).astype(np.float32)
GROUPED: dict[str, Any] = {"weight": W, "strides": [2, 1], "dilations": [1, 2], "groups": 2}


def conv(x: Any, **options: Any) -> Any:
    return mb.conv(x=x, **(GROUPED | options))


def pad(x: Any, *amounts: int, **options: Any) -> Any:
    return mb.pad(x=x, pad=list(amounts), **options)


def twice(x: Any) -> Any:
    return mb.add(x=conv(x), y=conv(x, weight=2 * W))


FOLDED: dict[str, Body] = {
    "last axes": lambda x: conv(pad(x, 0, 1, 2, 3)),
    "all axes": lambda x: conv(pad(x, 0, 0, 0, 0, 1, 0, 0, 2)),
    "onto its own": lambda x: conv(pad(x, 1, 0, 0, 3), pad_type="custom", pad=[0, 2, 1, 0]),
    "twice": lambda x: conv(pad(pad(x, 0, 1), 1, 0, 2, 0)),
    "two readers": lambda x: twice(pad(x, 0, 1, 1, 0)),
}
KEPT: dict[str, Body] = {
    "another value": lambda x: conv(pad(x, 0, 1, 1, 0, constant_val=0.5)),
    "reflected": lambda x: conv(pad(x, 0, 1, 1, 0, mode="reflect")),
    "channels": lambda x: conv(pad(x, 0, 0, 2, 2, 0, 1, 0, 1), weight=np.concatenate([W, W], axis=1)),
    "before same": lambda x: conv(pad(x, 0, 1, 1, 0), pad_type="same"),
    "an activation between": lambda x: conv(mb.sigmoid(x=pad(x, 0, 1, 1, 0))),
}


@pytest.fixture
def folded(save_program: Callable[..., None], tmp_path: Path) -> Callable[[Body], ReferenceModel]:
    def folded(body: Body) -> ReferenceModel:
        program = mb.program(input_specs=[mb.TensorSpec(shape=X.shape)], opset_version=ct.target.iOS16)(body)
        fold_pads(program)
        save_program(program, tmp_path / "folded.mlpackage", compute_precision=ct.precision.FLOAT32)
        return ReferenceModel(tmp_path / "folded.mlpackage")

    return folded


def answer(model: ReferenceModel) -> Array:
    (given,), (output,) = model.inputs, model.outputs
    return np.asarray(model.predict({given.name: X})[output.name])


@pytest.mark.parametrize("body", FOLDED.values(), ids=FOLDED)
def test_a_zero_pad_is_folded(body: Body, folded: Callable[[Body], ReferenceModel], run: Callable[..., list[Array]]) -> None:
    model = folded(body)
    assert "pad" not in model.op_types
    (expected,) = run(body, x=X)
    np.testing.assert_allclose(answer(model), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("body", KEPT.values(), ids=KEPT)
def test_what_a_convolution_cannot_express_stays(
    body: Body, folded: Callable[[Body], ReferenceModel], run: Callable[..., list[Array]]
) -> None:
    model = folded(body)
    assert "pad" in model.op_types
    (expected,) = run(body, x=X)
    np.testing.assert_allclose(answer(model), expected, rtol=1e-5, atol=1e-5)


def test_a_pad_that_is_needed_elsewhere_stays_for_it(
    folded: Callable[[Body], ReferenceModel], run: Callable[..., list[Array]]
) -> None:
    def body(x: Any) -> Any:
        padded = pad(x, 0, 1, 1, 0)
        return mb.add(x=mb.reduce_sum(x=conv(padded)), y=mb.reduce_max(x=padded))

    model = folded(body)
    assert "pad" in model.op_types
    (expected,) = run(body, x=X)
    np.testing.assert_allclose(answer(model), expected, rtol=1e-5, atol=1e-4)


def test_a_network_that_pads_as_tensorflow_has_no_pad(converted: Callable[..., Conversion], network: MobileNet) -> None:
    targets = [node.target for node in capture_program(network).exported.graph.nodes]
    assert "aten.pad.default" in map(str, targets)  # or there is nothing to fold
    assert "pad" not in ReferenceModel(converted().path).op_types


@pytest.mark.shared_data
def test_googles_checkpoint_without_pads_is_the_same_function(
    shared_data: Path, save_program: Callable[..., None], tmp_path: Path
) -> None:
    program = capture_program(open_checkpoint(str(shared_data / "models" / "mobilenet_v1_0.25_128")).network())
    plain = tmp_path / "plain.mlpackage"
    save_program(program.exported.run_decompositions({}), plain, compute_precision=ct.precision.FLOAT32)
    ours = CoreMLTarget().convert(ConvertJob(program, "float32", {}, tmp_path))
    before, after = ReferenceModel(plain), ReferenceModel(ours.path)
    assert "pad" in before.op_types
    assert "pad" not in after.op_types
    image = np.random.default_rng(3).uniform(-1, 1, (1, 3, 128, 128)).astype(np.float32)
    (expected,), (actual,) = (model.predict({model.inputs[0].name: image}).values() for model in (before, after))
    np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-5 * np.abs(expected).max())
