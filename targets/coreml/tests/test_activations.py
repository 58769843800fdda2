"""8-bit activations: ranges of all samples, numbers as documented, and what trained networks lose by them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from coremltools.converters.mil import Builder as mb  # noqa: N813 (its name in coremltools' documentation)
from coremltools.optimize.coreml.experimental._model_debugger import ModelDebugger
from numpy.typing import NDArray

from edgekit.errors import InputError, UsageError
from edgekit.mobilenet.checkpoint import Checkpoint, open_checkpoint
from edgekit.mobilenet.program import capture_program
from edgekit.parity import sqnr_db
from edgekit.target import ConvertJob
from edgekit_coreml.activations import LARGEST_PEAK, SMALLEST_PEAK, find_ranges, quantize_activations
from edgekit_coreml.reference import ReferenceModel
from edgekit_coreml.target import CoreMLTarget

Array = NDArray[Any]
SHAPE = (1, 2, 3, 4)


@pytest.fixture(scope="module")
def weights(random: np.random.Generator) -> list[Array]:
    """Of a convolution from 2 to 3 channels and one from 3 to 4, in the channels that they add up over."""
    return [random.standard_normal((o, i)).astype(np.float16) for o, i in ((3, 2), (4, 3))]


@pytest.fixture(scope="module")
def samples(random: np.random.Generator) -> list[dict[str, Array]]:
    """The widest one is in the middle."""
    return [{"x": (random.standard_normal(SHAPE) * size).astype(np.float16)} for size in (1, 4, 0.5)]


@pytest.fixture(scope="module")
def package(build: Callable[..., Path], weights: list[Array]) -> Path:
    def body(x: Any) -> Any:
        narrow, wide = (each[..., None, None] for each in weights)
        clipped = mb.clip(x=mb.conv(x=x, weight=narrow, name="narrow"), alpha=np.float16(0), beta=np.float16(2.5), name="clip")
        return mb.relu(x=mb.conv(x=clipped, weight=wide, name="wide"), name="relu")

    return build(body, x=np.zeros(SHAPE, np.float16))


def conv(x: Array, weight: Array) -> Array:
    return np.asarray(np.einsum("oi,nihw->nohw", weight.astype(np.float64), x.astype(np.float64)))


def tensors(x: Array, weights: list[Array]) -> dict[str, Array]:
    narrow = conv(x, weights[0])
    clipped = np.clip(narrow, 0, 2.5)
    wide = conv(clipped, weights[1])
    return {"x": x, "narrow": narrow, "clip": clipped, "wide": wide, "relu": np.maximum(wide, 0)}


def test_a_range_is_that_of_all_samples(package: Path, samples: list[dict[str, Array]], weights: list[Array]) -> None:
    ranges = find_ranges(package, samples)
    computed = [tensors(sample["x"], weights) for sample in samples]
    assert ranges.keys() == computed[0].keys()
    for name, found in ranges.items():
        every = np.stack([each[name] for each in computed])
        assert found == pytest.approx((min(every.min(), 0), max(every.max(), 0)), rel=1e-5), name


def test_the_recorder_of_coremltools_keeps_the_last_sample_only(samples: list[dict[str, Array]], weights: list[Array]) -> None:
    """What is found above would not be found so: apple/coremltools#2704."""
    recorded: dict[str, dict[str, float]] = defaultdict(dict)
    for sample in samples:
        ModelDebugger.record_intermediate_output(tensors(sample["x"], weights)["wide"], "wide", recorded)
    last = tensors(samples[-1]["x"], weights)["wide"]
    assert recorded["wide"] == {"rmin": last.min(), "rmax": last.max()}
    assert last.max() < 0.5 * max(tensors(sample["x"], weights)["wide"].max() for sample in samples)


@pytest.mark.parametrize("mode", ["linear_symmetric", "linear"])
def test_the_package_computes_as_documented(
    package: Path, samples: list[dict[str, Array]], weights: list[Array], tmp_path: Path, mode: Any
) -> None:
    """In numpy, with the scales worked out from all samples. Before an activation that is an output coremltools rounds too."""
    quantize_activations(package, samples, tmp_path / "out.mlpackage", mode=mode)
    model = ReferenceModel(tmp_path / "out.mlpackage")
    assert model.spec_version == 8
    computed = [tensors(sample["x"], weights) for sample in samples]

    def rounded(name: str, x: Array) -> Array:
        """To the nearest of 255 or 256 steps, and back."""
        low = np.float16(min(0, *(each[name].min() for each in computed)))
        high = np.float16(max(0, *(each[name].max() for each in computed)))
        if mode == "linear":
            scale, zero = np.float64(np.float16((high - low) / 255)), float(np.round(-128 - 255 * low / (high - low)))
        else:
            scale, zero = np.float64(np.float16(2 * max(-low, high) / 254)), 0.0
        return np.asarray((np.clip(np.round(x / scale) + zero, -128, 127) - zero) * scale)

    x = samples[0]["x"]
    clipped = rounded("clip", np.clip(conv(rounded("x", x), weights[0]), 0, 2.5))
    expected = np.maximum(rounded("wide", conv(clipped, weights[1])), 0)
    (answer,) = model.predict({"x": x}).values()
    np.testing.assert_allclose(answer, expected, rtol=2e-3, atol=2e-3)
    assert np.abs(expected - tensors(x, weights)["relu"]).max() > 1e-2, "8 bits should be seen"
    types = [computed.operation.type for computed in model.trace({"x": x})]
    pair = ["quantize", "dequantize"]
    assert types == [*pair, "conv", "clip", *pair, "conv", *pair, "relu"]


def test_what_is_concatenated_shares_a_range(build: Callable[..., Path], random: np.random.Generator) -> None:
    def body(x: Any) -> Any:
        small, large = mb.mul(x=x, y=np.float16(0.25), name="small"), mb.mul(x=x, y=np.float16(8), name="large")
        first = mb.concat(values=[small, x], axis=1, name="first")
        return mb.concat(values=[x, large], axis=1, name="second"), first, mb.mul(x=x, y=np.float16(2), name="alone")

    x = random.standard_normal(SHAPE).astype(np.float16)
    ranges = find_ranges(build(body, x=x), [{"x": x}])
    wide = float(8 * x.min()), float(8 * x.max())
    shared = dict.fromkeys(("small", "x", "large", "first", "second"), wide)
    assert ranges == {**shared, "alone": (float(2 * x.min()), float(2 * x.max()))}


def test_tensors_of_next_to_nothing_have_a_range_that_can_be_scaled(package: Path) -> None:
    for x in (np.zeros(SHAPE, np.float16), np.full(SHAPE, 6e-8, np.float16)):
        for low, high in find_ranges(package, [{"x": x}]).values():
            assert high == SMALLEST_PEAK
            assert low == pytest.approx(0, abs=1e-6)


def test_what_cannot_be_quantised_is_said(package: Path, build: Callable[..., Path], tmp_path: Path) -> None:
    out = tmp_path / "out.mlpackage"
    with pytest.raises(UsageError, match="no samples"):
        quantize_activations(package, [], out)
    with pytest.raises(UsageError, match="'x'"):
        quantize_activations(package, [{"y": np.zeros(SHAPE, np.float16)}], out)
    with pytest.raises(InputError, match=r"conv 'narrow' of .*: 'x' goes from 40000 to 40000, which 8 bits"):
        quantize_activations(package, [{"x": np.full(SHAPE, 40_000, np.float16)}], out)
    assert LARGEST_PEAK < 40_000
    with pytest.raises(InputError, match=r"not an \.mlpackage"):
        quantize_activations(tmp_path / "none.mlpackage", [{}], out)
    assert not out.exists()
    out.mkdir()
    with pytest.raises(UsageError, match="exists already"):
        quantize_activations(package, [{}], out)


# dB of SQNR against the float network on eight photographs together that int8 activations and weights leave, and of them
# those with the same first class, with 24 other pictures to calibrate on
FIGURES = {"mobilenet_v1_0.25_96_vww": (15.0, 8), "mobilenet_v2_1.0_224": (18.0, 7)}


@pytest.mark.shared_data
@pytest.mark.parametrize("name", FIGURES)
def test_trained_networks(shared_data: Path, name: str, tmp_path: Path) -> None:
    torch.set_num_threads(1)
    checkpoint = open_checkpoint(str(shared_data / "models" / name))
    options = {"minimum_deployment_target": "iOS17"}
    job = ConvertJob(capture_program(checkpoint.network()), "int8-weights", options, tmp_path)
    package = CoreMLTarget().convert(job).path
    calibration = sorted((shared_data / "images_dev").glob("*.jpg"))[5::12][:24]
    photographs = sorted(path for path in (shared_data / "misc").glob("*.*g") if not path.stem.endswith("_mask"))
    assert (len(calibration), len(photographs)) == (24, 8)
    inputs = [{"image": checkpoint.preprocessing.tensor(path)} for path in calibration]
    black = [{"image": np.full_like(inputs[0]["image"], -1)}]
    expected = _float_answers(checkpoint, photographs)
    sqnr, agreements = {}, {}
    for kind, given in (("all", inputs), ("black", black)):
        quantize_activations(package, given, tmp_path / f"{kind}.mlpackage")
        model = ReferenceModel(tmp_path / f"{kind}.mlpackage", "float16")
        assert {"quantize", "dequantize", "constexpr_affine_dequantize"} <= model.op_types
        answers = np.concatenate([model.predict({"image": checkpoint.preprocessing.tensor(p)})["logits"] for p in photographs])
        sqnr[kind] = sqnr_db(expected=expected, actual=answers)
        agreements[kind] = int((answers.argmax(1) == expected.argmax(1)).sum())
    least_db, least_agreement = FIGURES[name]
    assert sqnr["all"] >= least_db
    assert agreements["all"] >= least_agreement
    assert sqnr["black"] < sqnr["all"] - 6, "ranges of one picture cut the others off"


def _float_answers(checkpoint: Checkpoint, photographs: list[Path]) -> Array:
    network = checkpoint.network()
    with torch.no_grad():
        answers = [network(torch.from_numpy(checkpoint.preprocessing.tensor(path))) for path in photographs]
    return np.concatenate([(answer[0] if isinstance(answer, tuple) else answer).numpy() for answer in answers])
