"""Pooling."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from torch import Tensor
from torch.nn import functional

from edgekit_coreml.reference.ops.registry import op
from edgekit_coreml.reference.ops.spatial import Pads, PadType, innermost_first, pads_of

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
    """Mean of each window. Padding counts unless it is excluded, and so does what ceil_mode adds at the end.

    In the latter Core ML differs from PyTorch (https://github.com/apple/coremltools/issues/2772).

    Raises:
        ValueError: padding is excluded and a window has nothing else; no window fits; ceil_mode comes with padding that it is not
            documented for; or the padding is "same_lower" of one axis, for which Core ML's result is wrong.
    """
    strides = strides or (1,) * len(kernel_sizes)
    pads = _pads(x, kernel_sizes, pad_type, strides, pad, ceil_mode)
    average = _AVERAGES[len(kernel_sizes)]
    means = average(functional.pad(x, innermost_first(pads)), kernel_sizes, strides)
    if not exclude_padding_from_average or not any(before or after for before, after in pads):
        return means
    _check_windows(x, kernel_sizes, strides, pads)
    share = average(functional.pad(x.new_ones(1, 1, *x.shape[2:]), innermost_first(pads)), kernel_sizes, strides)
    return means / share


@op("l2_pool")
def l2_pool(
    x: Tensor,
    kernel_sizes: tuple[int, ...],
    pad_type: PadType,
    strides: tuple[int, ...] = (),
    pad: tuple[int, ...] = (),
    ceil_mode: bool = False,
) -> Tensor:
    """Square root of the sum of squares of each window, of one or two axes.

    Raises:
        ValueError: there are three axes, which are not documented; or as for avg_pool.
    """
    if len(kernel_sizes) > 2:
        raise ValueError(f"{len(kernel_sizes)} axes; the documentation allows one or two")
    means = avg_pool(x * x, kernel_sizes, pad_type, strides, pad, ceil_mode=ceil_mode)
    return means.mul_(prod(kernel_sizes)).sqrt_()


@op("max_pool")
def max_pool(
    x: Tensor,
    kernel_sizes: tuple[int, ...],
    pad_type: PadType,
    strides: tuple[int, ...] = (),
    pad: tuple[int, ...] = (),
    ceil_mode: bool = False,
) -> Tensor:
    """Maximum of each window; padding never counts.

    Raises:
        ValueError: a window has nothing but padding; or as for avg_pool.
    """
    strides = strides or (1,) * len(kernel_sizes)
    pads = _pads(x, kernel_sizes, pad_type, strides, pad, ceil_mode)
    _check_windows(x, kernel_sizes, strides, pads)
    return _MAXIMA[len(kernel_sizes)](functional.pad(x, innermost_first(pads), value=float("-inf")), kernel_sizes, strides)


def _pads(
    x: Tensor, kernel: Sequence[int], pad_type: PadType, strides: Sequence[int], pad: Sequence[int], ceil_mode: bool
) -> Pads:
    """Work out the padding, with what the last window needs at the end in ceil_mode.

    Raises:
        ValueError: no window fits, or ceil_mode comes with padding that it is not documented for. Or the padding is
            "same_lower" of one axis, for which Core ML's result is wrong (rdar://98852008 in coremltools'
            mil/ops/tests/iOS14/test_pool.py).
    """
    pads = pads_of(pad_type, pad, x.shape[2:], kernel, strides)
    if pad_type == "same_lower" and len(pads) == 1:
        raise ValueError("pad_type same_lower of one axis: Core ML's result is not what its documentation says")
    if any(size + before + after < window for size, window, (before, after) in zip(x.shape[2:], kernel, pads, strict=True)):
        raise ValueError(f"a window of {list(kernel)} does not fit {list(x.shape[2:])} with padding {pads}")
    if not ceil_mode:
        return pads
    if pad_type.startswith("same") or any(before != after for before, after in pads):
        raise ValueError(f"ceil_mode with pad_type {pad_type} and padding {pads}: it is documented for equal padding alone")
    extended = []
    for size, window, stride, (before, after) in zip(x.shape[2:], kernel, strides, pads, strict=True):
        steps = -(-(size + before + after - window) // stride)
        if before and steps * stride >= size + before:  # a window of padding alone
            steps -= 1
        extended.append((before, steps * stride + window - size - before))  # less than nothing for pixels that no window sees
    return extended


def _check_windows(x: Tensor, kernel: Sequence[int], strides: Sequence[int], pads: Pads) -> None:
    """A window of nothing but padding has neither a mean nor a maximum."""
    for size, window, stride, (before, after) in zip(x.shape[2:], kernel, strides, pads, strict=True):
        last = (size + before + after - window) // stride * stride - before
        if before >= window or last >= size:
            raise ValueError(f"a window of {window} has nothing but padding, of {before} and {after} around {size}")
