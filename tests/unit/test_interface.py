"""The network's reference, seen through an artifact that takes pictures and gives probabilities."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from edgekit.errors import InputError
from edgekit.interface import adapt_reference, input_of, random_input, softmax
from edgekit.preprocessing import Preprocessing
from edgekit.reference import Outputs, Reference
from edgekit.samples import Sample
from edgekit.target import TensorSpec

PREPROCESSING = Preprocessing("RGB", mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225), resize=(2, 3))
PIXELS = np.random.default_rng(5).integers(0, 256, (2, 3, 3), dtype=np.uint8)
TENSOR = TensorSpec("image", (1, 3, 2, 3), "float32", "NCHW")
PICTURE = replace(TENSOR, dtype="uint8")
LOGITS = TensorSpec("logits", (1, 3), "float32", "NK")
PROBABILITIES = TensorSpec("probabilities", (1, 3), "float32", "NK", softmax_of="logits")


def reference() -> Reference:
    """A picture, and an input between two pixels."""
    samples = (
        Sample("finch.png", "image", PREPROCESSING.normalise(PIXELS)),
        Sample("between", "synthetic", PREPROCESSING.normalise(PIXELS) + np.float32(0.5 / 255 / 0.229)),
    )

    def answers(dtype: str) -> tuple[Outputs, ...]:
        return tuple({"logits": np.array([[i, 2.0, 3.0]], dtype)} for i in range(2))

    return Reference(samples, answers("float64"), {"float32": answers("float32"), "float16": answers("float16")})


def test_tensors_and_logits_stay() -> None:
    adapted, notes = adapt_reference(reference(), PREPROCESSING, [TENSOR], [LOGITS])
    assert notes == ()
    np.testing.assert_array_equal(adapted.samples[1].image_nchw, reference().samples[1].image_nchw)
    assert set(adapted.float64[0]) == {"logits"}


def test_a_picture_is_given_as_its_pixels_and_what_is_none_is_left_out() -> None:
    adapted, (note,) = adapt_reference(reference(), PREPROCESSING, [PICTURE], [LOGITS])
    (sample,) = adapted.samples
    assert sample.name == "finch.png"
    assert sample.image_nchw.dtype == np.float32
    np.testing.assert_array_equal(sample.image_nchw[0].transpose(1, 2, 0), PIXELS)
    assert [len(adapted.float64), len(adapted.yardsticks["float16"])] == [1, 1]
    assert "between" in note


def test_without_any_picture_nothing_can_be_judged() -> None:
    whole = reference()
    between = Reference(whole.samples[1:], whole.float64[1:], {})
    with pytest.raises(InputError, match="another model"):
        adapt_reference(between, PREPROCESSING, [PICTURE], [LOGITS])


def test_probabilities_are_compared_with_the_softmax_of_the_logits() -> None:
    adapted, _ = adapt_reference(reference(), PREPROCESSING, [TENSOR], [PROBABILITIES])
    powers = [np.exp(1.0), np.exp(2.0), np.exp(3.0)]
    np.testing.assert_allclose(adapted.float64[1]["probabilities"], [[power / sum(powers) for power in powers]], rtol=1e-12)
    assert adapted.yardsticks["float16"][1]["probabilities"].dtype == np.float16


def test_the_float32_yardstick_rounds_in_its_softmax_too() -> None:
    """A softmax in float32 is one or two last places off; rounding a float64 one, at most half a place, is no yardstick of it."""
    rows = np.random.default_rng(6).normal(0, 3, (500, 1, 10)).astype(np.float32)
    answers = tuple({"logits": row.astype(np.float64)} for row in rows)
    whole = replace(
        reference(),
        samples=(reference().samples[0],) * len(rows),
        float64=answers,
        yardsticks={"float32": tuple({"logits": row} for row in rows)},
    )
    adapted, _ = adapt_reference(whole, PREPROCESSING, [TENSOR], [PROBABILITIES])
    places = []
    for exact, yardstick in zip(adapted.float64, adapted.yardsticks["float32"], strict=True):
        error = np.abs(exact["probabilities"] - yardstick["probabilities"]).max()
        places.append(error / np.spacing(yardstick["probabilities"].max()))
        assert yardstick["probabilities"].dtype == np.float32
    assert 0.6 < np.max(places) < 4


def test_probabilities_of_another_models_output() -> None:
    with pytest.raises(InputError, match="no output 'scores'"):
        adapt_reference(reference(), PREPROCESSING, [TENSOR], [replace(PROBABILITIES, softmax_of="scores")])


def test_softmax_of_large_logits() -> None:
    np.testing.assert_allclose(softmax(np.array([1e4, 1e4 + np.log(3.0)])), [0.25, 0.75], rtol=1e-9)


def test_an_input_is_what_the_artifact_takes() -> None:
    picture = Image.fromarray(PIXELS)
    np.testing.assert_array_equal(input_of(picture, PREPROCESSING, TENSOR), PREPROCESSING.normalise(PIXELS))
    np.testing.assert_array_equal(input_of(picture, PREPROCESSING, PICTURE)[0].transpose(1, 2, 0), PIXELS)


def test_pictures_are_red_green_blue_whatever_the_training() -> None:
    reversed_order = replace(PREPROCESSING, color="BGR")
    np.testing.assert_array_equal(input_of(Image.fromarray(PIXELS), reversed_order, PICTURE)[0].transpose(1, 2, 0), PIXELS)


def test_made_up_inputs_are_of_the_inputs_kind() -> None:
    assert random_input(TENSOR).min() < 0
    pixels = random_input(PICTURE)
    assert pixels.dtype == np.float32
    assert pixels.min() >= 0
    np.testing.assert_array_equal(pixels, np.rint(pixels))


def test_every_pixel_value_is_found_again() -> None:
    levels = np.arange(256, dtype=np.uint8).reshape(16, 16, 1)
    for preprocessing in (
        Preprocessing("L", mean=(0.1307,), std=(0.3081,)),
        Preprocessing("L", mean=(0.0,), std=(1.0,)),
        Preprocessing("L", mean=(127.5,), std=(127.5,), scale=1.0),
    ):
        np.testing.assert_array_equal(preprocessing.restore(preprocessing.normalise(levels)), levels)


@pytest.mark.parametrize("value", [-1.0, 256.0, 3.5, np.nan])
def test_no_pixel_has_this_value(value: float) -> None:
    preprocessing = Preprocessing("L", mean=(0.1,), std=(0.3,))
    tensor = np.full((1, 1, 2, 2), (value / 255 - 0.1) / 0.3, np.float32)
    assert preprocessing.restore(tensor) is None
