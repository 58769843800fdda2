"""Padding before a window slides: what convolution and pooling share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from edgekit_coreml.reference.ops.size import bounded

PadType = Literal["valid", "same", "same_lower", "custom"]
Pads = list[tuple[int, int]]


def pads_of(pad_type: PadType, pad: Sequence[int], sizes: Sequence[int], kernel: Sequence[int], strides: Sequence[int]) -> Pads:
    """Work out the pixels before and after each axis.

    Args:
        pad_type: MIL's rule.
        pad: before and after, axis after axis; read by "custom" only, and zero where it is empty.
        sizes: of the axes.
        kernel: of the window, dilation included.
        strides: of the window.

    Raises:
        ValueError: the numbers are not one or two per axis, or negative, or they are too large.
    """
    pads = _pads_of(pad_type, pad, list(zip(sizes, kernel, strides, strict=True)))
    bounded(size + before + after for size, (before, after) in zip(sizes, pads, strict=True))
    return pads


def _pads_of(pad_type: PadType, pad: Sequence[int], axes: Sequence[tuple[int, int, int]]) -> Pads:
    match pad_type:
        case "valid":
            return [(0, 0)] * len(axes)
        case "custom":
            pad = pad or (0,) * (2 * len(axes))
            if len(pad) != 2 * len(axes) or min(pad) < 0:
                raise ValueError(f"pad {list(pad)} is not two numbers from 0 for each of {len(axes)} axes")
            return list(zip(pad[::2], pad[1::2], strict=True))
    # TensorFlow's rule, from which coremltools converts "SAME" and by which it infers shapes, and which Core ML documents for
    # neural networks (SamePadding in mlmodel/format/NeuralNetwork.proto). The formula in the documentation of the MIL operator
    # is the case of stride 1, with the odd pixel of an even kernel on the other side.
    totals = [max((-(-size // stride) - 1) * stride + window - size, 0) for size, window, stride in axes]
    if pad_type == "same":
        return [(total // 2, total - total // 2) for total in totals]
    return [(total - total // 2, total // 2) for total in totals]


def innermost_first(pads: Sequence[tuple[int, int]]) -> list[int]:
    """Flatten as `torch.nn.functional.pad` wants it: the last axis first."""
    return [amount for pair in reversed(pads) for amount in pair]
