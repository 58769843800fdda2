"""Pictures in and probabilities out, against the network in float64 with its preprocessing written out by hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from coremltools.proto import FeatureTypes_pb2, Model_pb2
from numpy.typing import NDArray
from PIL import Image

from edgekit.errors import UsageError
from edgekit.manifest import ModelCard
from edgekit.mobilenet.network import MobileNet
from edgekit.mobilenet.program import capture_program
from edgekit.mobilenet.spec import MobileNetSpec
from edgekit.preprocessing import Preprocessing
from edgekit.target import Conversion, ConvertJob, LoadJob
from edgekit_coreml.features import unique_labels
from edgekit_coreml.reference import Mode, ReferenceModel
from edgekit_coreml.runner import ReferenceRunner
from edgekit_coreml.target import CoreMLTarget

PIXELS = np.random.default_rng(7).integers(0, 256, (32, 32, 3), dtype=np.uint8)
PIXELS[:8] = 0  # black at an edge: padding that is zero before normalising and not after would not show in noise alone
FLOOR_DB = 90  # of a network with random weights, which float32 rounds to 98 dB or more; trained ones are held to 100 elsewhere
ColorSpace = FeatureTypes_pb2.ImageFeatureType.ColorSpace


def logits_of(network: MobileNet, preprocessing: Preprocessing, pixels: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Pixels are R, G, B, and are put in the order of training."""
    planes = [pixels[:, :, i].astype(np.float64) for i in range(pixels.shape[2])]
    if preprocessing.color == "BGR":
        planes.reverse()
    normalised = [
        (plane * preprocessing.scale - mean) / std
        for plane, mean, std in zip(planes, preprocessing.mean, preprocessing.std, strict=True)
    ]
    with torch.no_grad():
        answer: NDArray[np.float64] = network.double()(torch.from_numpy(np.stack(normalised)[None])).numpy()
    network.float()
    return answer


def sqnr_db(expected: NDArray[Any], actual: NDArray[Any]) -> float:
    return float(10 * np.log10((expected**2).sum() / ((actual - expected) ** 2).sum()))


def description_of(path: Path) -> Any:
    return Model_pb2.Model.FromString((path / "Data/com.apple.CoreML/model.mlmodel").read_bytes()).description


def color_of(path: Path) -> int:
    (given,) = description_of(path).input
    assert (given.type.imageType.width, given.type.imageType.height) == (32, 32)
    return int(given.type.imageType.colorSpace)


@pytest.mark.parametrize(("color", "space"), [("as_trained", ColorSpace.RGB), ("RGB", ColorSpace.RGB), ("BGR", ColorSpace.BGR)])
@pytest.mark.parametrize(("precision", "mode", "floor_db"), [("float32", "exact", FLOOR_DB), ("float16", "float16", 30)])
def test_a_picture_is_normalised_channel_by_channel(
    converted: Callable[..., Conversion],
    network: MobileNet,
    card: ModelCard,
    color: str,
    space: int,
    precision: str,
    mode: Mode,
    floor_db: int,
) -> None:
    """One scale for all channels, or the channels exchanged, would be far off: their deviations differ by up to 2.6."""
    path = converted(precision, input="image", color=color).path
    assert color_of(path) == space
    (logits,) = ReferenceModel(path, mode).predict({"image": Image.fromarray(PIXELS)}).values()
    assert sqnr_db(logits_of(network, card.preprocessing, PIXELS), logits) >= floor_db
    swapped = np.ascontiguousarray(PIXELS[:, :, ::-1])
    assert sqnr_db(logits_of(network, card.preprocessing, swapped), logits) < 20  # or the order would make no difference here


@pytest.mark.parametrize("color", ["as_trained", "RGB"])
def test_a_network_of_blue_green_red_is_given_what_it_was_trained_on(
    converted: Callable[..., Conversion], network: MobileNet, card: ModelCard, color: str
) -> None:
    reversed_card = replace(card, preprocessing=replace(card.preprocessing, color="BGR"))
    path = converted(input="image", color=color, card=reversed_card).path
    assert color_of(path) == (ColorSpace.BGR if color == "as_trained" else ColorSpace.RGB)
    (logits,) = ReferenceModel(path).predict({"image": Image.fromarray(PIXELS)}).values()
    assert sqnr_db(logits_of(network, reversed_card.preprocessing, PIXELS), logits) >= FLOOR_DB


def test_a_grey_picture(card: ModelCard, tmp_path: Path) -> None:
    torch.manual_seed(3)
    spec = MobileNetSpec("v1", width=0.25, resolution=32, input_channels=1, classes=5)
    network = MobileNet(spec).eval()
    grey = replace(card, spec=spec, preprocessing=Preprocessing("L", mean=(0.3,), std=(0.2,)))
    job = ConvertJob(capture_program(network), "float32", {"input": "image"}, tmp_path, grey)
    path = CoreMLTarget().convert(job).path
    assert color_of(path) == ColorSpace.GRAYSCALE
    (logits,) = ReferenceModel(path).predict({"image": Image.fromarray(PIXELS[:, :, 0])}).values()
    assert sqnr_db(logits_of(network, grey.preprocessing, PIXELS[:, :, :1]), logits) >= FLOOR_DB


@pytest.mark.parametrize("given", ["tensor", "image"])
def test_a_classifiers_probabilities_are_probabilities(
    converted: Callable[..., Conversion], network: MobileNet, card: ModelCard, given: str
) -> None:
    path = converted(input=given, output="classifier").path
    normalised = card.preprocessing.normalise(PIXELS)
    answer = ReferenceModel(path).predict({"image": Image.fromarray(PIXELS) if given == "image" else normalised})
    logits = logits_of(network, card.preprocessing, PIXELS)[0]
    expected = np.exp(logits) / np.exp(logits).sum()
    assert set(answer) == {"classLabel", "classLabel_probs"}
    probabilities = answer["classLabel_probs"]
    assert list(probabilities) == ["crane (0)", "finch", "crane (2)", "wren", "none"]
    np.testing.assert_allclose(list(probabilities.values()), expected, rtol=1e-4)
    assert answer["classLabel"] == list(probabilities)[int(expected.argmax())]


def test_xcode_can_preview_a_classifier_of_pictures(converted: Callable[..., Conversion]) -> None:
    description = description_of(converted(input="image", output="classifier").path)
    assert description.metadata.userDefined["com.apple.coreml.model.preview.type"] == "imageClassifier"
    assert description.predictedFeatureName == "classLabel"
    assert description.predictedProbabilitiesName == "classLabel_probs"
    assert {output.name for output in description.output if output.shortDescription} == {"classLabel", "classLabel_probs"}
    (given,) = description.input
    assert "normalises itself" in given.shortDescription


def test_the_artifact_says_what_it_takes_and_gives(converted: Callable[..., Conversion]) -> None:
    conversion = converted(input="image", output="classifier")
    (given,), (output,) = conversion.inputs, conversion.outputs
    assert (given.name, given.shape, given.dtype) == ("image", (1, 3, 32, 32), "uint8")
    assert (output.name, output.shape, output.softmax_of) == ("classLabel_probs", (1, 5), "logits")
    assert any("normalises" in note for note in conversion.notes)
    assert any("2 classes share their label" in note and "crane (0)" in note for note in conversion.notes)


def test_a_runner_takes_pixels_and_gives_rows(converted: Callable[..., Conversion], network: MobileNet, card: ModelCard) -> None:
    conversion = converted(input="image", output="classifier")
    job = LoadJob(conversion.path, "float32", conversion.options, conversion.inputs, conversion.outputs, 1, card.labels)
    with ReferenceRunner(job) as runner:
        answers = runner.infer({"image": card.preprocessing.picture(PIXELS)})
        logits = logits_of(network, card.preprocessing, PIXELS)
        expected = np.exp(logits) / np.exp(logits).sum()
        np.testing.assert_allclose(answers["classLabel_probs"], expected, rtol=1e-4)
        assert answers["classLabel_probs"].dtype == np.float32
        with pytest.raises(UsageError, match="whole numbers from 0 to 255"):
            runner.infer({"image": card.preprocessing.normalise(PIXELS)})


def test_labels_of_one_name_are_told_apart() -> None:
    assert unique_labels(("crane", "finch", "crane")) == ("crane (0)", "finch", "crane (2)")
    assert unique_labels(("a", "b")) == ("a", "b")


@pytest.mark.parametrize(
    ("options", "changes", "message"),
    [
        ({"color": "BGR"}, {}, "input=image"),
        ({"output": "classifier"}, {"labels": ()}, "--labels"),
        ({"input": "picture"}, {}, "picture"),
        ({"color_layout": "BGR"}, {}, "no option 'color_layout'"),
    ],
)
def test_what_cannot_be_is_said(
    network: MobileNet, card: ModelCard, tmp_path: Path, options: dict[str, str], changes: dict[str, Any], message: str
) -> None:
    job = ConvertJob(capture_program(network), "float32", options, tmp_path, replace(card, **changes))
    with pytest.raises(UsageError, match=message):
        CoreMLTarget().convert(job)


def test_a_grey_model_has_no_channels_to_swap(network: MobileNet, card: ModelCard, tmp_path: Path) -> None:
    grey = replace(card, preprocessing=Preprocessing("L", mean=(0.3,), std=(0.2,)))
    job = ConvertJob(capture_program(network), "float32", {"input": "image", "color": "BGR"}, tmp_path, grey)
    with pytest.raises(UsageError, match="grey"):
        CoreMLTarget().convert(job)
