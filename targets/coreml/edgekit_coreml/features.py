"""The values that Core ML's prediction takes and gives, from and to the float32 arrays of a `Runner`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from edgekit.errors import UsageError
from edgekit.target import TensorSpec

LABEL, PROBABILITIES = "classLabel", "classLabel_probs"  # as coremltools names a classifier's outputs, and apps expect them


def features_of(inputs: Mapping[str, NDArray[np.float32]], specs: Iterable[TensorSpec]) -> dict[str, Any]:
    """Turn each input into what the package takes: an array, or a picture for an input of pixels.

    Args:
        inputs: float32 NCHW by name.
        specs: of the package's inputs.

    Raises:
        UsageError: an input of pixels with a value that is no pixel's.
    """
    pictures = {spec.name for spec in specs if spec.dtype == "uint8"}
    return {name: _picture(name, value) if name in pictures else value for name, value in inputs.items()}


def arrays_of(features: Mapping[str, Any], specs: Iterable[TensorSpec], labels: Sequence[str]) -> dict[str, NDArray[np.float32]]:
    """Turn each output into a float32 array; a classifier's dictionary into a row in the order of the labels.

    Args:
        features: what the package gave, by name.
        specs: of the outputs to return.
        labels: the model's own, of which the package has the unique form.
    """
    names = unique_labels(labels)

    def array(value: Any) -> NDArray[np.float32]:
        row = [[value[label] for label in names]] if isinstance(value, Mapping) else value
        return np.array(row, dtype=np.float32)

    return {spec.name: array(features[spec.name]) for spec in specs}


def unique_labels(labels: Sequence[str]) -> tuple[str, ...]:
    """Number the classes that share a name, for Core ML gives probabilities by name: `crane (134)` and `crane (517)`."""
    counts = Counter(labels)
    return tuple(f"{label} ({i})" if counts[label] > 1 else label for i, label in enumerate(labels))


def _picture(name: str, image_nchw: NDArray[np.float32]) -> Image.Image:
    pixels = image_nchw[0].transpose(1, 2, 0).astype(np.uint8)
    if not np.array_equal(pixels.transpose(2, 0, 1), image_nchw[0]):
        raise UsageError(f"input {name!r} takes pictures: its values must be whole numbers from 0 to 255")
    return Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels)
