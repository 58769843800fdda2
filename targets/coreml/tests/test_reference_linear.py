"""Matrix products and attention against numpy and loops."""

from __future__ import annotations

from itertools import product
from typing import Any

import coremltools as ct
import numpy as np
import pytest
from coremltools.converters.mil import Builder as mb  # noqa: N813 (its name in coremltools' documentation)
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from edgekit.errors import InputError
from edgekit_coreml.reference import ReferenceModel

Array = NDArray[Any]

WEIGHT = np.array([[1.0, -2.0, 0.5, 3.0], [0.25, 0.0, -1.0, 2.0]], np.float32)
BIAS = np.array([0.5, -4.0], np.float32)


def numbers(*shape: int) -> Array:
    return np.random.default_rng(sum(shape)).standard_normal(shape).astype(np.float32)


@pytest.mark.parametrize("shape", [(4,), (3, 4), (2, 3, 4), (2, 1, 3, 2, 4)], ids=str)
@pytest.mark.parametrize("has_bias", [True, False], ids=["bias", "no_bias"])
def test_linear(compute: Any, shape: tuple[int, ...], has_bias: bool) -> None:
    x = numbers(*shape)
    answer = compute("linear", x=x, weight=WEIGHT, **({"bias": BIAS} if has_bias else {}))
    expected = np.einsum("...i,oi->...o", x.astype(np.float64), WEIGHT) + has_bias * BIAS
    assert answer.shape == expected.shape
    np.testing.assert_allclose(answer, expected, rtol=1e-5, atol=1e-6)


def test_linear_of_integers(compute: Any) -> None:
    x, weight = np.array([[3, -2], [2**30, 1]], np.int32), np.array([[2, 5], [-1, 1], [4, 0]], np.int32)
    answer = compute("linear", x=x, weight=weight, bias=np.array([1, 1, 1], np.int32))
    assert answer.dtype == np.int32
    assert answer.tolist() == [[-3, -4, 13], [-(2**31) + 6, -(2**30) + 2, 1]]  # 2^31 and 2^32 wrap around


def test_linear_refuses_what_does_not_fit(compute: Any) -> None:
    with pytest.raises(ValueError, match="bias"):
        compute("linear", x=numbers(3, 4), weight=WEIGHT, bias=BIAS[:1])
    with pytest.raises(ValueError, match="integers"):
        compute("linear", x=np.ones((3, 4), np.int32), weight=WEIGHT)


def multiplied(x: Array, y: Array) -> Array:
    """Every matrix of x with every matrix of y that broadcasting pairs it with."""
    rows, columns = x[None] if x.ndim == 1 else x, y[:, None] if y.ndim == 1 else y
    batch = np.broadcast_shapes(rows.shape[:-2], columns.shape[:-2])
    rows = np.broadcast_to(rows, (*batch, *rows.shape[-2:])).astype(np.float64)
    columns = np.broadcast_to(columns, (*batch, *columns.shape[-2:])).astype(np.float64)
    result = np.zeros((*batch, rows.shape[-2], columns.shape[-1]))
    for place in np.ndindex(result.shape):
        result[place] = (rows[place[:-1]] * columns[(*place[:-2], slice(None), place[-1])]).sum()
    if y.ndim == 1:
        result = result[..., 0]
    return result[..., 0, :] if x.ndim == 1 and y.ndim > 1 else result[..., 0] if x.ndim == 1 else result


@st.composite
def matrices(draw: st.DrawFn) -> tuple[Array, Array, bool, bool]:
    """Two tensors whose product exists, stored transposed or not."""
    sizes = st.integers(1, 4)
    inner, batch = draw(sizes), draw(st.lists(sizes, max_size=3))

    def one(*matrix: int) -> Array:
        if len(matrix) == 1:
            return numbers(*matrix)
        mine = [draw(st.sampled_from([1, size])) for size in batch[draw(st.integers(0, len(batch))) :]]
        return numbers(*mine, *matrix)

    x = one(*draw(st.sampled_from([(inner,), (draw(sizes), inner)])))
    y = one(*draw(st.sampled_from([(inner,), (inner, draw(sizes))])))
    return x, y, draw(st.booleans()), draw(st.booleans())


@given(matrices())
def test_matmul(compute: Any, case: tuple[Array, Array, bool, bool]) -> None:
    x, y, transpose_x, transpose_y = case
    stored_x = np.ascontiguousarray(np.swapaxes(x, -1, -2)) if transpose_x and x.ndim > 1 else x
    stored_y = np.ascontiguousarray(np.swapaxes(y, -1, -2)) if transpose_y and y.ndim > 1 else y
    answer = compute("matmul", x=stored_x, y=stored_y, transpose_x=transpose_x, transpose_y=transpose_y)
    expected = multiplied(x, y)
    assert answer.shape == expected.shape
    np.testing.assert_allclose(answer, expected, rtol=1e-5, atol=1e-5)


def test_matmul_of_integers(compute: Any) -> None:
    x, y = np.array([[[1, -2], [3, 4]]], np.int32), np.array([[5, 6], [7, 2**30]], np.int32)
    assert compute("matmul", x=x, y=y).tolist() == [[[-9, -(2**31) + 6], [43, 18]]]  # 6 - 2^31 is the lowest and six more


def einsum(x: Array, y: Array) -> Array:
    """nchw, nwhu -> nchu, with 1 at n or h for all."""
    size = tuple(max(x.shape[axis], y.shape[axis]) for axis in (0, 2))
    x = np.broadcast_to(x, (size[0], x.shape[1], size[1], x.shape[3]))
    y = np.broadcast_to(y, (size[0], y.shape[1], size[1], y.shape[3]))
    result = np.zeros((size[0], x.shape[1], size[1], y.shape[3]))
    for n, c, h, u in np.ndindex(result.shape):
        result[n, c, h, u] = (x[n, c, h].astype(np.float64) * y[n, :, h, u]).sum()
    return result


@given(
    st.tuples(*[st.integers(1, 4)] * 5),
    st.tuples(*[st.booleans()] * 4),
    st.sampled_from(["nchw,nwhu->nchu", " AbcD , ADcz->Abcz"]),
)
def test_einsum_of_four_axes(compute: Any, sizes: tuple[int, ...], single: tuple[bool, ...], equation: str) -> None:
    n, c, h, w, u = sizes
    x = numbers(1 if single[0] else n, c, 1 if single[1] else h, w)
    y = numbers(1 if single[2] else n, w, 1 if single[3] else h, u)
    answer = compute("einsum", values=(x, y), equation=equation)
    expected = einsum(x, y)
    assert answer.shape == expected.shape
    np.testing.assert_allclose(answer, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    "equation", ["ab,bc->ac", "nchw,nwhu->nhcu", "chw,whr", "nchw,nwhu,n->nchu", "...chw,...whr->...chr", "chw,whc->chc"]
)
def test_einsum_refuses_other_equations(compute: Any, equation: str) -> None:
    with pytest.raises(ValueError, match="documented"):
        compute("einsum", values=(numbers(2, 3, 4, 5), numbers(2, 5, 4, 3)), equation=equation)


def attended(query: Array, key: Array, value: Array, mask: Array | None) -> Array:
    """The documentation's lines in numpy's float64, one row of scores at a time."""
    query, key, value = (each.astype(np.float64) for each in (query, key, value))
    result = np.zeros((*query.shape[:-1], value.shape[-1]))
    scores_shape = (*query.shape[:-1], key.shape[-2])
    added = np.zeros(scores_shape)
    if mask is not None:
        added = np.broadcast_to(np.where(mask, 0, -np.inf) if mask.dtype == bool else mask, scores_shape)
    for place in product(*map(range, query.shape[:-1])):
        scores = key[place[:-1]] @ query[place] / query.shape[-1] ** 0.5 + added[place]
        weights = np.exp(scores - scores.max())
        result[place] = weights / weights.sum() @ value[place[:-1]]
    return result


@given(
    st.lists(st.integers(1, 3), min_size=1, max_size=3),
    st.tuples(*[st.integers(1, 5)] * 4),
    st.sampled_from(["none", "bool", "float"]),
    st.integers(1, 4),
)
def test_attention(compute: Any, batch: list[int], sizes: tuple[int, ...], masked: str, mask_axes: int) -> None:
    length, source, embedding, values = sizes
    query, key = numbers(*batch, length, embedding), numbers(*batch, source, embedding)
    value = numbers(*batch, source, values)
    mask: Array | None = None
    if masked != "none":
        mask = 2 * numbers(*(*batch, length, source)[-mask_axes:])
        if masked == "bool":
            mask = mask > -1
            mask[..., 0] = True  # one of them at least, or there is nothing to attend to
    answer = compute("scaled_dot_product_attention", query=query, key=key, value=value, attn_mask=mask)
    expected = attended(query, key, value, mask)
    assert answer.shape == expected.shape
    np.testing.assert_allclose(answer, expected, rtol=2e-5, atol=2e-6)


def test_attention_to_nothing_is_nan(compute: Any) -> None:
    x, mask = numbers(1, 2, 3), np.array([[True, False], [False, False]])
    answer = compute("scaled_dot_product_attention", query=x, key=x, value=x, attn_mask=mask)
    np.testing.assert_allclose(answer[0, 0], x[0, 0], rtol=1e-6)
    assert np.isnan(answer[0, 1]).all()


@pytest.mark.parametrize(
    ("query", "key", "value", "mask"),
    [
        ((3, 4), (3, 4), (3, 4), None),
        ((2, 3, 4), (2, 5, 3), (2, 5, 4), None),
        ((2, 3, 4), (2, 5, 4), (2, 6, 4), None),
        ((2, 3, 4), (1, 5, 4), (1, 5, 4), None),
        ((2, 3, 4), (2, 5, 4), (2, 5, 4), (2, 3, 4)),
        ((2, 3, 4), (2, 5, 4), (2, 5, 4), (7, 2, 3, 5)),
    ],
    ids=str,
)
def test_attention_refuses_shapes_that_do_not_fit(
    compute: Any, query: tuple[int, ...], key: tuple[int, ...], value: tuple[int, ...], mask: tuple[int, ...] | None
) -> None:
    given = {"query": numbers(*query), "key": numbers(*key), "value": numbers(*value)}
    with pytest.raises((ValueError, RuntimeError), match=r"shapes|expand"):
        compute("scaled_dot_product_attention", **given, attn_mask=None if mask is None else numbers(*mask))


def test_products_in_a_package(family: Any) -> None:
    x, y = numbers(2, 3, 4), numbers(4, 3)
    answers = family(
        {
            "linear": lambda x, y: mb.linear(x=x, weight=WEIGHT, bias=BIAS),
            "matmul": lambda x, y: mb.matmul(x=x, y=y),
            "transposed": lambda x, y: mb.matmul(x=x, y=y, transpose_x=True, transpose_y=True),
            "constant": lambda x, y: mb.matmul(x=WEIGHT, y=y),
            "vector": lambda x, y: mb.matmul(x=WEIGHT[0], y=y),
            "einsum": lambda x, y: mb.einsum(values=(x, mb.expand_dims(x=y, axes=[1])), equation="chw,whr->chr"),
            "einsum_of_a_constant": lambda x, y: mb.einsum(values=(x, numbers(4, 3, 5)), equation="chw,whr->chr"),
        },
        x=x,
        y=y,
    )
    expected = {
        "linear": x @ WEIGHT.T + BIAS,
        "matmul": multiplied(x, y),
        "transposed": multiplied(np.swapaxes(x, 1, 2), y.T),
        "constant": multiplied(WEIGHT, y),
        "vector": multiplied(WEIGHT[0], y),
        "einsum": einsum(x[None], y[None, :, None])[0],
        "einsum_of_a_constant": einsum(x[None], numbers(4, 3, 5)[None])[0],
    }
    for name, each in expected.items():
        assert answers[name].shape == each.shape, name
        np.testing.assert_allclose(answers[name], each, rtol=1e-5, atol=1e-5, err_msg=name)


def test_types_of_products_since_ios_17(run: Any) -> None:
    """A product has the type of the operand that is not constant; a weight may be of another."""
    x = numbers(3, 4)

    def body(x: Any) -> Any:
        half = mb.cast(x=x, dtype="fp16")
        return (
            mb.matmul(x=WEIGHT, y=half, transpose_y=True),
            mb.matmul(x=half, y=WEIGHT, transpose_y=True),
            mb.linear(x=half, weight=WEIGHT, bias=BIAS),
            mb.linear(x=x, weight=np.array([[1, 2, 3, 4]], np.int32)),
        )

    first, second, third, fourth = run(body, mode="float16", opset=ct.target.iOS17, x=x)
    rounded = x.astype(np.float16).astype(np.float32)
    assert first.dtype == second.dtype == third.dtype == np.float16
    np.testing.assert_array_equal(first, (WEIGHT @ rounded.T).astype(np.float16))
    np.testing.assert_array_equal(second, (rounded @ WEIGHT.T).astype(np.float16))
    np.testing.assert_array_equal(third, (rounded @ WEIGHT.T + BIAS).astype(np.float16))
    assert fourth.dtype == np.float32
    np.testing.assert_allclose(fourth, x @ np.array([[1], [2], [3], [4]]), rtol=1e-6)


def test_attention_in_a_package(run: Any) -> None:
    query, key, value = numbers(1, 2, 3, 4), numbers(1, 2, 5, 4), numbers(1, 2, 5, 3)
    mask = np.array([[True, False, True, True, True]])

    def body(query: Any, key: Any, value: Any) -> Any:
        plain = mb.scaled_dot_product_attention(query=query, key=key, value=value)
        return plain, mb.scaled_dot_product_attention(query=query, key=key, value=value, attn_mask=mask)

    plain, masked = run(body, opset=ct.target.iOS18, query=query, key=key, value=value)
    np.testing.assert_allclose(plain, attended(query, key, value, None), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(masked, attended(query, key, value, mask), rtol=1e-5, atol=1e-6)


def test_a_product_of_another_declared_type_is_an_error(build: Any, edited: Any) -> None:
    x = numbers(4, 3)

    def widen(model: Any) -> None:
        (block,) = model.mlProgram.functions["main"].block_specializations.values()
        (operation,) = [each for each in block.operations if each.type == "matmul"]
        operation.outputs[0].type.tensorType.dataType = 10  # float16
        model.description.output[0].type.multiArrayType.dataType = 65552

    with pytest.raises(InputError, match="matmul"):
        ReferenceModel(edited(build(lambda x: mb.matmul(x=WEIGHT, y=x), x=x), widen))
