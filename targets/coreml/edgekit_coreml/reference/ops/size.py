"""How large a value may be that an operator computes."""

from __future__ import annotations

from collections.abc import Iterable
from math import prod

MAX_ELEMENTS = 2**28
"""One gigabyte of float32. The tensors of a network that runs on a phone are far smaller; a damaged program asks for a thousand
times more, and the system would end the process."""


def bounded(shape: Iterable[int]) -> tuple[int, ...]:
    """Return the sizes of a value that is about to be computed.

    Raises:
        ValueError: a size is negative, or together they are more than `MAX_ELEMENTS`, where an axis of none counts as one.
    """
    sizes = tuple(int(size) for size in shape)
    if any(size < 0 for size in sizes):
        raise ValueError(f"a tensor of shape {list(sizes)} cannot be")
    if prod(max(size, 1) for size in sizes) > MAX_ELEMENTS:
        raise ValueError(f"a tensor of shape {list(sizes)} has more than {MAX_ELEMENTS} elements, the most that is computed")
    return sizes
