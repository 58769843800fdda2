"""The range of an activation: the one with the smallest squared error over the calibration pictures.

torchao's histogram observer looks for the same, with a loop in Python over its bins. This one counts a part of the values in
a histogram whose width doubles when it must, and tries a grid of ranges at the end.
"""

from __future__ import annotations

from math import ceil, log2

import torch
from torch import Tensor
from torchao.quantization.pt2e.observer import UniformQuantizationObserverBase

_BINS = 4096
_SAMPLES = 1 << 16  # of a batch's values, evenly spread, go into the histogram; all of them into the extremes
_PARTS = 1 - torch.arange(48, dtype=torch.float64) / 64  # of an end of the range that are tried


class RangeObserver(UniformQuantizationObserverBase):  # type: ignore[misc]  # untyped SDK
    """Watches a tensor for torchao's `prepare_pt2e`. Made by `with_args`."""

    def __init__(self, **settings: object) -> None:
        super().__init__(**settings)
        self._counts = torch.zeros(_BINS, dtype=torch.float64)
        self._limit = 0.0
        self._low = self._high = 0.0  # zero is always one of the values: padding is made of it

    def forward(self, values: Tensor) -> Tensor:
        """Note the values and hand them on."""
        seen = values.detach().flatten()
        low, high = (float(end) for end in seen.aminmax())
        self._low, self._high = min(self._low, low), max(self._high, high)
        self._widen(max(-self._low, self._high, self.eps.item()))
        spread = seen[:: seen.numel() // _SAMPLES | 1]
        self._counts += torch.histc(spread, _BINS, -self._limit, self._limit)
        return values

    def calculate_qparams(self) -> tuple[Tensor, Tensor]:
        """Scale and zero point."""
        width = 2 * self._limit / _BINS
        centres = (torch.arange(_BINS, dtype=torch.float64) + 0.5) * width - self._limit
        filled = self._counts > 0
        values, counts = centres[filled], self._counts[filled]
        low, high = torch.tensor([self._low, self._high], dtype=torch.float64)
        for _ in range(2):
            low = low * _PARTS[self._errors(values, counts, low * _PARTS, high.expand_as(_PARTS)).argmin()]
            high = high * _PARTS[self._errors(values, counts, low.expand_as(_PARTS), high * _PARTS).argmin()]
        scale, zero_point = self._grid(low, high)
        return scale.float().reshape(1), zero_point.long().reshape(1)

    def _widen(self, largest: float) -> None:
        """Make room, by powers of two: then two bins become one and no count is split."""
        limit = 2.0 ** ceil(log2(largest))
        self._limit = self._limit or limit
        while self._limit < limit:
            outer = torch.zeros(_BINS // 4, dtype=torch.float64)
            self._counts = torch.cat([outer, self._counts.reshape(-1, 2).sum(1), outer])
            self._limit *= 2

    def _errors(self, values: Tensor, counts: Tensor, low: Tensor, high: Tensor) -> Tensor:
        """Squared error of each of several ranges, float64."""
        scale, zero_point = (each[:, None] for each in self._grid(low, high))
        steps = (torch.round(values / scale) + zero_point).clamp(self.quant_min, self.quant_max)
        errors: Tensor = ((steps - zero_point) * scale - values).square() @ counts
        return errors

    def _grid(self, low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
        scale = ((high - low) / (self.quant_max - self.quant_min)).clamp(min=self.eps.item())
        return scale, (self.quant_min - torch.round(low / scale)).clamp(self.quant_min, self.quant_max)
