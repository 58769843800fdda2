"""`ReferenceModel`: an `.mlpackage` that can be run on any system, in the shape of `coremltools.models.MLModel`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from edgekit.errors import UsageError
from edgekit_coreml.reference.arithmetic import ARITHMETICS
from edgekit_coreml.reference.block import prepare_program
from edgekit_coreml.reference.dtype import HELD
from edgekit_coreml.reference.package import Package
from edgekit_coreml.reference.program import Operation, Variable, described
from edgekit_coreml.reference.reader import read_program

Mode = Literal["exact", "float16", "neural-engine", "cpu"]


@dataclass(frozen=True, slots=True)
class Computed:
    """An operation that has just run.

    Attributes:
        operation: which one.
        where: operator, output and package, for messages.
        values: what is in memory, by name: all that it was given, all that it computed, and what later ones need.
    """

    operation: Operation
    where: str
    values: Mapping[str, Tensor]


class ReferenceModel:
    """One ML program, parsed and prepared once, run by `predict`.

    It computes what the stored program says, in float32. It is not the arithmetic of any one Apple device: Core ML's
    own kernels choose their accumulation and their fusions.

    Attributes:
        spec_version: Core ML's specification version, 7 for iOS 16.
        inputs: name, dtype and shape of what `predict` takes.
        outputs: name, dtype and shape of what `predict` gives.
        op_types: MIL names of the operators in the program, `const` aside.
    """

    def __init__(self, path: str | Path, mode: Mode = "exact") -> None:
        """Read and prepare an `.mlpackage`.

        Args:
            path: the folder.
            mode: "exact" rounds nothing: float16 constants are widened, and everything is float32. "float16" rounds
                every value that the program types float16 to it, after an operator that computed in float32. "neural-engine"
                and "cpu" are models of how devices sum: see `edgekit_coreml.reference.arithmetic`.

        Raises:
            InputError: the package is broken, or holds something else than one ML program of tensors.
            UnknownOp: the program has an operator that is not implemented.
            UsageError: no such mode.
            TargetMissing: coremltools, whose message definitions are needed, is not installed.
        """
        if mode not in ARITHMETICS:
            raise UsageError(f"unknown mode {mode!r}: choose {', '.join(ARITHMETICS)}")
        package = Package.open(Path(path))
        program = read_program(package)
        self._package = package.root.name
        arithmetic = ARITHMETICS[mode]
        self._round = arithmetic.round
        self.spec_version = program.spec_version
        self.inputs = program.inputs
        self.outputs = program.outputs
        self.op_types = frozenset(operation.type for operation in program.operations)
        self._steps, self._fixed = prepare_program(program, self._package, arithmetic)

    @property
    def num_threads(self) -> int:
        """Threads that `predict` uses: PyTorch's own, which the caller sets with `torch.set_num_threads`."""
        return torch.get_num_threads()

    def predict(self, inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """Run the program once.

        Args:
            inputs: an array for every declared input, of its shape, and of a dtype that casts to its dtype within a
                kind (float64 to float32, say).

        Returns:
            An array for every declared output, of its shape and dtype; in exact mode, float32 where float16 is
            declared.

        Raises:
            UsageError: an input is missing, unknown, or of another shape or kind.
            InputError: the program does not compute what it declares.
        """
        values = self._values(inputs)
        with torch.inference_mode():
            for step in self._steps:
                step(values)
                for name in step.spent:
                    del values[name]
            return {variable.name: self._returned(variable, values[variable.name]) for variable in self.outputs}

    def trace(self, inputs: Mapping[str, NDArray[Any]]) -> Iterator[Computed]:
        """Run the program once, and give what each operation is given and computes, in the order of execution.

        Args:
            inputs: as for `predict`.

        Yields:
            One record per operation, before the next one runs.

        Raises:
            UsageError: as `predict`.
            InputError: as `predict`.
        """
        values = self._values(inputs)
        for step in self._steps:
            with torch.inference_mode():
                step(values)
            yield Computed(step.operation, step.where, values)
            for name in step.spent:
                del values[name]

    def _values(self, inputs: Mapping[str, NDArray[Any]]) -> dict[str, Tensor]:
        if unknown := sorted(inputs.keys() - {variable.name for variable in self.inputs}):
            raise UsageError(f"{self._package} has no input {', '.join(unknown)}; it has {_listed(self.inputs)}")
        return self._fixed | {variable.name: self._given(variable, inputs) for variable in self.inputs}

    def _given(self, variable: Variable, inputs: Mapping[str, NDArray[Any]]) -> Tensor:
        if variable.name not in inputs:
            raise UsageError(f"input {variable} of {self._package} is missing")
        array = np.asarray(inputs[variable.name])
        if not np.can_cast(array.dtype, variable.dtype, "same_kind") or not variable.accepts(array.shape):
            found = described(array.dtype.name, array.shape)
            raise UsageError(f"input {variable} of {self._package} was given {found}")
        held = HELD[variable.dtype]
        value = torch.from_numpy(np.array(array, str(held).removeprefix("torch."), order="C"))
        return self._round(value) if self._round and variable.dtype == "float16" else value

    def _returned(self, variable: Variable, value: Tensor) -> NDArray[Any]:
        return np.array(value.numpy(), variable.dtype if self._round else None, order="C")


def _listed(variables: Iterable[Variable]) -> str:
    return ", ".join(str(variable) for variable in variables)
