"""What a classifier gives instead of a tensor."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from edgekit_coreml.reference.ops.parameter import Labels
from edgekit_coreml.reference.ops.registry import op


@op("classify", gives=("classes",), own=("probabilities",))
def classify(probabilities: Tensor, classes: Labels) -> tuple[str | Tensor, dict[str, float] | dict[int, float]]:
    """Return the class with the highest probability, the first of equals, and the probability of every class.

    Raises:
        ValueError: there are not as many different classes as probabilities, or a probability is NaN.
    """
    values = probabilities.flatten().tolist()
    if len(values) != len(classes) or len(set(classes)) != len(classes):
        raise ValueError(f"{len(set(classes))} different classes of {len(classes)} for {len(values)} probabilities")
    if any(map(math.isnan, values)):
        raise ValueError("a probability is NaN, so that no class is the most probable one")
    best = classes[max(range(len(values)), key=values.__getitem__)]
    label = best if isinstance(best, str) else torch.tensor(best, dtype=torch.int64)
    return label, dict(zip(classes, values, strict=True))  # type: ignore[return-value]  # all text or all integers
