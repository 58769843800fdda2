"""The same values in another order, against loops over the places that the documentation names."""

from __future__ import annotations

from itertools import permutations, product
from typing import Any

import coremltools as ct
import numpy as np
import pytest
from coremltools.converters.mil import Builder as mb  # noqa: N813 (its name in coremltools' documentation)
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

Array = NDArray[Any]

X = np.arange(2 * 12 * 4 * 6, dtype=np.float32).reshape(2, 12, 4, 6)


def in_blocks(x: Array, size: int, *, channel_first: bool) -> Array:
    """Channels to blocks: the place in a block is the slower part of the channel in TensorFlow, the faster one in PyTorch."""
    batch, channels, height, width = x.shape
    kept = channels // size**2
    result = np.empty((batch, kept, height * size, width * size), x.dtype)
    for c, i, j in product(range(kept), range(size), range(size)):
        channel = (i * size + j) * kept + c if channel_first else c * size**2 + i * size + j
        result[:, c, i::size, j::size] = x[:, channel]
    return result


@pytest.mark.parametrize("size", [1, 2])
def test_pixels_as_in_pytorch(compute: Any, size: int) -> None:
    expected = in_blocks(X, size, channel_first=False)
    np.testing.assert_array_equal(compute("pixel_shuffle", x=X, upscale_factor=size), expected)
    np.testing.assert_array_equal(compute("pixel_unshuffle", x=expected, downscale_factor=size), X)


def test_depth_as_in_tensorflow(compute: Any) -> None:
    expected = in_blocks(X, 2, channel_first=True)
    np.testing.assert_array_equal(compute("depth_to_space", x=X, block_size=2), expected)
    np.testing.assert_array_equal(compute("space_to_depth", x=expected, block_size=2), X)


@pytest.mark.parametrize(
    ("block", "pads"),
    [((2, 2), [[0, 0], [2, 0]]), ((1, 3), [[1, 0], [2, 1]]), ((3, 2), [[2, 0], [1, 1]]), ((4, 1), [[0, 0], [0, 0]])],
)
def test_space_to_batch_and_back(compute: Any, block: tuple[int, int], pads: list[list[int]]) -> None:
    padded = np.pad(X, [(0, 0), (0, 0), *pads])
    expected = np.concatenate([padded[:, :, i :: block[0], j :: block[1]] for i in range(block[0]) for j in range(block[1])])
    given = {"block_shape": block, "paddings": np.array(pads, np.int32)}
    np.testing.assert_array_equal(compute("space_to_batch", x=X, **given), expected)
    back = compute("batch_to_space", x=expected, block_shape=block, crops=np.array(pads, np.int32))
    np.testing.assert_array_equal(back, X)


def test_what_core_ml_computed(compute: Any) -> None:
    """Expectations of coremltools' own tests, which ran on a Mac: mil/ops/tests/iOS14/test_tensor_transformation.py."""
    x = np.arange(1, 17, dtype=np.float32).reshape(2, 1, 2, 4)
    rows = [[0, 1, 3], [0, 9, 11], [0, 2, 4], [0, 10, 12], [0, 5, 7], [0, 13, 15], [0, 6, 8], [0, 14, 16]]
    batches = np.array(rows, np.float32).reshape(8, 1, 1, 3)
    pads = np.array([[0, 0], [2, 0]], np.int32)
    np.testing.assert_array_equal(compute("space_to_batch", x=x, block_shape=(2, 2), paddings=pads), batches)
    np.testing.assert_array_equal(compute("batch_to_space", x=batches, block_shape=(2, 2), crops=pads), x)
    x = np.array(
        [[1, 2, 3, 4, 5, 0, 0, 0], [1, 2, 0, 0, 0, 0, 0, 0], [1, 2, 3, 4, 0, 0, 0, 0], [1, 2, 3, 4, 5, 6, 7, 8]], np.float32
    )
    lengths = np.array([7, 2, 3, 5], np.int32)
    np.testing.assert_array_equal(
        compute("reverse_sequence", x=x, lengths=lengths, seq_axis=1, batch_axis=0),
        [[0, 0, 5, 4, 3, 2, 1, 0], [2, 1, 0, 0, 0, 0, 0, 0], [3, 2, 1, 4, 0, 0, 0, 0], [5, 4, 3, 2, 1, 6, 7, 8]],
    )


@given(st.permutations([0, 1, 2, 3]), st.data(), st.sampled_from([np.float32, np.uint16, np.bool_]))
@settings(max_examples=50)
def test_transpose_and_reverse(compute: Any, order: list[int], data: st.DataObject, dtype: type) -> None:
    x: Array = (np.arange(120) % 7).reshape(2, 3, 5, 4).astype(dtype)
    written = tuple(data.draw(st.sampled_from([axis, axis - 4])) for axis in order)
    np.testing.assert_array_equal(compute("transpose", x=x, perm=written), np.transpose(x, order))
    axes = written[: data.draw(st.integers(0, 4))]
    np.testing.assert_array_equal(compute("reverse", x=x, axes=axes), np.flip(x, axes))
    np.testing.assert_array_equal(compute("reverse", x=x), x[::-1, ::-1, ::-1, ::-1])


@pytest.mark.parametrize(("along", "batch"), list(permutations(range(3), 2)))
def test_reverse_sequence(compute: Any, along: int, batch: int) -> None:
    x = np.arange(24, dtype=np.uint16).reshape(2, 3, 4)
    lengths = np.array([0, 2, 1, 2][: x.shape[batch]], np.int8)
    expected = x.copy()
    for i, length in enumerate(lengths):
        for place in range(length):
            target, source = [[slice(None)] * 3 for _ in range(2)]
            target[batch] = source[batch] = slice(i, i + 1)
            target[along], source[along] = slice(place, place + 1), slice(length - 1 - place, length - place)
            expected[tuple(target)] = x[tuple(source)]
    answer = compute("reverse_sequence", x=x, lengths=lengths, seq_axis=along, batch_axis=batch - 3)
    np.testing.assert_array_equal(answer, expected)


@given(st.integers(-3, 2), st.integers(1, 4), st.integers(1, 3))
@settings(max_examples=50)
def test_sliding_windows(compute: Any, axis: int, size: int, stride: int) -> None:
    x = np.arange(4 * 5 * 6, dtype=np.uint16).reshape(4, 5, 6)
    starts = range(0, x.shape[axis] - size + 1, stride)
    windows = [x.take(range(start, start + size), axis) for start in starts]
    answer = compute("sliding_windows", x=x, axis=axis, size=size, stride=stride)
    np.testing.assert_array_equal(answer, np.stack(windows, axis % 3))


def test_in_packages(run: Any) -> None:
    def body(x: Any, y: Any) -> Any:
        return (
            mb.transpose(x=x, perm=[3, 0, -2, 1]),
            mb.reverse(x=x, axes=[-1, 1]),
            mb.reverse_sequence(x=x, lengths=y, seq_axis=2, batch_axis=0),
            mb.depth_to_space(x=x, block_size=2),
            mb.space_to_depth(x=x, block_size=2),
            mb.pixel_shuffle(x=x, upscale_factor=2),
            mb.pixel_unshuffle(x=x, downscale_factor=np.uint32(2)),
            mb.space_to_batch(x=x, block_shape=[2, 3], paddings=[[0, 0], [1, 2]]),
            mb.batch_to_space(x=x, block_shape=[1, 2], crops=[[1, 0], [0, 3]]),
            mb.sliding_windows(x=x, axis=-2, size=3),
        )

    reversed_rows = X.copy()
    reversed_rows[0, :, :3], reversed_rows[1, :, :1] = X[0, :, 2::-1], X[1, :, :1]
    padded = np.pad(X, [(0, 0), (0, 0), (0, 0), (1, 2)])
    woven = np.stack([X[:1], X[1:]], -1).reshape(1, 12, 4, 12)
    expected = (
        X.transpose(3, 0, 2, 1),
        X[:, ::-1, :, ::-1],
        reversed_rows,
        in_blocks(X, 2, channel_first=True),
        np.concatenate([X[:, :, i::2, j::2] for i in (0, 1) for j in (0, 1)], 1),
        in_blocks(X, 2, channel_first=False),
        np.stack([X[:, :, i::2, j::2] for i in (0, 1) for j in (0, 1)], 2).reshape(2, 48, 2, 3),
        np.concatenate([padded[:, :, i::2, j::3] for i in (0, 1) for j in (0, 1, 2)]),
        woven[:, :, 1:, :-3],
        np.stack([X[:, :, :3], X[:, :, 1:]], 2),
    )
    for answer, wanted in zip(run(body, x=X, y=np.array([3, 1], np.int32), opset=ct.target.iOS16), expected, strict=True):
        np.testing.assert_array_equal(answer, wanted)


LENGTHS = np.array([1, 2], np.int32)
PADS = np.array([[0, 0], [0, 1]], np.int32)


@pytest.mark.parametrize(
    ("name", "given", "message"),
    [
        ("transpose", {"perm": (0, 1, 2)}, "no order of 4 axes"),
        ("transpose", {"perm": (0, 1, 2, -2)}, "no order of 4 axes"),
        ("transpose", {"perm": (0, 1, 2, 4)}, "no axis 4"),
        ("reverse", {"axes": (4,)}, "no axis 4"),
        ("reverse_sequence", {"lengths": LENGTHS}, "are both axis 0"),
        ("reverse_sequence", {"lengths": LENGTHS + 3, "seq_axis": 2}, "from 0 to 4"),
        ("reverse_sequence", {"lengths": -LENGTHS, "seq_axis": 2}, "from 0 to 4"),
        ("reverse_sequence", {"lengths": LENGTHS[:1], "seq_axis": 2}, "are not 2 numbers"),
        ("sliding_windows", {"axis": 2, "size": 5}, "no windows of 5"),
        ("sliding_windows", {"axis": 2, "size": 2, "stride": 0}, "stride 0"),
        ("sliding_windows", {"axis": 2, "size": -1}, "no windows of -1"),
        ("sliding_windows", {"axis": 0, "size": 2**14, "x": np.zeros(2**15 + 9, np.int8)}, "more than"),
        ("depth_to_space", {"block_size": 1}, "2 are the least"),
        ("depth_to_space", {"block_size": 4}, "12 cannot be divided by 16"),
        ("depth_to_space", {"block_size": 2, "x": X[0]}, "3 axes"),
        ("space_to_depth", {"block_size": 3}, "4 cannot be divided by 3"),
        ("pixel_shuffle", {"upscale_factor": 0}, "1 are the least"),
        ("pixel_unshuffle", {"downscale_factor": 4}, "6 cannot be divided by 4"),
        ("space_to_batch", {"block_shape": (2, 3), "paddings": PADS}, "7 cannot be divided by 3"),
        ("space_to_batch", {"block_shape": (2, 0), "paddings": PADS}, "two numbers from 1"),
        ("space_to_batch", {"block_shape": (2, 2, 2), "paddings": PADS}, "two numbers from 1"),
        ("space_to_batch", {"block_shape": (1, 1), "paddings": PADS[:1]}, "for each of two axes"),
        ("space_to_batch", {"block_shape": (1, 1), "paddings": -PADS}, "from 0 for each"),
        ("space_to_batch", {"block_shape": (1, 1), "paddings": PADS * 2**30}, "more than"),
        ("batch_to_space", {"block_shape": (1, 3), "crops": PADS}, "2 cannot be divided by 3"),
        ("batch_to_space", {"block_shape": (1, 2), "crops": PADS * 13}, "leave nothing"),
    ],
)
def test_what_has_no_such_order(compute: Any, name: str, given: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        compute(name, **{"x": X, **given})
