"""One rounding of the weights, the same on every target."""

from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from edgekit.mobilenet.checkpoint import open_checkpoint
from edgekit.mobilenet.float16 import round_filters, round_weights
from edgekit.mobilenet.program import capture_program


@given(
    seed=st.integers(0, 2**31), channels=st.integers(1, 7), side=st.integers(1, 5), scale=st.sampled_from([1e-3, 0.1, 1.0, 30.0])
)
def test_each_filters_sum_is_kept(seed: int, channels: int, side: int, scale: float) -> None:
    filters = torch.randn(channels, 1, side, side, generator=torch.Generator().manual_seed(seed)) * scale
    rounded = round_filters(filters)
    assert torch.equal(rounded.half().float(), rounded), "float16 values"
    smallest = rounded.flatten(1).abs().amin(dim=1).double()
    left = (rounded.double() - filters.double()).sum(dim=(1, 2, 3)).abs()
    # half a place of the smallest weight, which what was handed on to it may have doubled, and float16's smallest step
    largest_step = filters.flatten(1).abs().amax(dim=1).double() * 2**-11
    assert (left <= torch.minimum(smallest * 2**-10 + 2**-24, largest_step + 2**-24)).all()


@given(seed=st.integers(0, 2**31))
def test_no_weight_moves_by_more_than_a_place_of_the_largest(seed: int) -> None:
    filters = torch.randn(4, 1, 3, 3, generator=torch.Generator().manual_seed(seed))
    step = filters.flatten(1).abs().amax(dim=1) * 2**-10
    assert ((round_filters(filters) - filters).flatten(1).abs().amax(dim=1) <= step).all()


def test_nearest_rounding_would_not_keep_the_sum() -> None:
    """Negative control: three weights that all round down."""
    filters = torch.full((1, 1, 1, 3), 1 + 0.4 * 2**-10)
    assert (filters.half().float() - filters).sum().abs() > 2**-10
    assert (round_filters(filters) - filters).sum().abs() <= 0.5 * 2**-10


def test_a_program_is_rounded_in_a_copy() -> None:
    exported = capture_program(open_checkpoint("digits").network()).exported
    before = {name: tensor.clone() for name, tensor in exported.state_dict.items()}
    rounded = round_weights(exported)
    assert all(torch.equal(tensor, before[name]) for name, tensor in exported.state_dict.items())
    for name, tensor in rounded.state_dict.items():
        assert torch.equal(tensor.half().float(), tensor), name
        if "depthwise" not in name and name != "stem.conv.weight":  # one input channel each, for the model is grey
            assert torch.equal(tensor, before[name].half().float()), name
