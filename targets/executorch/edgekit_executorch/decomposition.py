"""How operators that XNNPACK lacks are spelled out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from executorch.exir.program import _program


@contextmanager
def float_scalars() -> Iterator[None]:
    """Spell hard-sigmoid out with float constants.

    torch's own decomposition adds the integers 3 and 6. ExecuTorch lifts each into an int64 tensor that is converted to float at
    every inference, outside the delegate: two undelegated operators per squeeze-excite. ExecuTorch's lowering takes no table of
    decompositions from its caller, and to decompose before it would trace the network once more.
    """
    original: Callable[[], dict[Any, Any]] = _program._default_decomposition_table

    def table() -> dict[Any, Any]:
        decompositions = original()
        decompositions[torch.ops.aten.hardsigmoid.default] = _hard_sigmoid
        return decompositions

    _program._default_decomposition_table = table
    try:
        yield
    finally:
        _program._default_decomposition_table = original


def _hard_sigmoid(x: torch.Tensor) -> torch.Tensor:
    return torch.clamp(x + 3.0, 0.0, 6.0) * (1.0 / 6.0)
