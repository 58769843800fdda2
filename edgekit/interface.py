"""The network's inputs and answers as an artifact's own interface has them: pixels for tensors, probabilities for logits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import DTypeLike, NDArray
from PIL import Image

from edgekit.errors import InputError
from edgekit.preprocessing import Preprocessing
from edgekit.reference import Outputs, Reference
from edgekit.target import TensorSpec

PICTURE = "uint8"


def input_of(picture: Image.Image, preprocessing: Preprocessing, spec: TensorSpec) -> NDArray[np.float32]:
    """Turn a decoded picture into what the artifact takes.

    Returns:
        float32 NCHW, a batch of one: normalised, or whole numbers from 0 to 255 where the artifact normalises.
    """
    return input_of_pixels(preprocessing.pixels(picture), preprocessing, spec)


def input_of_pixels(pixels_hwc: NDArray[np.uint8], preprocessing: Preprocessing, spec: TensorSpec) -> NDArray[np.float32]:
    """Turn pixels, as `Preprocessing.pixels` returns them, into what the artifact takes: see `input_of`."""
    return preprocessing.picture(pixels_hwc) if spec.dtype == PICTURE else preprocessing.normalise(pixels_hwc)


def random_input(spec: TensorSpec) -> NDArray[np.float32]:
    """Make up an input, the same in every run."""
    random = np.random.default_rng(0)
    if spec.dtype == PICTURE:
        return random.integers(0, 256, spec.shape).astype(np.float32)
    return random.standard_normal(spec.shape, dtype=np.float32)


def adapt_reference(
    reference: Reference, preprocessing: Preprocessing, inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec]
) -> tuple[Reference, tuple[str, ...]]:
    """Turn the network's reference into one for an artifact of these inputs and outputs.

    Returns:
        The reference, and a note about the samples that such an artifact cannot be given.

    Raises:
        InputError: the reference is of another model.
    """
    notes: tuple[str, ...] = ()
    if inputs[0].dtype == PICTURE:
        reference, notes = _with_pictures(reference, preprocessing)
    for spec in outputs:
        if spec.softmax_of:
            reference = _with_probabilities(reference, spec)
    return reference, notes


def softmax(logits: NDArray[np.floating], arithmetic: DTypeLike = np.float64) -> NDArray[np.floating]:
    """Probabilities along the last axis, in the type of the arithmetic."""
    exact = logits.astype(arithmetic)
    powers = np.exp(exact - exact.max(axis=-1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True))


def _with_pictures(reference: Reference, preprocessing: Preprocessing) -> tuple[Reference, tuple[str, ...]]:
    """Only samples that are pictures: an input of eight bits cannot be given the others."""
    pixels = [preprocessing.restore(sample.image_nchw) for sample in reference.samples]
    samples = {
        i: replace(reference.samples[i], image_nchw=preprocessing.picture(each))
        for i, each in enumerate(pixels)
        if each is not None
    }
    if not samples:
        raise InputError(
            "none of the reference's inputs is a picture to this artifact's preprocessing: it was made for another model"
        )

    def chosen(answers: Sequence[Outputs]) -> tuple[Outputs, ...]:
        return tuple(answers[i] for i in samples)

    yardsticks = {kind: chosen(answers) for kind, answers in reference.yardsticks.items()}
    left_out = ", ".join(sample.name for i, sample in enumerate(reference.samples) if i not in samples)
    note = f"not judged on {left_out}: the artifact takes pictures, and no picture has these values"
    return Reference(tuple(samples.values()), chosen(reference.float64), yardsticks), (note,) if left_out else ()


def _with_probabilities(reference: Reference, spec: TensorSpec) -> Reference:
    if spec.softmax_of not in reference.float64[0]:
        raise InputError(f"the reference has no output {spec.softmax_of!r}: it was made for another model")

    def probabilities(logits: NDArray[np.floating]) -> NDArray[np.floating]:
        # A yardstick's softmax rounds as PyTorch's does on a CPU: in float32, of float16 too. In float64 it would be right to the
        # last place, 150 dB where the sum of ten powers in float32 leaves 137, and a right artifact would be found wanting.
        return softmax(logits, np.promote_types(logits.dtype, np.float32)).astype(logits.dtype)

    def added(answers: Sequence[Outputs]) -> tuple[Outputs, ...]:
        return tuple({**answer, spec.name: probabilities(answer[spec.softmax_of])} for answer in answers)

    yardsticks = {kind: added(answers) for kind, answers in reference.yardsticks.items()}
    return Reference(reference.samples, added(reference.float64), yardsticks)
