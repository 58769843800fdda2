"""Compressed weights: the values that are chosen, and that a converter loses none of them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import Tensor

from edgekit.mobilenet.capture import capture, fold_batch_norm
from edgekit.mobilenet.checkpoint import open_checkpoint
from edgekit.mobilenet.compression import (
    COMPRESSIONS,
    MIN_SIZE,
    compress_network,
    compress_weights,
    find_integers,
    find_palette,
    is_compressed,
    keep_sums,
    palettize,
    prune,
    quantize_channels,
)
from edgekit.mobilenet.float16 import round_weights
from edgekit.mobilenet.network import MobileNet
from edgekit.precision import COMPRESSED


@pytest.fixture(scope="module")
def network() -> MobileNet:
    return open_checkpoint("digits").network()


@pytest.fixture(scope="module")
def filters() -> Tensor:
    """40 filters of 3x3 and 8 channels, of very different sizes."""
    generator = torch.Generator().manual_seed(0)
    return torch.randn(40, 8, 3, 3, generator=generator) * torch.logspace(-3, 1, 40)[:, None, None, None]


def is_float16(tensor: Tensor) -> bool:
    return torch.equal(tensor.half().float(), tensor)


class TestKeepSums:
    TABLE = torch.tensor([-1.0, 0.0, 1.0, 2.0], dtype=torch.float64)

    @pytest.mark.parametrize(
        ("weights", "expected"),
        [
            ([0.4, 0.45, 0.41, 0.9], [0, 1, 0, 1]),  # 2.16, and 1 where all go to the nearest: the cheapest one moves
            ([0.1, 0.1, 0.1, 0.1], [0, 0, 0, 0]),  # moving one would be further off
            ([0.6, 0.7, 0.6, 0.6], [0, 1, 1, 1]),  # 2.5: 2 and 3 are as good, and fewer moves are better
            ([0.4, 0.4, 0.4, 0.4], [1, 1, 0, 0]),  # of equal ones the first
            ([-0.9, -0.8, 0.3, 0.3], [-1, -1, 1, 0]),  # the ends of the table stay: they are what a scale is found in
        ],
    )
    def test_by_hand(self, weights: list[float], expected: list[float]) -> None:
        assert keep_sums(torch.tensor([weights]), self.TABLE).tolist() == [expected]

    def test_every_weight_goes_to_a_neighbour_and_every_sum_is_nearer(self, filters: Tensor) -> None:
        table = torch.from_numpy(find_palette(filters.double().numpy(), 32))
        flat = filters.flatten(1).double()
        kept = keep_sums(filters, table).flatten(1)
        distances = (flat[..., None] - table).abs().sort(dim=-1).values
        own = (flat - kept).abs()
        nearest = table[(flat[..., None] - table).abs().argmin(-1)]
        assert torch.isin(kept, table).all()
        assert ((own == distances[..., 0]) | (kept - flat).sign().ne((nearest - flat).sign())).all()
        before, after = ((each - flat).sum(1).abs() for each in (nearest, kept))
        assert (after <= before).all()
        assert after.sum() < 0.2 * before.sum()

    def test_a_table_of_one_value(self) -> None:
        assert keep_sums(torch.ones(2, 3), torch.tensor([5.0], dtype=torch.float64)).tolist() == [[5.0] * 3] * 2


class TestFindPalette:
    def test_values_that_fit_are_kept(self) -> None:
        values = np.array([3.0, -1.0, 3.0, 0.5, -1.0])
        assert find_palette(values, 4).tolist() == [-1.0, 0.5, 3.0]

    @pytest.mark.parametrize("size", [4, 16])
    def test_its_error_is_near_the_least(self, size: int) -> None:
        """Against dynamic programming over all ways to cut the sorted values."""
        values = np.sort(np.random.default_rng(0).laplace(size=300))
        found = find_palette(values, size)
        assert len(found) == size
        error = float((np.abs(values[:, None] - found).min(axis=1) ** 2).sum())
        assert error < 1.2 * self.least_error(values, size)

    @staticmethod
    def least_error(values: NDArray[np.float64], size: int) -> float:
        count = len(values)
        cost = np.full((count + 1, count + 1), np.inf)
        for first in range(count):
            for end in range(first + 1, count + 1):
                cost[first, end] = values[first:end].var() * (end - first)
        best = cost[0]
        for _ in range(size - 1):
            best = np.array([(best[: end + 1] + cost[: end + 1, end]).min() if end else np.inf for end in range(count + 1)])
        return float(best[count])


class TestQuantizeChannels:
    def test_a_channel_is_255_steps_of_a_scale_that_its_largest_value_gives_away(self, filters: Tensor) -> None:
        quantized = quantize_channels(filters)
        for before, after in zip(filters, quantized, strict=True):
            scale = np.float16(np.float16(after.abs().max()) / np.float16(127))
            steps = after.numpy() / np.float32(scale)
            np.testing.assert_array_equal(np.round(steps) * np.float32(scale), after.numpy(), "exact in float32")
            assert np.abs(np.round(steps)).max() == 127
            assert (after - before).abs().max() <= 1.01 * float(scale)

    def test_scales_among_float16s_smallest_numbers_are_found_again_too(self) -> None:
        """A largest weight of 9.5e-5 is 12.55 of them a step."""
        weights = torch.linspace(-1, 1, 64).repeat(30, 1) * torch.logspace(-4.9, -2.5, 30)[:, None]
        for channel in quantize_channels(weights).double():
            scale = float(np.float16(channel.abs().max() / 127))
            steps = channel / scale
            assert torch.equal(steps, steps.round())
            assert steps.abs().max() == 127

    def test_channels_of_nothing_and_of_next_to_nothing(self) -> None:
        weights = torch.zeros(3, 4)
        weights[1] = torch.tensor([1e-6, -2e-6, 5e-8, 0])
        weights[2, 0] = 1e-9
        quantized = quantize_channels(weights)
        assert torch.equal(quantized[0], weights[0])
        assert (quantized[1] - weights[1]).abs().max() <= 2.0**-24
        assert torch.equal(quantized[2], torch.zeros(4))


class TestFindIntegers:
    @given(
        st.integers(0, 2**32 - 1),
        st.sampled_from([(8, 300), (16, 16, 3, 3), (300, 1, 3, 3), (16, 2, 1, 5, 5)]),
        st.sampled_from([1e-7, 1e-4, 1e-2, 1, 300]),
    )
    def test_their_products_are_the_chosen_weights_bit_for_bit(self, seed: int, shape: tuple[int, ...], size: float) -> None:
        values = np.random.default_rng(seed).normal(scale=size, size=shape).astype(np.float32)
        values[0] = 0  # a channel that was pruned
        groups = 2 if len(shape) == 5 else 1
        weights = quantize_channels(torch.from_numpy(values).flatten(0, groups - 1)).numpy().reshape(shape)
        integers, scales = find_integers(weights, axes=groups)
        assert (str(integers.dtype), str(scales.dtype)) == ("int8", "float16")
        assert scales.shape == (*shape[:groups], *[1] * (len(shape) - groups))
        assert scales.min() > 0
        assert integers.min() >= -127
        np.testing.assert_array_equal(integers * scales.astype(np.float32), weights)

    @pytest.mark.parametrize("change", [1e-3, 2.0])
    def test_weights_that_nobody_chose_are_an_error(self, filters: Tensor, change: float) -> None:
        """One weight off: a little, or so far that the others are steps of no scale."""
        weights = quantize_channels(filters).numpy()
        find_integers(weights)
        weights[3, 0, 0, 0] += change * np.abs(weights[3]).max()
        with pytest.raises(ValueError, match="not int8 times a float16 scale"):
            find_integers(weights)


@pytest.mark.parametrize(
    ("shape", "compressed"), [((2, MIN_SIZE // 2), False), ((2, MIN_SIZE // 2 + 1), True), ((MIN_SIZE + 1,), False), ((), False)]
)
def test_filters_of_some_size_are_compressed_and_biases_are_not(shape: tuple[int, ...], compressed: bool) -> None:
    assert is_compressed(shape) == compressed


@pytest.mark.parametrize("bits", [4, 6, 8])
def test_palettes_have_as_many_values_as_bits_can_tell_apart(filters: Tensor, bits: int) -> None:
    palettized = palettize(filters, bits)
    assert is_float16(palettized)
    assert 0.9 * 2**bits < len(np.unique(palettized.numpy())) <= 2**bits


def test_pruning_takes_the_smallest_and_of_equal_ones_the_first() -> None:
    weights = torch.tensor([[0.1, -3.0, 0.2], [-0.2, 2.0, 0.2], [1.0, -1.0, 5.0]])
    assert prune(weights, 1 / 3).tolist() == [[0, -3, 0], [0, 2, pytest.approx(0.2, rel=1e-3)], [1, -1, 5]]
    assert int((prune(torch.ones(7, 3), 0.5) == 0).sum()) == 11


def test_every_precision_has_its_compression() -> None:
    assert tuple(COMPRESSIONS) == COMPRESSED


@pytest.mark.parametrize("precision", COMPRESSED)
def test_a_program_and_its_network_get_the_same_weights(network: MobileNet, precision: str) -> None:
    exported, folded = capture(network), fold_batch_norm(network).state_dict()
    before = {name: tensor.clone() for name, tensor in exported.state_dict.items()}
    chosen = compress_weights(exported, precision)
    program, stored = chosen.state_dict, round_weights(chosen).state_dict
    twin = compress_network(network, precision).state_dict()
    rounded = round_weights(exported).state_dict
    compressed = [name for name, tensor in before.items() if is_compressed(tensor.shape)]
    assert len(compressed) == 23
    for name, original in before.items():
        assert torch.equal(exported.state_dict[name], original), "the original is left alone"
        if name in compressed:
            assert is_float16(program[name]) or precision == "int8-weights"
            assert torch.equal(program[name], COMPRESSIONS[precision](original.detach()))
            assert torch.equal(program[name], twin[name])
            assert not torch.equal(program[name], rounded[name])
            assert torch.equal(stored[name], program[name]) or precision == "int8-weights", "float16 takes nothing more from them"
        else:
            assert torch.equal(program[name], original)
            assert torch.equal(twin[name], folded[name]), "float16 is for the artifact to lose"


def test_a_network_that_is_compressed_is_a_copy(network: MobileNet) -> None:
    before = fold_batch_norm(network).state_dict()
    compress_network(network, "palettized-4")
    assert all(torch.equal(tensor, before[name]) for name, tensor in fold_batch_norm(network).state_dict().items())
