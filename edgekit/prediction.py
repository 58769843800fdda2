"""A classifier's answer -> labels with probabilities."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edgekit.interface import softmax
from edgekit.manifest import Manifest
from edgekit.reference import Outputs


@dataclass(frozen=True, slots=True)
class Candidate:
    """One class: its index in the output, its label, and its softmax probability, 0 to 1."""

    index: int
    label: str
    probability: float


@dataclass(frozen=True, slots=True)
class Prediction:
    """The classes that an artifact sees in a picture, most probable first."""

    image: str
    candidates: tuple[Candidate, ...]


def rank(image: str, outputs: Outputs, manifest: Manifest, *, top: int) -> Prediction:
    """Turn a classifier's logits or probabilities into its `top` candidates."""
    output = manifest.outputs[0]
    answer = outputs[output.name].astype(np.float64).ravel()
    probabilities = answer if output.softmax_of else softmax(answer)
    order = np.argsort(-probabilities, kind="stable")[:top]
    labels = manifest.model.labels if len(manifest.model.labels) == answer.size else ()
    return Prediction(
        image,
        tuple(Candidate(int(i), labels[i] if labels else f"class {i}", float(probabilities[i])) for i in order),
    )
