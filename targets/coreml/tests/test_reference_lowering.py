"""Sums of products that a device's model takes over from PyTorch: every operator, as PyTorch lowers it.

Small whole numbers add up to the same in every arithmetic, so that what is left is where the factors are taken from.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from edgekit_coreml.reference.neural_engine import FixedPoint
from edgekit_coreml.reference.ops import OPS
from edgekit_coreml.reference.products import SUMMED, SumOfProducts
from edgekit_coreml.reference.sequential import SequentialHalf

MODELS = [FixedPoint, SequentialHalf]
# For each operator: sizes of its tensors, and its other inputs.
CASES: list[tuple[str, dict[str, tuple[int, ...]], dict[str, Any]]] = [
    ("conv", {"x": (2, 3, 9), "weight": (4, 3, 3), "bias": (4,)}, {"strides": (2,), "dilations": (2,)}),
    ("conv", {"x": (1, 4, 7, 6), "weight": (6, 2, 3, 2)}, {"groups": 2, "pad_type": "custom", "pad": (2, 0, 1, 1)}),
    ("conv", {"x": (1, 5, 7, 6), "weight": (5, 1, 3, 3), "bias": (5,)}, {"groups": 5, "pad_type": "same", "strides": (2, 1)}),
    ("conv", {"x": (1, 2, 4, 5, 3), "weight": (3, 2, 2, 3, 1), "bias": (3,)}, {"strides": (1, 2, 1)}),
    ("conv_transpose", {"x": (2, 3, 5), "weight": (3, 4, 3), "bias": (4,)}, {"strides": (2,)}),
    (
        "conv_transpose",
        {"x": (1, 4, 3, 4), "weight": (4, 3, 3, 2), "bias": (6,)},
        {"groups": 2, "strides": (2, 3), "dilations": (1, 2)},
    ),
    (
        "conv_transpose",
        {"x": (1, 2, 3, 4), "weight": (2, 2, 4, 3)},
        {"pad_type": "custom", "pad": (1, 2, 0, 1), "strides": (2, 1)},
    ),
    ("conv_transpose", {"x": (1, 2, 2, 3, 2), "weight": (2, 3, 2, 1, 3)}, {"strides": (2, 1, 1)}),
    ("linear", {"x": (2, 3, 5), "weight": (4, 5), "bias": (4,)}, {}),
    ("linear", {"x": (3, 5), "weight": (4, 5)}, {}),
    ("linear", {"x": (5,), "weight": (4, 5), "bias": (4,)}, {}),
    ("matmul", {"x": (2, 1, 3, 4), "y": (3, 4, 5)}, {}),
    ("matmul", {"x": (4, 3), "y": (5, 4)}, {"transpose_x": True, "transpose_y": True}),
    ("matmul", {"x": (4,), "y": (2, 4, 3)}, {}),
    ("matmul", {"x": (2, 3, 4), "y": (4,)}, {}),
    ("matmul", {"x": (4,), "y": (4,)}, {}),
]


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize(("name", "sizes", "options"), CASES)
def test_every_way_of_an_operator(
    model: type[SumOfProducts], name: str, sizes: dict[str, tuple[int, ...]], options: dict[str, Any], random: np.random.Generator
) -> None:
    tensors = {key: torch.from_numpy(random.integers(-3, 4, size).astype(np.float32)) for key, size in sizes.items()}
    expected = OPS[name].compute(**tensors, **options)
    assert isinstance(expected, Tensor)
    np.testing.assert_array_equal(model().take_over()[name].compute(**tensors, **options), expected)


@pytest.mark.parametrize("model", MODELS)
def test_einsum(model: type[SumOfProducts], random: np.random.Generator) -> None:
    values = tuple(torch.from_numpy(random.integers(-3, 4, size).astype(np.float32)) for size in ((2, 3, 4, 5), (2, 5, 4, 3)))
    expected = np.einsum("nchw,nwhu->nchu", *(value.numpy() for value in values))
    got = model().take_over()["einsum"].compute(values=values, equation="nchw,nwhu->nchu")
    np.testing.assert_array_equal(got, expected)


def test_every_operator_is_taken_over() -> None:
    """And has a case here."""
    assert set(FixedPoint().take_over()) == set(SUMMED) == {name for name, _, _ in CASES} | {"einsum"}


@pytest.mark.parametrize("groups", [1, 2])
def test_what_pytorch_crops_and_adds(groups: int, random: np.random.Generator) -> None:
    """Padding of a transposed convolution takes away, and output_padding adds on one side."""

    def whole(*shape: int) -> Tensor:
        return torch.from_numpy(random.integers(-3, 4, shape).astype(np.float32))

    x, weight, bias = whole(2, 4, 5, 6), whole(4, 6 // groups, 3, 2), whole(6)
    options: dict[str, Any] = {
        "stride": (2, 3),
        "padding": (2, 1),
        "dilation": (2, 1),
        "output_padding": (1, 0),
        "groups": groups,
    }
    convolve: Any = torch.conv_transpose2d
    for model in MODELS:
        got = model()._inside(convolve)(input=x, weight=weight, bias=bias, **options)
        np.testing.assert_array_equal(got, convolve(x, weight, bias, **options))


def test_what_is_not_taken_over_is_refused() -> None:
    """An operator that PyTorch computes in a way that is not known must not pass as the device's."""
    with pytest.raises(ValueError, match="does not know how PyTorch computes this"):
        FixedPoint().take_over(("relu",))["relu"].compute(x=torch.ones(2))
