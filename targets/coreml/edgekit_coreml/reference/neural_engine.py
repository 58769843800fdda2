"""A model of the Neural Engine's float16 multiply-accumulate, from measurements that a third party has published.

Source: "Microarchitecture of the Apple M6 Neural Engine", https://github.com/751K/Apple-Neural-Engine-Microarchitecture-Study-M6,
final_report/en.md (commit 0b52ddaf6fb8dea9e0b6b58248c256ab051579cf), chapter 8, and the measurements of 2026-10-02 behind it,
data/06_numerics/numerics2_m6.txt to numerics6_m6.txt (commit a51e0dbd1ab9021f6af3dc4aef161223b9aedd95). Chip M6 under macOS
27.0.1; overflow, resolution and rounding were found to be the same on an M4. In its words and tables:

- The accumulator is a 32-bit fixed-point number with 16 fractional bits (8.2.1). A sum whose absolute value reaches 32768 on its
  way is infinite, and stays so whatever follows.
- A product is rounded to 2^-16, halves away from zero. It is dropped whole where the exponents of its factors add up to -17 or
  less, a subnormal number's exponent being -14 (8.2.2, table 8-2).
- The bias is what the accumulator starts with, rounded likewise (8.2.3, table 8-3).
- An infinite or undefined input is decoded as the number that its bits would be: 65536 upwards (8.2.4, numerics4_m6.txt).
- Results are rounded to float16, halves away from zero, here (8.2.4) and in elementwise operators, which are floating-point
  arithmetic without the limit of 32768 (8.4, table 8-5).

Not in the model, because the study could not tell or measured otherwise: the order of the sum within a pass, which decides only
whether a sum that comes back from the limit has overflowed; sums that take several passes; Winograd's transform, which the engine
uses for some 3x3 convolutions; 8-bit arithmetic, whose sums are whole numbers without the limit of 32768 (8.3); the tables of 33
points by which it computes activations (8.5); what elementwise operators make of infinity; reductions and pooling. Which
operators Core ML places on the engine is not in it either.
"""

from __future__ import annotations

import torch
from torch import Tensor

from edgekit_coreml.reference.products import Pairs, SumOfProducts

_FRACTION_BITS = 16
_SMALLEST_EXPONENT_SUM = -16
_SUBNORMAL_EXPONENT = -14
_MAX_FLOAT16 = 65504.0
# A float64 near 1.5 * 2^52 has no bits after the point: to add to it is to round to an integer.
_INTEGERS = 1.5 * 2.0**52
# Products have 22 bits. This little moves what lies halfway between two integers away from zero, and nothing else across.
_AWAY_FROM_ZERO = 1 + 2.0**-40


class FixedPoint(SumOfProducts):
    """Adds in fixed point with 16 fractional bits, and sticks at infinity."""

    limit = 32768.0

    def add_up(self, pairs: Pairs, start: Tensor) -> Tensor:
        """See `SumOfProducts.add_up`."""
        total = _decoded(start) * (2.0**_FRACTION_BITS * _AWAY_FROM_ZERO) + _INTEGERS
        overflowed = self._watch(total, torch.zeros((), dtype=torch.float64))
        for values, weights in pairs:
            x, y = _decoded(values), _decoded(weights)
            products = x * (y * (2.0**_FRACTION_BITS * _AWAY_FROM_ZERO))
            kept = _exponent(x) >= _SMALLEST_EXPONENT_SUM - _exponent(y)
            total += products.mul_(kept)
            overflowed = self._watch(total, overflowed)
        return round_away((total - _INTEGERS) * 2.0**-_FRACTION_BITS + overflowed)

    def _watch(self, total: Tensor, overflowed: Tensor) -> Tensor:
        """Note the largest sum. Return, for each sum, the infinity that it has stuck at, or 0."""
        lowest, highest = torch.aminmax(total)
        peak = max(highest.item() - _INTEGERS, _INTEGERS - lowest.item())
        limit = self.limit * 2.0**_FRACTION_BITS
        self.peak = max(self.peak, peak * 2.0**-_FRACTION_BITS)
        if peak < limit:
            return overflowed
        beyond = (total - _INTEGERS).abs() >= limit
        return torch.where(beyond & (overflowed == 0), torch.sign(total - _INTEGERS) * torch.inf, overflowed)


def round_away(value: Tensor) -> Tensor:
    """Round to the nearest float16, halves away from zero, and hold the result as float32.

    Args:
        value: float32 or float64; not a number where it is not one.
    """
    wide = value.double()
    # One unit in the last place of float16 is 2^-10 of the power of two below the value, and at least 2^-24.
    exponent = (torch.frexp(wide).exponent - 1).clamp_(min=_SUBNORMAL_EXPONENT)
    unit = torch.ldexp(torch.ones_like(wide), exponent - 10)
    rounded = torch.copysign(torch.floor(wide.abs() / unit + 0.5) * unit, wide)
    rounded = torch.where(rounded.abs() > _MAX_FLOAT16, wide.sign() * torch.inf, rounded)
    return torch.where(wide.isfinite(), rounded, wide).float()


def _decoded(value: Tensor) -> Tensor:
    """What the engine reads where the bits say infinite or not a number: their exponent is one like any other."""
    return torch.nan_to_num(value.double(), nan=1.5 * 65536, posinf=65536, neginf=-65536)


def _exponent(value: Tensor) -> Tensor:
    """The exponent of a float16 value, that of subnormal numbers being -14. Zero's does not matter."""
    return (torch.frexp(value).exponent - 1).clamp_(min=_SUBNORMAL_EXPONENT)
