"""Matrix products."""

from __future__ import annotations

import re

import torch
from torch import Tensor
from torch.nn import functional

from edgekit_coreml.reference.ops.registry import op


@op("linear", own=("weight", "bias"))
def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Return x @ weight.T + bias, of the type of x.

    Raises:
        ValueError: x is of integers and the weight is not, or the bias has another size.
    """
    if bias is not None and bias.shape != weight.shape[:1]:
        raise ValueError(f"bias has shape {list(bias.shape)} for a weight of {list(weight.shape)}")
    return functional.linear(x, _as(x, weight), None if bias is None else _as(x, bias))


@op("matmul", gives=("x|y",), own=("x", "y"))
def matmul(x: Tensor, y: Tensor, transpose_x: bool = False, transpose_y: bool = False) -> Tensor:
    """Return x @ y, either one transposed first; transposing has no effect on a vector.

    Integers and floats give floats, which is refused where the program declares integers.
    """
    if x.dtype != y.dtype:
        x, y = x.float(), y.float()
    if transpose_x and x.ndim > 1:
        x = x.mT
    if transpose_y and y.ndim > 1:
        y = y.mT
    return torch.matmul(x, y)


@op("einsum")
def einsum(values: tuple[Tensor, ...], equation: str) -> Tensor:
    """Return the matrix products along axes -1 of the first and -3 of the second tensor, for each of the other axes.

    Two equations are documented, whatever their letters: "nchw,nwhu->nchu" and "chw,whr->chr". A size of 1 at the axes n and h
    broadcasts.

    Raises:
        ValueError: another equation, or shapes that do not belong together.
    """
    letters = dict.fromkeys(re.findall("[a-zA-Z]", equation))
    named = re.sub("[a-zA-Z]", lambda match: chr(ord("a") + list(letters).index(match[0])), equation).replace(" ", "")
    if named not in ("abcd,adce->abce", "abc,cbd->abd") or len(values) != 2:
        raise ValueError(f"einsum of {len(values)} tensors by {equation!r}: only nchw,nwhu->nchu and chw,whr->chr are documented")
    x, y = values
    if not x.ndim == y.ndim == named.index(","):
        raise ValueError(f"{equation!r} does not name the axes of shapes {list(x.shape)} and {list(y.shape)}")
    # [n, c, h, w] -> [n, h, c, w] and [n, w, h, u] -> [n, h, w, u], whose product is [n, h, c, u]
    return torch.matmul(x.transpose(-3, -2), y.transpose(-3, -2)).transpose(-3, -2)


def _as(x: Tensor, other: Tensor) -> Tensor:
    if other.is_floating_point() and not x.is_floating_point():
        raise ValueError("x is of integers and its weight or bias is not: the documentation does not say how they are rounded")
    return other.to(x.dtype)
