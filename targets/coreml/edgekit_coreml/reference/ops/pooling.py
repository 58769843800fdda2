"""Pooling."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor
from torch.nn import functional

from edgekit_coreml.reference.ops.registry import op
from edgekit_coreml.reference.ops.spatial import PadType, innermost_first, pads_of

_AVERAGES = {1: functional.avg_pool1d, 2: functional.avg_pool2d, 3: functional.avg_pool3d}
_MAXIMA = {1: functional.max_pool1d, 2: functional.max_pool2d, 3: functional.max_pool3d}


@op("avg_pool")
def avg_pool(
    x: Tensor,
    kernel_sizes: tuple[int, ...],
    pad_type: PadType,
    strides: tuple[int, ...] = (),
    pad: tuple[int, ...] = (),
    exclude_padding_from_average: bool = False,
    ceil_mode: bool = False,
) -> Tensor:
    """Mean of each window; what ceil_mode adds at the end never counts, padding counts unless it is excluded."""
    strides = strides or (1,) * len(kernel_sizes)
    pads, extended = _pads(x, kernel_sizes, pad_type, strides, pad, ceil_mode)
    average = _AVERAGES[len(kernel_sizes)]
    means = average(functional.pad(x, innermost_first(extended)), kernel_sizes, strides)
    uncounted = extended if exclude_padding_from_average else _beyond(pads, extended)
    if not any(amount for pair in uncounted for amount in pair):
        return means
    counted = x.new_ones(1, 1, *x.shape[2:])
    if not exclude_padding_from_average:
        counted = functional.pad(counted, innermost_first(pads), value=1.0)
    return means / average(functional.pad(counted, innermost_first(uncounted)), kernel_sizes, strides)


@op("max_pool")
def max_pool(
    x: Tensor,
    kernel_sizes: tuple[int, ...],
    pad_type: PadType,
    strides: tuple[int, ...] = (),
    pad: tuple[int, ...] = (),
    ceil_mode: bool = False,
) -> Tensor:
    """Maximum of each window; padding never counts."""
    strides = strides or (1,) * len(kernel_sizes)
    _, extended = _pads(x, kernel_sizes, pad_type, strides, pad, ceil_mode)
    x = functional.pad(x, innermost_first(extended), value=float("-inf"))
    return _MAXIMA[len(kernel_sizes)](x, kernel_sizes, strides)


Pads = list[tuple[int, int]]


def _pads(
    x: Tensor, kernel: Sequence[int], pad_type: PadType, strides: Sequence[int], pad: Sequence[int], ceil_mode: bool
) -> tuple[Pads, Pads]:
    """The padding that is declared, and the same with what ceil_mode's last window needs after it."""
    pads = pads_of(pad_type, pad, x.shape[2:], kernel, strides)
    extended = []
    for size, window, stride, (before, after) in zip(x.shape[2:], kernel, strides, pads, strict=True):
        if max(before, after) >= window:
            raise ValueError(f"padding {before} and {after} leaves a window of {window} without a pixel")
        steps = (size + before + after - window) // stride
        if ceil_mode:
            steps = -(-(size + before + after - window) // stride)
            if steps * stride >= size + before:  # a window that starts after the pixels is left out, as in PyTorch
                steps -= 1
        extended.append((before, max(after, steps * stride + window - size - before)))
    return pads, extended


def _beyond(pads: Pads, extended: Pads) -> Pads:
    return [(0, longer - after) for (_, after), (_, longer) in zip(pads, extended, strict=True)]
