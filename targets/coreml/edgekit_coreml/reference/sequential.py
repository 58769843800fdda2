"""A model of Core ML's float16 arithmetic on the CPU: one fused multiply-add after the other, each rounded to float16.

Source: the CPU's columns in the measurements of https://github.com/751K/Apple-Neural-Engine-Microarchitecture-Study-M6,
data/06_numerics/numerics2_m6.txt, numerics3_m6.txt and numerics5_m6.txt (commit a51e0dbd1ab9021f6af3dc4aef161223b9aedd95,
measured 2026-10-02 on an M6 with macOS 27.0.1, compute unit CPU_ONLY). What they show is that 16384 + 1 - 16384 is 0, that
1024 + 1/4 - 1024 is 0, that 16384 + 16384 - 16384 - 16384 + 1 is 1, and that halves are rounded to even: float16 sums in the
order of the channels. Their products are all exact, so they do not tell a fused multiply-add from two roundings, nor whether the
bias is added first; here it is the first term. Core ML may choose other kernels, with wider sums, for other shapes.
"""

from __future__ import annotations

import torch
from torch import Tensor

from edgekit_coreml.reference.products import Pairs, SumOfProducts

# How many of float64's 52 fractional bits float32 has not.
_BELOW_FLOAT32 = 2**29 - 1


class SequentialHalf(SumOfProducts):
    """Adds in float16, one product after the other."""

    limit = 65520.0  # halfway from the largest float16 to where the next would be

    def add_up(self, pairs: Pairs, start: Tensor) -> Tensor:
        """See `SumOfProducts.add_up`."""
        total = start.double()
        for values, weights in pairs:
            # A product of two float16 values has 22 bits. Where float64 cannot hold the sum, the smaller term is less than
            # 2^-30 of the larger, far from what moves a float16: so this rounding cannot change the next.
            total = to_half(torch.addcmul(total, values.double(), weights.double())).double()
            lowest, highest = torch.aminmax(total)
            self.peak = max(self.peak, highest.item(), -lowest.item())
        return total.float()


def to_half(value: Tensor) -> Tensor:
    """Round float64 to float16, halves to even.

    PyTorch goes by way of float32, which rounds twice. Rounding to odd first makes that harmless (Boldo and Melquiond, "Emulation
    of a FMA and correctly rounded sums", IEEE Transactions on Computers 57, 2008).

    Args:
        value: float64; overwritten.
    """
    bits = value.view(torch.int64)
    sticky = ((bits & _BELOW_FLOAT32) + _BELOW_FLOAT32) & (_BELOW_FLOAT32 + 1)
    bits |= sticky
    bits &= ~_BELOW_FLOAT32
    return value.half()
