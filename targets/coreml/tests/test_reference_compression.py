"""Compressed constants against tables and bits written out by hand from the documentation of `constexpr_*`."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from edgekit_coreml.reference.ops import compression

Array = NDArray[Any]


def given(values: Any, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return torch.tensor(values, dtype=dtype)


def indices(values: Any) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.uint8)


class TestOfIOS16:
    """Packed bytes, the lowest bit first, and a shape."""

    def test_affine_dequantize_per_channel(self) -> None:
        data = given([[[-128, 127], [0, 5]], [[1, 2], [3, 4]], [[100, -100], [7, 9]]], torch.int8)
        scale, zero_point = given([0.5, 0.25]), given([-128, 5], torch.int8)
        expected = [[[0.0, 127.5], [-1.25, 0.0]], [[64.5, 65.0], [-0.5, -0.25]], [[114.0, 14.0], [0.5, 1.0]]]
        for axis in (1, -2):
            np.testing.assert_array_equal(compression.affine_dequantize(data, zero_point, scale, axis), expected)

    @pytest.mark.parametrize(
        ("scale", "zero_point", "expected"),
        [
            (0.5, 200, [[-100.0, 27.5, 0.0]]),
            ([0.5], 200, [[-100.0, 27.5, 0.0]]),
            (0.5, 0.5, [[-0.25, 127.25, 99.75]]),
        ],
    )
    def test_affine_dequantize_of_a_scalar(self, scale: Any, zero_point: Any, expected: Any) -> None:
        dtype = torch.float32 if isinstance(zero_point, float) else torch.uint8
        data = given([[0, 255, 200]], torch.uint8)
        computed = compression.affine_dequantize(data, given(zero_point, dtype), given(scale), 0)
        np.testing.assert_array_equal(computed, expected)

    def test_an_axis_or_length_that_does_not_fit(self) -> None:
        data = given([[0, 255, 200]], torch.uint8)
        for scale, axis in (([1.0, 2.0], 1), ([1.0], 2), ([1.0, 2.0, 3.0], 0)):
            with pytest.raises(ValueError, match="axis"):
                compression.affine_dequantize(data, given(0, torch.uint8), given(scale), axis)

    # the example of constexpr_lut_to_dense's documentation, then what it says written out for the other widths
    @pytest.mark.parametrize(
        ("bits", "packed", "expected"),
        [
            (1, [0b10110001, 0b1], [1, 0, 0, 0, 1, 1, 0, 1, 1]),
            (2, [0b01101100, 0b11], [0, 3, 2, 1, 3]),
            (4, [0x21, 0x0F], [1, 2, 15]),
            # 6 bits: 1, 62, 33 and 5 are 000001, 111110, 100001 and 000101; each byte takes what the last one left
            (6, [0b10_000001, 0b0001_1111, 0b000101_10], [1, 62, 33, 5]),
            (8, [7, 255, 0], [7, 255, 0]),
        ],
    )
    def test_lut_to_dense(self, bits: int, packed: list[int], expected: list[int]) -> None:
        lut = np.linspace(-3, 5, 2**bits, dtype=np.float32)
        dense = compression.lut_to_dense(indices(packed), torch.from_numpy(lut), shape=(1, len(expected), 1))
        np.testing.assert_array_equal(dense, lut[expected].reshape(1, -1, 1))

    def test_lut_to_dense_is_row_major(self) -> None:
        dense = compression.lut_to_dense(indices([0b11_10_01_00, 0b0001]), given([10.0, 11.0, 12.0, 13.0]), shape=(2, 3))
        np.testing.assert_array_equal(dense, [[10, 11, 12], [13, 11, 10]])

    @pytest.mark.parametrize(
        ("packed", "entries", "shape", "message"),
        [
            ([0], 4, (5,), "1. bytes for 5 values of 2 bits"),
            ([0, 0, 0], 4, (5,), "3. bytes for 5 values"),
            ([0], 3, (4,), "power of 2"),
            ([0], 8, (2,), "power of 2"),
            ([0, 0b100], 4, (5,), "not zero"),
        ],
    )
    def test_tables_that_do_not_fit(self, packed: list[int], entries: int, shape: tuple[int, ...], message: str) -> None:
        with pytest.raises(ValueError, match=message):
            compression.lut_to_dense(indices(packed), torch.zeros(entries), shape=shape)

    def test_sparse_to_dense(self) -> None:
        dense = compression.sparse_to_dense(given([5.0, 6.0, 7.0, 8.0]), indices([0b10001100, 0b10]), shape=(2, 5))
        np.testing.assert_array_equal(dense, [[0, 0, 5, 6, 0], [0, 0, 7, 0, 8]])  # bits 2, 3, 7 and 9

    def test_a_mask_of_other_values(self) -> None:
        with pytest.raises(ValueError, match="a mask of 2 ones"):
            compression.sparse_to_dense(given([5.0]), indices([0b11]), shape=(5,))
        with pytest.raises(ValueError, match="not zero"):
            compression.sparse_to_dense(given([5.0]), indices([0b100000]), shape=(5,))

    def test_cast(self) -> None:
        np.testing.assert_array_equal(compression.cast(given([[1.5, -2.0]]), "fp32"), [[1.5, -2.0]])


class TestOfIOS18:
    """Sub-byte tensors, one value an element, in blocks and groups."""

    def test_blockwise_shift_scale(self, random: np.random.Generator) -> None:
        data = random.integers(-8, 8, (4, 6, 2))
        scale, offset = random.standard_normal((2, 3, 1)).astype(np.float32), random.integers(-8, 8, (2, 3, 1))
        expected = np.zeros(data.shape)
        for i, j, k in product(*map(range, data.shape)):  # the documentation's own formula
            block = (i // 2, j // 2, 0)
            expected[i, j, k] = scale[block] * (data[i, j, k] - offset[block])
        with_offset = compression.blockwise_shift_scale(
            torch.from_numpy(data).to(torch.int8), torch.from_numpy(scale), torch.from_numpy(offset).to(torch.int8)
        )
        np.testing.assert_allclose(with_offset, expected, rtol=1e-6)
        without = compression.blockwise_shift_scale(torch.from_numpy(data).to(torch.int8), torch.from_numpy(scale))
        np.testing.assert_allclose(without, data * np.repeat(np.repeat(scale, 2, 0), 2, 1), rtol=1e-6)

    @pytest.mark.parametrize("dtype", [torch.uint8, torch.int8, torch.float32])
    def test_differences_do_not_wrap(self, dtype: torch.dtype) -> None:
        high, low = (255, 0) if dtype == torch.uint8 else (127, -128)
        computed = compression.blockwise_shift_scale(given([low, high], dtype), given([2.0]), given([high], dtype))
        np.testing.assert_array_equal(computed, [2.0 * (low - high), 0])

    def test_blocks_that_do_not_divide(self) -> None:
        for scale in (torch.ones(2, 4), torch.ones(4), torch.ones(1, 1, 1)):
            with pytest.raises(ValueError, match="into blocks"):
                compression.blockwise_shift_scale(torch.ones(4, 6), scale)

    def test_lut_per_group(self) -> None:
        """Case 1 of the documentation."""
        chosen = indices([2, 3, 3, 0, 1, 0, 3, 0, 2, 1, 0, 3]).reshape(6, 2)
        lut = given([1.0, 5.0, 9.0, 13.0, 2.0, 10.0, 18.0, 26.0]).reshape(2, 1, 4, 1)
        expected = [[9, 13], [13, 1], [5, 1], [26, 2], [18, 10], [2, 26]]
        np.testing.assert_array_equal(compression.lut_to_dense(chosen, lut), expected)

    VECTORS = (
        (0, [[[0, 0], [3, 0]], [[1, 1], [4, 1]], [[2, 2], [5, 2]], [[3, 3], [0, 0]], [[4, 4], [1, 1]], [[5, 5], [2, 2]]]),
        # Cases 2.1 and 2.2 of the documentation, where a is 0, 1, 2 and b is 3, 4, 5
        (1, [[[0, 0], [1, 1], [2, 2], [3, 0], [4, 1], [5, 2]], [[3, 3], [4, 4], [5, 5], [0, 0], [1, 1], [2, 2]]]),
        (2, [[[0, 1, 2, 0, 1, 2], [3, 4, 5, 0, 1, 2]], [[3, 4, 5, 3, 4, 5], [0, 1, 2, 0, 1, 2]]]),
    )

    @pytest.mark.parametrize(("axis", "expected"), VECTORS)
    def test_vectors(self, axis: int, expected: Any) -> None:
        chosen = indices([[[0, 0], [1, 0]], [[1, 1], [0, 0]]])
        lut = given([[0, 1, 2], [3, 4, 5]], torch.int8).reshape(1, 1, 1, 2, 3)
        for same in (axis, axis - 3):
            dense = compression.lut_to_dense(chosen, lut, vector_axis=same)
            assert dense.dtype == torch.int8
            np.testing.assert_array_equal(dense, expected)

    def test_vectors_of_several_tables(self, random: np.random.Generator) -> None:
        """Tables for two groups along axis 0 and three along axis 1, vectors along axis 1."""
        chosen = random.integers(0, 4, (4, 6, 3))
        lut = random.standard_normal((2, 3, 1, 4, 5)).astype(np.float32)
        expected = np.zeros((4, 6 * 5, 3))
        for i, j, k, v in product(range(4), range(6), range(3), range(5)):
            expected[i, j * 5 + v, k] = lut[i // 2, j // 2, 0, chosen[i, j, k], v]
        dense = compression.lut_to_dense(torch.from_numpy(chosen).to(torch.uint8), torch.from_numpy(lut), vector_axis=-2)
        np.testing.assert_array_equal(dense, expected.astype(np.float32))

    def test_one_value_a_vector(self) -> None:
        dense = compression.lut_to_dense(indices([[1, 0, 1]]), given([5.0, 6.0]).reshape(1, 1, 2, 1), vector_axis=1)
        np.testing.assert_array_equal(dense, [[6, 5, 6]])

    @pytest.mark.parametrize(
        ("lut", "axis", "message"),
        [
            ((1, 2, 1), None, "two more"),
            ((1, 1, 2, 3), None, "no vector_axis"),
            ((1, 1, 2, 3), 2, "vector_axis is 2"),
            ((2, 1, 2, 1), None, "into blocks"),
        ],
    )
    def test_tables_that_do_not_fit(self, lut: tuple[int, ...], axis: int | None, message: str) -> None:
        with pytest.raises(ValueError, match=message):
            compression.lut_to_dense(indices([[1, 0, 1]]), torch.zeros(lut), vector_axis=axis)

    def test_sparse_to_dense(self) -> None:
        dense = compression.sparse_to_dense(given([1, 2, 3], torch.int8), indices([[0, 1, 0], [1, 0, 1]]))
        assert dense.dtype == torch.int8
        np.testing.assert_array_equal(dense, [[0, 1, 0], [2, 0, 3]])

    def test_sparse_blockwise_shift_scale(self) -> None:
        """The example of the documentation."""
        mask = indices([[1, 1, 0, 0], [1, 1, 1, 0], [0, 0, 1, 1], [1, 1, 0, 0]])
        data = given([10, 11, 3, 4, 5, 6, 7, 8, 9], torch.int8)
        scale, offset = given([[0.1, 0.2, 0.3, 0.4]]), given([[1, 2, 3, 4]], torch.int8)
        given_mask, values = compression.sparse_blockwise_shift_scale(mask, data, scale, offset)
        np.testing.assert_array_equal(given_mask, mask)
        np.testing.assert_allclose(values, [0.9, 1.8, 0.2, 0.4, 0.6, 0.9, 1.2, 0.7, 1.4], rtol=1e-6)

    MASK = ((1, 1, 0, 0, 0, 0), (1, 1, 0, 0, 0, 1), (0, 1, 1, 0, 1, 0), (0, 0, 0, 1, 0, 0))

    def test_lut_to_sparse(self) -> None:
        """The first example of the documentation."""
        mask, values = compression.lut_to_sparse(
            indices(self.MASK), indices([0, 1, 1, 0, 1, 1, 0, 0, 1]), given([2.0, 3.0]).reshape(1, 1, 2, 1)
        )
        np.testing.assert_array_equal(mask, self.MASK)
        np.testing.assert_array_equal(values, [2, 3, 3, 2, 3, 3, 2, 2, 3])

    def test_lut_to_sparse_of_vectors(self) -> None:
        """The second example, with vectors of two different values, then made dense."""
        mask, values = compression.lut_to_sparse(
            indices(self.MASK),
            indices([0, 1, 1, 0, 1, 1, 0, 0, 1]),
            given([[2.0, 20.0], [3.0, 30.0]]).reshape(1, 1, 2, 2),
            vector_axis=-2,
        )
        np.testing.assert_array_equal(mask, [row for row in self.MASK for _ in range(2)])
        np.testing.assert_array_equal(values, [2, 3, 20, 30, 3, 2, 3, 30, 20, 30, 3, 2, 2, 30, 20, 20, 3, 30])
        np.testing.assert_array_equal(
            compression.sparse_to_dense(values, mask),
            [
                [2, 3, 0, 0, 0, 0],
                [20, 30, 0, 0, 0, 0],
                [3, 2, 0, 0, 0, 3],
                [30, 20, 0, 0, 0, 30],
                [0, 3, 2, 0, 2, 0],
                [0, 30, 20, 0, 20, 0],
                [0, 0, 0, 3, 0, 0],
                [0, 0, 0, 30, 0, 0],
            ],
        )
