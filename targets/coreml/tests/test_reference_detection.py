"""Non-maximum suppression against a loop over boxes, and against what coremltools' tests expect of Core ML."""

from __future__ import annotations

from typing import Any

import coremltools as ct
import numpy as np
import pytest
from coremltools.converters.mil import Builder as mb  # noqa: N813 (its name in coremltools' documentation)
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

Array = NDArray[Any]
IOS16, IOS17 = 6, 7


def overlap(one: Array, other: Array) -> float:
    """Intersection over union of two boxes x, y, width, height."""
    sides = []
    for axis in (0, 1):
        ends = [(box[axis] - box[axis + 2] / 2, box[axis] + box[axis + 2] / 2) for box in (one, other)]
        sides.append(max(0.0, min(end for _, end in ends) - max(start for start, _ in ends)))
    common = sides[0] * sides[1]
    union = one[2] * one[3] + other[2] * other[3] - common
    return float(common / union) if common > 0 else 0.0


def suppressed(boxes: Array, scores: Array, iou: float, least: float | None, most: int, per_class: bool) -> list[int]:
    best, classes = scores.max(1), scores.argmax(1)
    order = sorted(range(len(boxes)), key=lambda i: -best[i])
    good = order if least is None else [i for i in order if best[i] >= least] or order[:1]
    kept: list[int] = []
    for i in good:
        rivals = [k for k in kept if not per_class or classes[k] == classes[i]]
        if all(overlap(boxes[k], boxes[i]) <= iou for k in rivals):
            kept.append(i)
    return kept[:most]


def padded(rows: Array, count: int) -> Array:
    return np.concatenate([rows, np.zeros((count - len(rows), rows.shape[1]))])


def boxes_and_scores(seed: int, batch: int, count: int, classes: int) -> tuple[Array, Array]:
    random = np.random.default_rng(seed)
    boxes = random.uniform(0, 10, (batch, count, 4))
    scores = random.permutation(batch * count * classes).reshape(batch, count, classes) / 100  # no two are equal
    return boxes.astype(np.float32), scores.astype(np.float32)


@given(
    st.integers(0, 1000),
    st.integers(1, 12),
    st.integers(1, 3),
    st.sampled_from([0.0, 0.1, 0.35, 1.0]),
    st.sampled_from([-1.0, 0.15, 99.0]),
    st.integers(1, 9),
    st.booleans(),
)
@settings(max_examples=150)
def test_suppression(
    compute: Any, seed: int, count: int, classes: int, iou: float, least: float, most: int, per_class: bool
) -> None:
    boxes, scores = boxes_and_scores(seed, 2, count, classes)
    given = {"iou_threshold": iou, "max_boxes": most, "per_class_suppression": per_class}
    before = compute("non_maximum_suppression", boxes=boxes, scores=scores, **given, score_threshold=least, opset=IOS16)
    for i in range(2):
        kept = suppressed(boxes[i], scores[i], iou, least, most, per_class)
        np.testing.assert_array_equal(before[0][i], padded(boxes[i, kept], most))
        np.testing.assert_array_equal(before[1][i], padded(scores[i, kept], most))
        assert before[2][i].tolist() == kept + [-1] * (most - len(kept))
        assert before[3][i] == len(kept)
    turned = {"boxes": boxes.transpose(0, 2, 1).copy(), "scores": scores.transpose(0, 2, 1).copy()}
    since = compute("non_maximum_suppression", **turned, **given, opset=IOS17)
    assert len(since) == 3
    for i in range(2):
        kept = suppressed(boxes[i], scores[i], iou, None, most, per_class)
        np.testing.assert_array_equal(since[0][i].T, padded(boxes[i, kept], most))
        np.testing.assert_array_equal(since[1][i].T, padded(scores[i, kept], most))
        assert since[2][i].tolist() == kept + [-1] * (most - len(kept))


def test_what_core_ml_computed(compute: Any) -> None:
    """The expectation of coremltools' own test, which ran on a Mac: mil/ops/tests/iOS14/test_tensor_operation.py."""
    boxes = np.repeat(np.arange(4, dtype=np.float32), 4).reshape(1, 4, 4)
    scores = np.array([[[-3.5], [9.4], [2.3], [0.7]]], np.float32)
    given = {"iou_threshold": 0.2, "score_threshold": 0.4, "max_boxes": 2, "per_class_suppression": True}
    kept, best, indices, counts = compute("non_maximum_suppression", boxes=boxes, scores=scores, **given, opset=5)
    np.testing.assert_array_equal(kept, [[[1] * 4, [2] * 4]])
    np.testing.assert_array_equal(best, np.array([[[9.4], [2.3]]], np.float32))
    assert indices.tolist() == [[1, 2]]
    assert counts.tolist() == [2]


def test_the_best_box_stays_where_none_is_good_enough(compute: Any) -> None:
    """As https://github.com/apple/coremltools/issues/1654 saw it."""
    boxes = np.array([[[0.5, 0.5, 0.6, 0.6], [0.7, 0.7, 0.8, 0.8]]], np.float32)
    scores = np.array([[[0.1], [0.15]]], np.float32)
    given = {"iou_threshold": 0.5, "score_threshold": 0.2, "max_boxes": 2}
    _, _, indices, counts = compute("non_maximum_suppression", boxes=boxes, scores=scores, **given, opset=IOS16)
    assert indices.tolist() == [[1, -1]]
    assert counts.tolist() == [1]


@pytest.mark.parametrize("opset", [ct.target.iOS15, ct.target.iOS17])
def test_suppression_in_a_package(run: Any, opset: Any) -> None:
    boxes, scores = boxes_and_scores(3, 1, 9, 2)
    axes = (0, 1, 2) if opset < ct.target.iOS17 else (0, 2, 1)
    threshold = {"score_threshold": 0.08} if opset < ct.target.iOS17 else {}

    def body(x: Any, y: Any) -> Any:
        return mb.non_maximum_suppression(boxes=x, scores=y, iou_threshold=0.05, max_boxes=6, **threshold)

    answers = run(body, opset=opset, x=boxes.transpose(axes).copy(), y=scores.transpose(axes).copy())
    kept = suppressed(boxes[0], scores[0], 0.05, threshold.get("score_threshold"), 6, False)
    assert 1 < len(kept) < 6
    np.testing.assert_array_equal(answers[0].transpose(axes)[0], padded(boxes[0, kept], 6))
    assert answers[2].tolist() == [kept + [-1] * (6 - len(kept))]


BOXES, SCORES = np.ones((1, 3, 4), np.float32), np.ones((1, 3, 2), np.float32)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"boxes": BOXES[:, :, :3]}, "no shape of boxes"),
        ({"scores": SCORES[:, :2]}, "no shape of boxes"),
        ({"scores": SCORES[0]}, "no shape of boxes"),
        ({"boxes": BOXES[:, :0], "scores": SCORES[:, :0]}, "no shape of boxes"),
        ({"max_boxes": 0}, "max_boxes is 0"),
        ({"max_boxes": 2**30}, "more than"),
        ({"opset": IOS17}, "score_threshold"),
        ({"score_threshold": None}, "score_threshold"),
    ],
)
def test_what_cannot_be_suppressed(compute: Any, given: dict[str, Any], message: str) -> None:
    usual = {"boxes": BOXES, "scores": SCORES, "iou_threshold": 0.5, "score_threshold": 0.0, "max_boxes": 2, "opset": IOS16}
    with pytest.raises(ValueError, match=message):
        compute("non_maximum_suppression", **{**usual, **given})
