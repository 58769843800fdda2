"""The int8 program in exact arithmetic, against integers added up by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from edgekit.quantization.exact import ExactInt8

_int8 = torch.ops.quantized_decomposed
IN_SCALE, OUT_SCALE, IN_ZERO, OUT_ZERO = 0.031, 0.57, -5, 11


class Product(nn.Module):
    """int8 in, a linear layer of int8 weights, int8 out."""

    bias: Tensor

    def __init__(self) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        self.register_buffer("weights", torch.randint(-127, 128, (6, 40), generator=generator).to(torch.int8))
        self.register_buffer("scales", torch.rand(6, generator=generator) / 50)
        self.register_buffer("zeros", torch.zeros(6, dtype=torch.int64))
        self.register_buffer("bias", torch.rand(6, generator=generator))

    def forward(self, x: Any) -> Any:
        x = _int8.quantize_per_tensor.default(x, IN_SCALE, IN_ZERO, -128, 127, torch.int8)
        x = _int8.dequantize_per_tensor.default(x, IN_SCALE, IN_ZERO, -128, 127, torch.int8)
        weights = _int8.dequantize_per_channel.default(self.weights, self.scales, self.zeros, 0, -127, 127, torch.int8)
        y = torch.nn.functional.linear(x, weights, self.bias)
        y = _int8.quantize_per_tensor.default(y, OUT_SCALE, OUT_ZERO, -128, 127, torch.int8)
        return _int8.dequantize_per_tensor.default(y, OUT_SCALE, OUT_ZERO, -128, 127, torch.int8)


@pytest.fixture(scope="module")
def x() -> Tensor:
    return 2 * torch.randn(32, 40, generator=torch.Generator().manual_seed(1))


def test_it_is_integers_added_up(x: Tensor) -> None:
    product = Product()
    exact = ExactInt8(torch.export.export(product, (x,)).module())(x)
    assert isinstance(exact, Tensor)
    weights, scales, bias = (getattr(product, name).numpy() for name in ("weights", "scales", "bias"))
    steps = np.clip(np.rint(x.numpy().astype(np.float64) / IN_SCALE) + IN_ZERO, -128, 127).astype(np.int64) - IN_ZERO
    sums = steps @ weights.astype(np.int64).T
    y = sums * (IN_SCALE * scales.astype(np.float64)) + bias
    expected = (np.clip(np.rint(y / OUT_SCALE) + OUT_ZERO, -128, 127) - OUT_ZERO) * OUT_SCALE
    np.testing.assert_array_equal(exact.numpy(), expected)
    assert len(np.unique(expected)) > 20


def test_it_is_in_float64_whatever_it_is_given(x: Tensor) -> None:
    module = torch.export.export(Product(), (x,)).module()
    assert torch.equal(ExactInt8(module)(x), ExactInt8(module)(x.double()))
    assert ExactInt8(module)(x).dtype == torch.float64


def test_stored_as_float16_every_float_in_between_is_one(x: Tensor) -> None:
    """Scales, weights times scales, biases and sums; what it costs is rounding, and no more."""
    module = torch.export.export(Product(), (x,)).module()
    exact, stored = ExactInt8(module)(x), ExactInt8(module, stores_float16=True)(x)
    assert isinstance(exact, Tensor)
    assert isinstance(stored, Tensor)
    assert torch.equal(stored, stored.half().double())
    off = (stored - exact).abs()
    assert 0 < off.max() < 1.02 * OUT_SCALE, "a step where a sum was near the middle of two"
    assert (off > OUT_SCALE / 2).float().mean() < 0.1
