"""Logits become labels with probabilities."""

from __future__ import annotations

from dataclasses import replace
from math import log

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekit.manifest import Manifest, ModelCard
from edgekit.mobilenet.spec import MobileNetSpec
from edgekit.prediction import rank
from edgekit.preprocessing import Preprocessing
from edgekit.target import TensorSpec


def manifest(*labels: str) -> Manifest:
    spec = MobileNetSpec("v1", classes=len(labels) or 3)
    card = ModelCard("m", "m", "", "classification", spec, Preprocessing("L", (0,), (1,)), labels)
    output = TensorSpec("logits", (1, spec.classes), "float32", "NK")
    return Manifest(1, "0.1.0", card, "t", "f", "float32", "m", (), (output,), (), {}, (), {})


def logits(*values: float) -> dict[str, np.ndarray]:
    return {"logits": np.array([values], np.float32)}


def test_probabilities_are_the_softmax_most_probable_first() -> None:
    prediction = rank("cat.png", logits(log(1), log(6), log(3)), manifest("a", "b", "c"), top=3)
    assert prediction.image == "cat.png"
    assert [(c.index, c.label) for c in prediction.candidates] == [(1, "b"), (2, "c"), (0, "a")]
    assert [c.probability for c in prediction.candidates] == pytest.approx([0.6, 0.3, 0.1])


def test_only_the_top_classes_are_kept() -> None:
    assert [c.label for c in rank("", logits(1, 2, 3), manifest("a", "b", "c"), top=2).candidates] == ["c", "b"]
    assert len(rank("", logits(1, 2, 3), manifest("a", "b", "c"), top=9).candidates) == 3


def test_without_labels_classes_are_numbered() -> None:
    assert rank("", logits(1, 5, 3), manifest(), top=1).candidates[0].label == "class 1"


def test_huge_logits_do_not_overflow() -> None:
    assert rank("", logits(3e38, 0, -3e38), manifest(), top=1).candidates[0].probability == 1.0


def test_equal_logits_keep_the_order_of_the_classes() -> None:
    assert [c.index for c in rank("", logits(7, 7, 7), manifest(), top=3).candidates] == [0, 1, 2]


@given(st.lists(st.floats(-1e4, 1e4, width=32), min_size=3, max_size=3))
def test_probabilities_add_up_to_one_and_fall(values: list[float]) -> None:
    probabilities = [c.probability for c in rank("", logits(*values), manifest(), top=3).candidates]
    assert sum(probabilities) == pytest.approx(1)
    assert probabilities == sorted(probabilities, reverse=True)


def test_the_first_output_is_the_classifier() -> None:
    two = replace(manifest(), outputs=(*manifest().outputs, TensorSpec("features", (1, 9), "float32", "NK")))
    assert rank("", {"features": np.ones((1, 9)), **logits(0, 9, 0)}, two, top=1).candidates[0].index == 1
