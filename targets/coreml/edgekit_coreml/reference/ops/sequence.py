"""Lists of tensors."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from edgekit_coreml.reference.ops.registry import op
from edgekit_coreml.reference.value import MAX_LENGTH, Elements


@op("make_list", gives=("dtype",))
def make_list(
    elem_shape: tuple[int, ...] = (),
    init_length: int = 1,
    dynamic_length: bool = True,
    dtype: Literal["bool", "fp16", "fp32", "int32"] = "fp32",
) -> Elements:
    """Return a list to which nothing has been written yet. The shape of its elements is that of the declared type.

    Raises:
        ValueError: its length is negative, or more than 16384.
    """
    if not 0 <= init_length <= MAX_LENGTH:
        raise ValueError(f"init_length is {init_length}, not from 0 to {MAX_LENGTH}, the most that is computed")
    return Elements((None,) * init_length, dynamic_length)


@op("list_length", gives=("int32",))
def list_length(ls: Elements) -> Tensor:
    """Return the number of elements, written or not."""
    return torch.tensor(len(ls.tensors), dtype=torch.int32)


@op("list_read")
def list_read(ls: Elements, index: int) -> Tensor:
    """Return one element.

    Raises:
        ValueError: the list has no such element, or nothing has been written to it.
    """
    return ls.read(index)


@op("list_write")
def list_write(ls: Elements, index: int, value: Tensor) -> Elements:
    """Return the list with another element, longer where that needs it.

    Raises:
        ValueError: the element is beyond the end of a list that cannot grow, or beyond 16384.
    """
    return ls.written(index, value)


@op("list_gather")
def list_gather(ls: Elements, indices: tuple[int, ...]) -> Tensor:
    """Return elements, stacked along a new first axis.

    Raises:
        ValueError: the list has no such element, or nothing has been written to it.
    """
    return torch.stack([ls.read(index) for index in indices])


@op("list_scatter")
def list_scatter(ls: Elements, indices: tuple[int, ...], value: Tensor) -> Elements:
    """Return the list with the slices of `value` along its first axis as elements, longer where that needs it.

    Raises:
        ValueError: an element is beyond the end of a list that cannot grow, or beyond 16384; or there are not as many slices.
    """
    if len(indices) != len(value):
        raise ValueError(f"{len(value)} values for {len(indices)} indices")
    for index, element in zip(indices, value, strict=True):
        ls = ls.written(index, element)
    return ls
