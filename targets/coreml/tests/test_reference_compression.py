"""Compressed constants against tables and bits written out by hand from the documentation of `constexpr_*`."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import coremltools as ct
import numpy as np
import pytest
import torch
from coremltools.converters.mil import Builder as mb  # noqa: N813 (its name in coremltools' documentation)
from coremltools.converters.mil.mil import types
from numpy.typing import NDArray

from edgekit.errors import InputError
from edgekit_coreml.reference import ReferenceModel
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


class TestInPackages:
    """Saved and read again: one chain of each generation, and what is wrong with a file."""

    X = np.array([[1, -1, 2]], np.float32)

    def test_a_constant_is_rounded_once(self, run: Callable[..., list[Array]]) -> None:
        """To the float16 that its output declares, and not in exact mode."""
        data, scale = np.array([[-127, 3, 101], [7, 55, -90]], np.int8), np.array([0.0331, 0.0107], np.float16)

        def body(x: Any) -> Any:
            weight = mb.constexpr_affine_dequantize(quantized_data=data, zero_point=np.int8(5), scale=scale, axis=0)
            return mb.matmul(x=x, y=weight, transpose_y=True)

        weight = (data.astype(np.float64) - 5) * scale.astype(np.float64)[:, None]
        assert (weight.astype(np.float16) != weight).any()
        x = self.X.astype(np.float16)
        (exact,) = run(body, "exact", x=x)
        np.testing.assert_allclose(exact, x @ weight.T, rtol=1e-6)
        (rounded,) = run(body, "float16", x=x)
        np.testing.assert_array_equal(rounded, (x.astype(np.float64) @ weight.astype(np.float16).T).astype(np.float16))

    def test_packed_bytes_and_a_cast(self, run: Callable[..., list[Array]]) -> None:
        half = np.array([[0.1, 3.0]], np.float16)

        def body(x: Any) -> Any:
            packed = np.array([0b11_10_01_00, 0b0001], np.uint8)
            table = np.array([10, 11, 12, 13], np.float32)
            looked_up = mb.constexpr_lut_to_dense(indices=packed, lut=table, shape=np.array([2, 3], np.uint32))
            sparse = mb.constexpr_sparse_to_dense(
                nonzero_data=table[:2], mask=np.array([0b010010], np.uint8), shape=np.array([2, 3], np.uint32)
            )
            wide = mb.constexpr_cast(source_val=half, output_dtype="fp32")
            return (
                mb.mul(x=x, y=looked_up),
                mb.mul(x=x, y=sparse),
                mb.add(x=wide, y=mb.slice_by_size(x=x, begin=[0, 0], size=[1, 2])),
            )

        looked_up, sparse, cast = run(body, x=self.X)
        np.testing.assert_array_equal(looked_up, self.X * [[10, 11, 12], [13, 11, 10]])
        np.testing.assert_array_equal(sparse, self.X * [[0, 10, 0], [0, 11, 0]])
        np.testing.assert_array_equal(cast, self.X[:, :2] + half.astype(np.float32))

    def test_a_chain_with_two_outputs(self, run: Callable[..., list[Array]]) -> None:
        """Vectors of a table that is itself quantised, at the places of a mask."""
        bit, int8 = types.nptype_from_builtin(types.uint1), np.int8
        table = np.array([[[2, 20], [3, 30]]], int8).reshape(1, 1, 2, 2)

        def body(x: Any) -> Any:
            lut = mb.constexpr_blockwise_shift_scale(data=table, scale=np.full((1, 1, 1, 1), 0.5, np.float32))
            mask, values = mb.constexpr_lut_to_sparse(
                indices_mask=np.array([[1, 0, 1], [0, 1, 0]]).astype(bit),
                indices_nonzero_data=np.array([0, 1, 1]).astype(bit),
                lut=lut,
                vector_axis=0,
            )
            return mb.mul(x=x, y=mb.constexpr_sparse_to_dense(nonzero_data=values, mask=mask))

        (answer,) = run(body, opset=ct.target.iOS18, x=self.X)
        np.testing.assert_array_equal(answer, self.X * [[1, 0, 1.5], [10, 0, 15], [0, 1.5, 0], [0, 15, 0]])

    def test_a_table_of_another_size_is_an_input_error(self, build: Callable[..., Path], edited: Callable[..., Path]) -> None:
        def body(x: Any) -> Any:
            packed, table = np.array([0b11_10_01_00, 0b0001], np.uint8), np.array([10, 11, 12, 13], np.float32)
            return mb.mul(x=x, y=mb.constexpr_lut_to_dense(indices=packed, lut=table, shape=np.array([2, 3], np.uint32)))

        def longer(model: Any) -> None:
            (function,) = model.mlProgram.functions.values()
            (block,) = function.block_specializations.values()
            operation = next(each for each in block.operations if each.type.startswith("constexpr_"))
            shape = operation.attributes["shape"].immediateValue.tensor
            shape.ClearField("value")
            shape.bytes.values = np.array([2, 5], np.uint32).tobytes()

        with pytest.raises(InputError, match=r"constexpr_lut_to_dense .* \[2\] bytes for 10 values of 2 bits"):
            ReferenceModel(edited(build(body, x=self.X), longer))
