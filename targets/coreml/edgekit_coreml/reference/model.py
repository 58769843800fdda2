"""`ReferenceModel`: an `.mlpackage` that can be run on any system, in the shape of `coremltools.models.MLModel`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, overload

import numpy as np
import torch
from torch import Tensor

from edgekit.errors import InputError, UsageError
from edgekit_coreml.reference.arithmetic import ARITHMETICS
from edgekit_coreml.reference.block import prepare_block
from edgekit_coreml.reference.feature import Feature
from edgekit_coreml.reference.memory import ModelState
from edgekit_coreml.reference.ops.parameter import Running
from edgekit_coreml.reference.package import Package
from edgekit_coreml.reference.program import Operation, operator_types
from edgekit_coreml.reference.reader import read_model
from edgekit_coreml.reference.step import Setting
from edgekit_coreml.reference.value import State

Mode = Literal["exact", "float16", "neural-engine", "cpu"]


@dataclass(frozen=True, slots=True)
class Computed:
    """An operation that has just run.

    Attributes:
        operation: which one; what was computed from constants alone stands in its inputs as a constant.
        where: operator, output and package, for messages.
        values: what is in memory, by name: all that it was given, all that it computed, and what later ones need. Tensors; and,
            for variables of another kind, what `edgekit_coreml.reference.value` says.
    """

    operation: Operation
    where: str
    values: Mapping[str, Tensor]


Observer = Callable[[Computed], object]


class ReferenceModel:
    """One function of an ML program, parsed and prepared once, run by `predict`.

    It computes what the stored program says, in float32. It is not the arithmetic of any one Apple device: Core ML's
    own kernels choose their accumulation and their fusions.

    Attributes:
        spec_version: Core ML's specification version, 7 for iOS 16.
        function_names: all functions of the model, sorted.
        inputs: name, dtype and shape of what `predict` takes.
        outputs: name, dtype and shape of what `predict` gives.
        states: name, dtype and shape of what a state from `make_state` holds.
        op_types: MIL names of the operators in the function, `const` aside.
    """

    def __init__(self, path: str | Path, mode: Mode = "exact", function_name: str | None = None) -> None:
        """Read and prepare an `.mlpackage`.

        Args:
            path: the folder.
            mode: "exact" rounds nothing: float16 constants are widened, and everything is float32. "float16" rounds
                every value that the program types float16 to it, after an operator that computed in float32. "neural-engine"
                and "cpu" are models of how devices sum: see `edgekit_coreml.reference.arithmetic`.
            function_name: one of a model's functions; None for its default.

        Raises:
            InputError: the package is broken, or holds something else than an ML program.
            UnknownOp: the program has an operator that is not implemented.
            UsageError: no such mode or function.
            TargetMissing: coremltools, whose message definitions are needed, is not installed.
        """
        if mode not in ARITHMETICS:
            raise UsageError(f"unknown mode {mode!r}: choose {', '.join(ARITHMETICS)}")
        package = Package.open(Path(path))
        program, self._interface = read_model(package, function_name)
        self._package = package.root.name
        self._round = ARITHMETICS[mode].round
        self.spec_version = program.spec_version
        self.function_names = self._interface.function_names
        self.inputs = program.inputs
        self.outputs = program.outputs
        self.states = program.states
        self.op_types = operator_types(program.body)
        self._body = prepare_block(program.body, self._package, Setting(self._package, program.opset, ARITHMETICS[mode]))

    @property
    def num_threads(self) -> int:
        """Threads that `predict` uses: PyTorch's own, which the caller sets with `torch.set_num_threads`."""
        return torch.get_num_threads()

    def make_state(self) -> ModelState:
        """Make what a stateful model remembers: zeros, to be given to `predict`, which changes it."""
        return ModelState(self._interface.states, self._round)

    @overload
    def predict(
        self, data: Mapping[str, Any], state: ModelState | None = None, *, observe: Observer | None = None
    ) -> dict[str, Any]: ...

    @overload
    def predict(self, data: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]: ...

    def predict(
        self,
        data: Mapping[str, Any] | Sequence[Mapping[str, Any]],
        state: ModelState | None = None,
        *,
        observe: Observer | None = None,
    ) -> dict[str, Any] | list[dict[str, Any]]:
        """Run the program once, or once for each of many inputs.

        Args:
            data: a value for every input that has no default. For a multi-array, an array of an allowed shape, and of a dtype
                that casts to the declared one within a kind (float64 to float32, say); for an image, a PIL image of the size
                and mode that `coremltools.models.MLModel` takes.
            state: from `make_state`, for a model that has states.
            observe: is shown every operation after it has run, as `trace` yields them; not with many inputs.

        Returns:
            A value for every output: an array of its shape and dtype (in exact mode, float32 where float16 is declared), a PIL
            image, a class, or a dictionary of classes and their probabilities.

        Raises:
            UsageError: an input is missing, unknown, or of another shape, size or kind; or a state is.
            InputError: the program does not compute what it declares.
        """
        if not isinstance(data, Mapping):
            if not isinstance(data, (list, tuple)) or not all(isinstance(each, Mapping) for each in data):
                raise UsageError(f"predict takes a dictionary of inputs, or a list of them, not {type(data).__name__}")
            if state is not None:
                raise UsageError("a state goes with one prediction, not with many at once")
            return [self.predict(each) for each in data]
        running, states = self._start(data, state)
        with torch.inference_mode():
            try:
                while True:
                    step, values = next(running)
                    if observe:
                        observe(Computed(step.operation, step.where, values))
            except StopIteration as end:
                results = end.value
            answers = [self._answer(feature, value) for feature, value in zip(self._interface.outputs, results, strict=True)]
        if state is not None:
            state.take_back(states)
        return dict(zip((output.name for output in self.outputs), answers, strict=True))

    def trace(self, data: Mapping[str, Any], state: ModelState | None = None) -> Iterator[Computed]:
        """Run the program once, and give what each operation is given and computes, in the order of execution.

        Operations inside of control flow come as often as they run, before the operation that they are in.

        Args:
            data: as for `predict`.
            state: as for `predict`; it is changed at the end.

        Yields:
            One record per operation, before the next one runs.

        Raises:
            UsageError: as `predict`.
            InputError: as `predict`.
        """
        running, states = self._start(data, state)
        while True:
            with torch.inference_mode():
                computed = next(running, None)
            if computed is None:
                break
            step, values = computed
            yield Computed(step.operation, step.where, values)
        if state is not None:
            state.take_back(states)

    def _start(self, data: Mapping[str, Any], state: ModelState | None) -> tuple[Running, dict[str, State]]:
        if unknown := sorted(map(str, data.keys() - {variable.name for variable in self.inputs})):
            listed = ", ".join(str(variable) for variable in self.inputs)
            raise UsageError(f"{self._package} has no input {', '.join(unknown)}; it has {listed}")
        if (state.variables if state else ()) != self.states:
            needed = ", ".join(str(variable) for variable in self.states) or "none"
            raise UsageError(f"{self._package} needs the state that its make_state() gives: {needed}")
        states = state.lend() if state else {}
        values = states | {feature.variable.name: self._given(feature, data) for feature in self._interface.inputs}
        return self._body.run({}, *(values[slot.variable.name] for slot in self._body.inputs)), states

    def _given(self, feature: Feature, data: Mapping[str, Any]) -> Any:
        try:
            return feature.hold(data.get(feature.variable.name))
        except ValueError as error:
            raise UsageError(f"input {feature.variable} of {self._package} {error}") from error

    def _answer(self, feature: Feature, value: Any) -> Any:
        try:
            answer = feature.give(value)
        except ValueError as error:
            raise InputError(f"output {feature.variable} of {self._package} {error}") from error
        if self._round and isinstance(answer, np.ndarray) and feature.variable.dtype == "float16":
            return answer.astype(np.float16)
        return answer
