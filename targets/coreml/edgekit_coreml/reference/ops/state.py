"""Tensors that outlive a prediction."""

from __future__ import annotations

from torch import Tensor

from edgekit_coreml.reference.ops.registry import op
from edgekit_coreml.reference.value import State


@op("read_state")
def read_state(input: State) -> Tensor:
    """Return what is in the state now. Nothing changes a tensor in place, so that it needs no copy."""
    return input.tensor


@op("write_state")
def write_state(input: State, data: Tensor) -> tuple[()]:
    """Put a tensor into the state."""
    if data.shape != input.tensor.shape:
        raise ValueError(f"the state is {list(input.tensor.shape)}, and is given {list(data.shape)}")
    input.tensor = data
    return ()
