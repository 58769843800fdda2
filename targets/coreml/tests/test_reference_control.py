"""Control flow and lists: Core ML programs against the same loops in Python."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from coremltools.converters.mil import Builder as mb  # noqa: N813 (its name in coremltools' documentation)
from numpy.typing import NDArray

from edgekit.errors import InputError
from edgekit_coreml.reference import ReferenceModel
from edgekit_coreml.reference.ops import control

Array = NDArray[Any]
Run = Callable[..., list[Array]]
Edit = Callable[..., Path]
X = np.array([[1.0, -2.0, 3.0], [-4.0, 5.0, -7.0]], np.float32)


def branches(x: Any) -> Any:
    """Of the sum's sign: relu of x, or 1 more than x, which the other branch computes under the name of a third."""
    total = mb.reduce_sum(x=x, axes=[0, 1], keep_dims=False)

    def positive() -> Any:
        return mb.relu(x=x), total

    def negative() -> Any:
        return mb.add(x=mb.mul(x=x, y=total), y=np.float32(1)), mb.const(val=np.float32(4))

    return mb.cond(pred=mb.greater(x=total, y=np.float32(0)), _true_fn=positive, _false_fn=negative)


@pytest.mark.parametrize("sign", [1, -1])
def test_cond_runs_one_branch(run: Run, sign: int) -> None:
    x = -sign * X
    one, two = run(branches, x=x)
    np.testing.assert_array_equal(one, np.maximum(x, 0) if x.sum() > 0 else x * x.sum() + 1)
    assert two == (x.sum() if x.sum() > 0 else 4)


def test_only_the_branch_that_runs_is_traced(build: Callable[..., Path]) -> None:
    model = ReferenceModel(build(branches, x=X))
    assert [step.operation.type for step in model.trace({"x": -X})] == ["reduce_sum", "greater", "relu", "cond"]
    assert [step.operation.type for step in model.trace({"x": X})] == ["reduce_sum", "greater", "mul", "add", "cond"]
    assert model.op_types == {"reduce_sum", "greater", "relu", "mul", "add", "cond"}


def collatz(x: Any) -> Any:
    """How many steps it takes from a number to 1, and the largest on the way; each step is a branch inside of the loop."""

    def goes_on(number: Any, steps: Any, largest: Any) -> Any:
        return mb.greater(x=number, y=np.int32(1))

    def step(number: Any, steps: Any, largest: Any) -> Any:
        following = mb.cond(
            pred=mb.equal(x=mb.mod(x=number, y=np.int32(2)), y=np.int32(0)),
            _true_fn=lambda: mb.floor_div(x=number, y=np.int32(2)),
            _false_fn=lambda: mb.add(x=mb.mul(x=number, y=np.int32(3)), y=one),
        )
        return following, mb.add(x=steps, y=one), mb.maximum(x=largest, y=following)

    one = mb.add(x=np.int32(0), y=np.int32(1))  # computed ahead, and seen from inside of the branch inside of the loop
    first = mb.squeeze(x=x)
    _, steps, largest = mb.while_loop(_cond=goes_on, _body=step, loop_vars=(first, np.int32(0), first))
    return steps, largest


@pytest.mark.parametrize(("number", "steps", "largest"), [(1, 0, 1), (6, 8, 16), (27, 111, 9232)])
def test_while_loop_repeats_its_body(run: Run, number: int, steps: int, largest: int) -> None:
    assert [answer.item() for answer in run(collatz, x=np.array([number], np.int32))] == [steps, largest]


def test_loop_variables_are_rounded_in_each_turn(run: Run) -> None:
    def body(x: Any) -> Any:
        return mb.while_loop(
            _cond=lambda total, n: mb.less(x=n, y=np.int32(5)),
            _body=lambda total, n: (mb.add(x=total, y=np.float16(0.75)), mb.add(x=n, y=np.int32(1))),
            loop_vars=(x, np.int32(0)),
        )[0]

    start = np.array([1024], np.float16)
    expected = start.copy()
    for _ in range(5):
        expected = expected + np.float16(0.75)  # numpy rounds each sum
    assert run(body, mode="float16", x=start)[0] == expected == 1029
    assert run(body, x=start)[0] == 1024 + 5 * 0.75


def test_refuses_a_loop_without_end(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control, "MAX_TURNS", 500)

    def body(x: Any) -> Any:
        return mb.while_loop(
            _cond=lambda n: mb.greater(x=n, y=np.int32(-1)),
            _body=lambda n: mb.mod(x=mb.add(x=n, y=np.int32(1)), y=np.int32(7)),
            loop_vars=(mb.squeeze(x=x),),
        )

    with pytest.raises(InputError, match=r"while_loop 'while_loop_0' .* goes round more than 500 times"):
        run(body, x=np.array([1], np.int32))


def listed(x: Any) -> Any:
    ls = mb.make_list(init_length=2, dynamic_length=True, elem_shape=(3,), dtype="fp32")
    ls = mb.list_write(ls=ls, index=1, value=mb.gather(x=x, indices=np.int32(0), axis=0))
    ls = mb.list_scatter(ls=ls, indices=np.array([0, 3], np.int32), value=mb.mul(x=x, y=np.float32(10)))
    return (
        mb.list_length(ls=ls),
        mb.list_read(ls=ls, index=1),
        mb.list_gather(ls=ls, indices=np.array([3, 1, 0], np.int32)),
    )


def test_lists_grow_and_are_gathered(run: Run) -> None:
    length, second, chosen = run(listed, x=X)
    assert length == 4
    np.testing.assert_array_equal(second, X[0])
    np.testing.assert_array_equal(chosen, [10 * X[1], X[0], 10 * X[0]])


def test_a_list_goes_round_a_loop(run: Run) -> None:
    """Running sums of the rows."""

    def body(x: Any) -> Any:
        def step(n: Any, total: Any, ls: Any) -> Any:
            total = mb.add(x=total, y=mb.gather(x=x, indices=n, axis=0))
            return mb.add(x=n, y=np.int32(1)), total, mb.list_write(ls=ls, index=n, value=total)

        ls = mb.make_list(init_length=1, dynamic_length=True, elem_shape=(3,), dtype="fp32")
        start = mb.fill(shape=np.array([3], np.int32), value=np.float32(0))
        _, _, ls = mb.while_loop(
            _cond=lambda n, total, ls: mb.less(x=n, y=np.int32(2)), _body=step, loop_vars=(np.int32(0), start, ls)
        )
        return mb.list_gather(ls=ls, indices=np.array([0, 1], np.int32))

    np.testing.assert_array_equal(run(body, x=X)[0], np.cumsum(X, axis=0))


def grown(index: int, x: Any) -> Any:
    ls = mb.make_list(init_length=1, dynamic_length=True, elem_shape=(2, 3), dtype="fp32")
    return mb.list_length(ls=mb.list_write(ls=ls, index=index, value=x))


@pytest.mark.parametrize(
    ("use", "message"),
    [
        (lambda ls, x: mb.list_read(ls=ls, index=0), "element 0 of the list is read before it is written"),
        (lambda ls, x: mb.list_read(ls=ls, index=5), "a list of 2 has no element 5"),
        (lambda ls, x: mb.list_length(ls=mb.list_write(ls=ls, index=2, value=x)), "a list of 2 that cannot grow"),
        (lambda ls, x: mb.list_length(ls=mb.list_write(ls=ls, index=-1, value=x)), "has no element -1"),
        (lambda ls, x: grown(2**14, x), "a list of 16385 elements is longer than 16384"),
        (lambda ls, x: mb.list_length(ls=mb.make_list(init_length=2**30, elem_shape=(3,))), "init_length is 1073741824"),
    ],
)
def test_refuses_elements_that_are_not_there(run: Run, use: Callable[..., Any], message: str) -> None:
    def body(x: Any) -> Any:
        return use(mb.make_list(init_length=2, dynamic_length=False, elem_shape=(2, 3), dtype="fp32"), x)

    with pytest.raises(InputError, match=message):
        run(body, x=X)


def _inner(model: Any, operator: str) -> Any:
    (function,) = model.mlProgram.functions.values()
    (block,) = function.block_specializations.values()
    return next(op for op in block.operations if op.type == operator)


def _third_block(model: Any) -> None:
    _inner(model, "cond").blocks.add()


def _other_output_type(model: Any) -> None:
    _inner(model, "cond").outputs[0].type.tensorType.dataType = 10
    model.description.output[0].type.multiArrayType.dataType = 65552


def _unseen(model: Any) -> None:
    """A branch uses what the other one has defined."""
    block = _inner(model, "cond").blocks[1]
    next(op for op in block.operations if op.type == "add").inputs["x"].arguments[0].name = "relu_0"


def _shadow(model: Any) -> None:
    block = _inner(model, "cond").blocks[0]
    block.operations[0].outputs[0].name = "greater_0"


def _number_as_condition(model: Any) -> None:
    _inner(model, "cond").inputs["pred"].arguments[0].name = "reduce_sum_0"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_third_block, "it has 3 blocks of operations inside, not two"),
        (_other_output_type, "the types that it declares and those of its two blocks are not the same"),
        (_unseen, "add .* uses 'relu_0' before it is defined"),
        (_shadow, "the program defines 'greater_0' twice"),
        (_number_as_condition, r"input 'pred' is float32\[\], not a truth value"),
    ],
)
def test_refuses_broken_branches(build: Callable[..., Path], edited: Edit, change: Callable[[Any], None], message: str) -> None:
    with pytest.raises(InputError, match=message):
        ReferenceModel(edited(build(branches, x=X), change))
