"""Models of several functions, and models that remember: as `coremltools.models.MLModel` loads and runs them."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import coremltools as ct
import numpy as np
import pytest
from coremltools.converters.mil import Builder as mb  # noqa: N813 (its name in coremltools' documentation)
from coremltools.converters.mil.mil import types

from edgekit.errors import InputError, UsageError
from edgekit_coreml.reference import ModelState, ReferenceModel

Edit = Callable[..., Path]
X = np.array([[1.0, -2.0, 3.0], [4.0, 5.0, -6.0]], np.float32)
WEIGHT = np.arange(12, dtype=np.float32).reshape(4, 3) - 5  # in the weight file, which both functions share


@pytest.fixture(scope="module")
def many(build: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`lower`: X -> linear, and `upper`: the same, then relu; the second is the default."""
    plain = build(lambda x: mb.linear(x=x, weight=WEIGHT, name="low"), opset=ct.target.iOS18, x=X)
    other = build(lambda y: mb.relu(x=mb.linear(x=y, weight=WEIGHT), name="high"), opset=ct.target.iOS18, y=X)
    descriptor = ct.utils.MultiFunctionDescriptor()
    descriptor.add_function(str(plain), "main", "lower")
    descriptor.add_function(str(other), "main", "upper")
    descriptor.default_function_name = "upper"
    path = tmp_path_factory.mktemp("many") / "many.mlpackage"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ct.utils.save_multifunction(descriptor, str(path))
    return path


def test_a_function_is_chosen_by_name(many: Path) -> None:
    model = ReferenceModel(many, function_name="lower")
    assert model.function_names == ("lower", "upper")
    assert model.spec_version == 9
    assert [(variable.name, variable.shape) for variable in model.inputs] == [("x", (2, 3))]
    assert model.op_types == {"linear"}
    np.testing.assert_array_equal(model.predict({"x": X})["low"], X @ WEIGHT.T)


def test_the_default_function_is_the_models_own(many: Path) -> None:
    model = ReferenceModel(many)
    assert model.op_types == {"linear", "relu"}
    np.testing.assert_array_equal(model.predict({"y": X})["high"], np.maximum(X @ WEIGHT.T, 0))


def test_main_is_the_only_function_of_other_models(build: Callable[..., Path]) -> None:
    path = build(lambda x: mb.relu(x=x, name="answer"), x=X)
    np.testing.assert_array_equal(ReferenceModel(path, function_name="main").predict({"x": X})["answer"], np.maximum(X, 0))
    with pytest.raises(UsageError, match=r"model.mlpackage has no function 'other': its only one is main"):
        ReferenceModel(path, function_name="other")


def _no_default(model: Any) -> None:
    model.description.defaultFunctionName = ""


def _lost_default(model: Any) -> None:
    model.description.defaultFunctionName = "nothing"


def _lost_function(model: Any) -> None:
    del model.mlProgram.functions["lower"]


def _other_input(model: Any) -> None:
    next(each for each in model.description.functions if each.name == "lower").input[0].name = "z"


@pytest.mark.parametrize(
    ("change", "name", "error", "message"),
    [
        (lambda model: None, "middle", UsageError, "has no function 'middle': it has lower, upper"),
        (_no_default, None, UsageError, "has no default function: name one of lower, upper"),
        (_lost_default, None, InputError, "its default function 'nothing' is not one of its functions: lower, upper"),
        (_lost_function, "upper", InputError, r"has the functions \['lower', 'upper'\], its program \['upper'\]"),
        (_other_input, "lower", InputError, r"its description has the inputs \['z'\], its program \['x'\]"),
    ],
)
def test_refuses_functions_that_are_not_there(
    many: Path, edited: Edit, change: Callable[[Any], None], name: str | None, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        ReferenceModel(edited(many, change), function_name=name)


@pytest.fixture(scope="module")
def running_sum(save_program: Callable[..., None], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """total += x, and twice the total as answer. coremltools saves it as `write_state` and `read_state`."""
    specs = [mb.TensorSpec((2, 3), dtype=types.fp16), mb.StateTensorSpec((2, 3), dtype=types.fp16)]

    def body(x: Any, total: Any) -> Any:
        summed = mb.coreml_update_state(state=total, value=mb.add(x=mb.read_state(input=total), y=x))
        return mb.mul(x=summed, y=np.float16(2), name="twice")

    program = mb.program(input_specs=specs, opset_version=ct.target.iOS18)(body)
    path = tmp_path_factory.mktemp("state") / "sum.mlpackage"
    save_program(program, path, minimum_deployment_target=ct.target.iOS18, pass_pipeline=ct.PassPipeline.EMPTY)
    return path


def test_a_state_is_kept_by_who_made_it(running_sum: Path) -> None:
    model = ReferenceModel(running_sum)
    assert [(variable.name, variable.dtype, variable.shape) for variable in model.states] == [("total", "float16", (2, 3))]
    assert [variable.name for variable in model.inputs] == ["x"]
    assert model.op_types == {"add", "mul", "read_state", "write_state"}
    one, other = model.make_state(), model.make_state()
    for times in (1, 2, 3):
        np.testing.assert_array_equal(model.predict({"x": X}, state=one)["twice"], 2 * times * X)
    np.testing.assert_array_equal(model.predict({"x": X}, other)["twice"], 2 * X)
    np.testing.assert_array_equal(one.read_state("total"), 3 * X)
    one.write_state("total", np.full((2, 3), 10.0))
    np.testing.assert_array_equal(model.predict({"x": X}, one)["twice"], 2 * (X + 10))
    read = one.read_state("total")
    read[:] = 0  # the caller's own
    np.testing.assert_array_equal(one.read_state("total"), X + 10)


def test_a_state_is_float16_where_a_device_stores_it_so(running_sum: Path) -> None:
    for mode, total in (("exact", 2049.0), ("float16", 2048.0)):
        model = ReferenceModel(running_sum, mode)  # type: ignore[arg-type]  # a parameter of this test
        state = model.make_state()
        state.write_state("total", np.full((2, 3), 2047.6))
        assert (state.read_state("total") == (np.float16(2047.6) if mode == "float16" else np.float32(2047.6))).all()
        state.write_state("total", np.full((2, 3), 2048))
        model.predict({"x": np.ones((2, 3))}, state)
        assert (state.read_state("total") == total).all()


def test_tracing_changes_a_state_at_its_end(running_sum: Path) -> None:
    model = ReferenceModel(running_sum)
    state = model.make_state()
    types_ = [step.operation.type for step in model.trace({"x": X}, state)]
    assert types_ == ["read_state", "add", "write_state", "read_state", "mul"]
    np.testing.assert_array_equal(state.read_state("total"), X)
    next(iter(model.trace({"x": X}, state)))
    np.testing.assert_array_equal(state.read_state("total"), X)


def test_a_state_has_to_be_the_models_own(running_sum: Path, build: Callable[..., Path]) -> None:
    model, stateless = ReferenceModel(running_sum), ReferenceModel(build(lambda x: mb.relu(x=x), x=X))
    with pytest.raises(UsageError, match=r"needs the state that its make_state\(\) gives: 'total' state of float16\[2, 3\]"):
        model.predict({"x": X})
    with pytest.raises(UsageError, match="gives: none"):
        stateless.predict({"x": X}, model.make_state())
    with pytest.raises(UsageError, match="a state goes with one prediction"):
        model.predict([{"x": X}], model.make_state())  # type: ignore[call-overload]  # wrong on purpose
    assert stateless.predict({"x": X}, stateless.make_state())
    state = model.make_state()
    with pytest.raises(UsageError, match="there is no state 'sum': there are 'total'"):
        state.read_state("sum")
    with pytest.raises(UsageError, match="there is no state 'sum'"):
        state.write_state("sum", X)
    with pytest.raises(UsageError, match=r"state 'total' state of float16\[2, 3\] was given float32\[2\]"):
        state.write_state("total", X[:, 0])


def test_a_failed_prediction_leaves_the_state_as_it_was(running_sum: Path) -> None:
    model = ReferenceModel(running_sum)
    state = model.make_state()
    state.write_state("total", X)
    with pytest.raises(UsageError):
        model.predict({"x": X[0]}, state)
    np.testing.assert_array_equal(state.read_state("total"), X)
    assert isinstance(state, ModelState)


def _operations(model: Any) -> Any:
    (function,) = model.mlProgram.functions.values()
    return function.block_specializations[function.opset].operations


def _state_of_another_shape(model: Any) -> None:
    model.description.state[0].type.stateType.arrayType.shape[1] = 4


def _huge(model: Any) -> None:
    (function,) = model.mlProgram.functions.values()
    total = next(value for value in function.inputs if value.name == "total")
    total.type.stateType.wrappedType.tensorType.dimensions[0].constant.size = 2**40
    model.description.state[0].type.stateType.arrayType.shape[0] = 2**40


def _read_of_a_tensor(model: Any) -> None:
    _operations(model)[0].inputs["input"].arguments[0].name = "x"


def _wide_data(model: Any) -> None:
    """Write what is declared float32."""
    for op in _operations(model):
        if op.type == "add":
            op.outputs[0].type.tensorType.dataType = 11


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_state_of_another_shape, r"says state 'total' is float16\[2, 4\], its program 'total' state of float16\[2, 3\]"),
        (_huge, r"state 'total' state of float16\[1099511627776, 3\]: a tensor of shape .* has more than"),
        (_read_of_a_tensor, r"read_state .*: input 'input' is float16\[2, 3\], not a state"),
        (_wide_data, "add .* declares 'add_0' float32.*, but its result is of float16"),
    ],
)
def test_refuses_broken_states(running_sum: Path, edited: Edit, change: Callable[[Any], None], message: str) -> None:
    with pytest.raises(InputError, match=message):
        ReferenceModel(edited(running_sum, change)).make_state()
