"""A `.pte` file in ExecuTorch's Python runtime."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import version
from types import TracebackType
from typing import Self

import numpy as np
import torch

# ExecuTorch's runtime itself. `executorch.runtime` wraps the same functions, and for one decorator imports all of the exporter
# (extension/pybindings/portable_lib.py, exir._warnings): 3.7 s and 130 MB instead of 1.3 s.
from executorch.extension.pybindings import _portable_lib
from numpy.typing import NDArray

from edgekit.errors import InputError
from edgekit.target import LoadJob, RuntimeInfo
from edgekit_executorch.delegation import Delegation, read_delegation


class ExecuTorchRunner:
    """One loaded method."""

    def __init__(self, job: LoadJob) -> None:
        # XNNPACK's pool is one per process, and this is the only call that sizes it.
        _portable_lib._unsafe_reset_threadpool(job.num_threads)
        # The program must outlive its method: without a reference to it, the process segfaults.
        try:
            self._program = _portable_lib._load_program(str(job.path))
            self._method = self._program.load_method("forward")
        except RuntimeError as error:
            raise InputError(f"{job.path} does not load in ExecuTorch {version('executorch')}: {error}") from error
        self._input_names = [tensor.name for tensor in job.inputs]
        self._output_names = [tensor.name for tensor in job.outputs]
        delegation = read_delegation(job.path.parent)
        self.runtime = RuntimeInfo(
            runtime="executorch",
            version=version("executorch"),
            device="CPU (XNNPACK)",
            precision=_arithmetic(job, delegation),
            delegated_fraction=delegation.fraction,
            undelegated_ops=tuple(delegation.portable),
        )

    def infer(self, inputs: Mapping[str, NDArray[np.float32]]) -> dict[str, NDArray[np.float32]]:
        """Run once: float32 NCHW in, float32 out, copied out of the method's own memory."""
        answers = self._method([to_tensor(inputs[name]) for name in self._input_names])
        return {name: answer.numpy().copy() for name, answer in zip(self._output_names, answers, strict=True)}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        del self._method
        del self._program


def _arithmetic(job: LoadJob, delegation: Delegation) -> str:
    if job.precision != "float16":
        return delegation.arithmetic.summary
    count = job.options.get("float32_convolutions", "0")
    return f"float32 in the first {count} convolutions, then float16 as XNNPACK's kernels accumulate here"


def to_tensor(values: NDArray[np.float32]) -> torch.Tensor:
    """The same values with the strides of a contiguous array, copied only where they must be.

    The runtime reads the order of the axes off the strides. numpy gives an axis of length 1 any stride, 0 included, and a wrong
    one yields garbage without an error.
    """
    contiguous = np.ascontiguousarray(values)
    if not contiguous.flags.writeable:  # torch has no read-only tensors
        contiguous = contiguous.copy()
    return torch.from_numpy(contiguous.reshape(-1)).reshape(values.shape)
