"""What detectors end with."""

from __future__ import annotations

import torch
from torch import Tensor

from edgekit_coreml.reference.ops.registry import op
from edgekit_coreml.reference.ops.size import bounded


@op("non_maximum_suppression", gives=("boxes", "scores", "int32"))
def non_maximum_suppression(
    boxes: Tensor,
    scores: Tensor,
    iou_threshold: float,
    max_boxes: int,
    score_threshold: float | None = None,
    per_class_suppression: bool = False,
    *,
    opset: int,
) -> tuple[Tensor, ...]:
    """The boxes of highest score that overlap no better one too much, of the same class where it is per class.

    A box is x and y of its centre, width, height; its score is the highest of its classes. Up to iOS 16 the boxes come as
    [n, B, 4] and [n, B, K], with a score threshold, and their number is a fourth result; since iOS 17 as [n, 4, B] and [n, K, B].
    Where there are fewer than max_boxes, zeros follow, and -1 as index.

    Raises:
        ValueError: there are no boxes, or shapes do not fit together.
    """
    if (opset < 7) == (score_threshold is None):
        raise ValueError("score_threshold is an input up to iOS 16, and not since iOS 17")
    shapes = f"{list(boxes.shape)} is no shape of boxes with scores of shape {list(scores.shape)}"
    if boxes.ndim != 3 or scores.ndim != 3:
        raise ValueError(shapes)
    if opset >= 7:
        boxes, scores = boxes.mT, scores.mT
    if boxes.shape[2] != 4 or boxes.shape[:2] != scores.shape[:2] or not scores.numel():
        raise ValueError(shapes)
    if max_boxes < 1:
        raise ValueError(f"max_boxes is {max_boxes}")
    batch, _, classes = scores.shape
    bounded([batch, max_boxes, max(4, classes)])
    kept_boxes, kept_scores = boxes.new_zeros(batch, max_boxes, 4), scores.new_zeros(batch, max_boxes, classes)
    indices, counts = torch.full((batch, max_boxes), -1, dtype=torch.int32), torch.zeros(batch, dtype=torch.int32)
    for i in range(batch):
        order = _candidates(scores[i], score_threshold)
        kept = _kept(boxes[i], order, iou_threshold, scores[i].argmax(-1) if per_class_suppression else None, max_boxes)
        kept_boxes[i, : len(kept)], kept_scores[i, : len(kept)] = boxes[i, kept], scores[i, kept]
        indices[i, : len(kept)] = kept.int()
        counts[i] = len(kept)
    if opset >= 7:
        return kept_boxes.mT, kept_scores.mT, indices
    return kept_boxes, kept_scores, indices, counts


def _candidates(scores: Tensor, threshold: float | None) -> Tensor:
    """Boxes from the best to the worst."""
    best = scores.amax(-1)
    order = torch.argsort(best, descending=True, stable=True)
    if threshold is None:
        return order
    good = order[best[order] >= threshold]
    # Core ML keeps the best box where all are below the threshold, https://github.com/apple/coremltools/issues/1654, and so does
    # the reference implementation in coremltools' tests of this operator; the documentation does not say it
    return good if len(good) else order[:1]


def _kept(boxes: Tensor, order: Tensor, iou_threshold: float, classes: Tensor | None, limit: int) -> Tensor:
    kept: list[Tensor] = []
    while len(order) and len(kept) < limit:
        first, order = order[0], order[1:]
        kept.append(first)
        suppressed = _overlaps(boxes[first], boxes[order]) > iou_threshold
        if classes is not None:
            suppressed &= classes[order] == classes[first]
        order = order[~suppressed]
    return torch.stack(kept)


def _overlaps(box: Tensor, others: Tensor) -> Tensor:
    """Intersection over union; 0 of boxes without area."""
    low, high = box[:2] - box[2:] / 2, box[:2] + box[2:] / 2
    lows, highs = others[:, :2] - others[:, 2:] / 2, others[:, :2] + others[:, 2:] / 2
    common = (torch.minimum(high, highs) - torch.maximum(low, lows)).clamp_(min=0).prod(-1)
    union = box[2:].prod() + others[:, 2:].prod(-1) - common
    return torch.where(common > 0, common / union, 0)
