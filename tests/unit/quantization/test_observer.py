"""The range of an activation."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torchao.quantization.pt2e import HistogramObserver

from edgekit.quantization.observer import RangeObserver
from edgekit.quantization.quantizer import ACTIVATIONS

EPS = 2**-12


def observe(*batches: Tensor) -> tuple[float, int]:
    observer = ACTIVATIONS.observer_or_fake_quant_ctr(
        dtype=torch.int8, qscheme=torch.per_tensor_affine, quant_min=-128, quant_max=127
    )
    assert isinstance(observer, RangeObserver)
    for batch in batches:
        assert observer(batch) is batch
    scale, zero_point = observer.calculate_qparams()
    return float(scale), int(zero_point)


def error_of(values: Tensor, scale: float, zero_point: int) -> float:
    rounded = torch.fake_quantize_per_tensor_affine(values, scale, zero_point, -128, 127)
    return float((rounded - values).square().mean())


def test_positive_values_use_the_whole_range() -> None:
    scale, zero_point = observe(torch.rand(50_000) * 6)
    assert zero_point == -128
    assert scale == pytest.approx(6 / 255, rel=0.02)


def test_one_outlier_among_millions_does_not_make_all_others_coarse() -> None:
    usual = [torch.randn(60_000) for _ in range(40)]
    usual_scale, _ = observe(*usual)
    scale, _ = observe(torch.cat([usual[0], torch.tensor([20.0])]), *usual[1:])
    assert usual_scale <= scale < 1.5 * usual_scale < 20 / 255


@pytest.mark.parametrize("shape", ["normal", "heavy tails", "positive"])
def test_its_error_is_no_larger_than_that_of_torchaos_observer(shape: str) -> None:
    normal = torch.randn(40_000)
    values = {"normal": normal, "heavy tails": normal**3, "positive": (normal - 1).relu()}[shape]
    theirs = HistogramObserver(dtype=torch.int8, qscheme=torch.per_tensor_affine, quant_min=-128, quant_max=127, eps=EPS)
    theirs(values)
    scale, zero_point = theirs.calculate_qparams()
    assert error_of(values, *observe(values)) < 1.05 * error_of(values, float(scale), int(zero_point))


def test_pixels_do_not_fall_between_two_steps() -> None:
    """256 levels from -1 to 1 over the same range would all be half a step off, as zero has to be a step."""
    pixels = torch.arange(256).repeat(100) / 127.5 - 1
    scale, zero_point = observe(pixels)
    assert error_of(pixels, scale, zero_point) < 0.6 * error_of(pixels, 2 / 255, 0)


def test_a_range_that_grows_gives_what_one_that_was_known_gives() -> None:
    small, large = torch.randn(20_000), 7 * torch.randn(20_000)
    assert observe(small, large) == observe(large, small)


@pytest.mark.parametrize("constant", [0.0, 3.0, -2.0])
def test_a_constant_can_be_told(constant: float) -> None:
    scale, zero_point = observe(torch.full((4, 8), constant))
    assert scale >= EPS
    assert error_of(torch.tensor([constant]), scale, zero_point) <= (scale / 2) ** 2
