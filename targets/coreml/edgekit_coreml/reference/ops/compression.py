"""Compressed constants: `constexpr_*`, of iOS 16 (packed bytes and a shape) and of iOS 18 (typed sub-byte tensors).

Some names are in both generations with different inputs. Where there is a `shape`, the constant is one of iOS 16. Values of a
sub-byte type come here one per element, held as `HELD` says; the packed bytes of iOS 16 come as they are stored.
"""

from __future__ import annotations

from math import prod
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from edgekit_coreml.reference.ops.quantization import dequantize
from edgekit_coreml.reference.ops.registry import op


@op("constexpr_affine_dequantize", gives=("scale",), own=("scale", "zero_point"))
def affine_dequantize(quantized_data: Tensor, zero_point: Tensor, scale: Tensor, axis: int) -> Tensor:
    """Return scale * (quantized_data - zero_point); scale and zero point are for all, or per channel along `axis`."""
    return dequantize(quantized_data, scale, zero_point, axis)


@op("constexpr_cast", gives=("output_dtype",))
def cast(source_val: Tensor, output_dtype: Literal["fp32"]) -> Tensor:
    """Return float16 values as float32, which is how they are held anyway."""
    return source_val.clone()


@op("constexpr_blockwise_shift_scale", gives=("scale",), own=("scale", "offset"))
def blockwise_shift_scale(data: Tensor, scale: Tensor, offset: Tensor | None = None) -> Tensor:
    """Return scale * (data - offset), where each scale and offset is for one block of the data."""
    steps = data.float()
    if offset is not None:
        steps = steps - _spread(offset.float(), data.shape, "offsets")
    return _spread(scale, data.shape, "scales") * steps


@op("constexpr_lut_to_dense", gives=("lut",), own=("lut",))
def lut_to_dense(indices: Tensor, lut: Tensor, shape: tuple[int, ...] | None = None, vector_axis: int | None = None) -> Tensor:
    """Return the entries of a look-up table that the indices name.

    iOS 16: `indices` are packed into bytes from the lowest bit up, log2(size of the table) bits each.
    iOS 18: `lut` has an axis for each one of the indices, in as many groups as there are tables, then an axis of entries and
    one of the values of an entry, which fill the result along `vector_axis`.
    """
    if shape is None:
        return _look_up(indices, lut, vector_axis)
    if lut.ndim != 1 or lut.numel() not in (2, 4, 16, 64, 256):
        raise ValueError(f"a table of {list(lut.shape)} entries: a power of 2 of 1, 2, 4, 6 or 8 bits is what there is")
    return lut[_unpack(indices, lut.numel().bit_length() - 1, prod(shape)).long()].reshape(shape)


@op("constexpr_sparse_to_dense", gives=("nonzero_data",), own=("mask",))
def sparse_to_dense(nonzero_data: Tensor, mask: Tensor, shape: tuple[int, ...] | None = None) -> Tensor:
    """Return zeros, with the values in row-major order where the mask is 1.

    iOS 16: `mask` is packed into bytes from the lowest bit up.
    """
    if shape is not None:
        mask = _unpack(mask, 1, prod(shape)).reshape(shape)
    places = mask != 0
    if nonzero_data.shape != (int(places.sum()),):
        raise ValueError(f"values of {list(nonzero_data.shape)} for a mask of {int(places.sum())} ones")
    dense = torch.zeros(mask.shape, dtype=nonzero_data.dtype)
    dense[places] = nonzero_data
    return dense


@op("constexpr_lut_to_sparse", gives=("indices_mask", "lut"), own=("indices_mask", "lut"))
def lut_to_sparse(
    indices_mask: Tensor, indices_nonzero_data: Tensor, lut: Tensor, vector_axis: int | None = None
) -> tuple[Tensor, Tensor]:
    """Return the mask, widened along `vector_axis` to vectors, and the values that `lut_to_dense` gives where it is 1."""
    dense = _look_up(sparse_to_dense(indices_nonzero_data, indices_mask), lut, vector_axis)
    mask = indices_mask if vector_axis is None else indices_mask.repeat_interleave(lut.shape[-1], vector_axis)
    return mask, dense[mask != 0]


@op("constexpr_sparse_blockwise_shift_scale", gives=("data_mask", "scale"), own=("data_mask", "scale", "offset"))
def sparse_blockwise_shift_scale(
    data_mask: Tensor, nonzero_data: Tensor, scale: Tensor, offset: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Return the mask, and the values that `blockwise_shift_scale` gives where it is 1."""
    dense = blockwise_shift_scale(sparse_to_dense(nonzero_data, data_mask), scale, offset)
    return data_mask, dense[data_mask != 0]


def _look_up(indices: Tensor, lut: Tensor, vector_axis: int | None) -> Tensor:
    rank = indices.ndim
    if lut.ndim != rank + 2:
        raise ValueError(f"a table of rank {lut.ndim} for indices of rank {rank}: it needs two more")
    if vector_axis is None and lut.shape[-1] != 1:
        raise ValueError(f"entries of {lut.shape[-1]} values, and no vector_axis that says where they go")
    if vector_axis is not None and not -rank <= vector_axis < rank:
        raise ValueError(f"vector_axis is {vector_axis}, for indices of rank {rank}")
    tables = _spread(lut, (*indices.shape, *lut.shape[-2:]), "tables")
    chosen = indices.long()[..., None, None].expand(*indices.shape, 1, lut.shape[-1])
    vectors = tables.gather(-2, chosen).squeeze(-2)
    if vector_axis is None:
        return vectors.squeeze(-1)
    axis = vector_axis % rank
    return vectors.movedim(-1, axis + 1).flatten(axis, axis + 1)


def _spread(parameter: Tensor, sizes: tuple[int, ...], what: str) -> Tensor:
    """Repeat each value of the parameter over its block, so that it has the sizes."""
    if parameter.ndim != len(sizes) or any(size % blocks for size, blocks in zip(sizes, parameter.shape, strict=True)):
        raise ValueError(f"{what} of {list(parameter.shape)} do not divide {list(sizes)} into blocks")
    for axis, size in enumerate(sizes):
        if parameter.shape[axis] not in (1, size):
            parameter = parameter.repeat_interleave(size // parameter.shape[axis], axis)
    return parameter.expand(sizes)


def _unpack(packed: Tensor, bits: int, count: int) -> Tensor:
    """Read `count` numbers of so many bits, packed from the lowest bit of the first byte up."""
    if packed.shape != (-(-bits * count // 8),):
        raise ValueError(f"{list(packed.shape)} bytes for {count} values of {bits} bits")
    each = np.unpackbits(packed.numpy(), bitorder="little")
    if each[bits * count :].any():
        raise ValueError("the bits after the last value are not zero")
    return torch.from_numpy(np.packbits(each[: bits * count].reshape(count, bits), axis=1, bitorder="little").reshape(count))
