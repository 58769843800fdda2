"""An `.onnx` file in ONNX Runtime's CPU provider."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from types import TracebackType
from typing import Self

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from edgekit.precision import INT8
from edgekit.target import LoadJob, RuntimeInfo
from edgekit_onnx.kernels import Kernels, count_kernels
from edgekit_onnx.profiler import run_kernels
from edgekit_onnx.session import session_options

ARITHMETIC = {
    "float32": "float32",
    # https://onnxruntime.ai/docs/performance/model-optimizations/float16.html: the CPU provider casts around what it lacks
    "float16": "float16 weights and tensors, float32 kernels with casts where the CPU provider has no float16 kernel",
    "int8-weights": "float32, the int8 weights made float32 when the model is loaded",
}


class OnnxRunner:
    """One session, one thread pool of the size asked for."""

    def __init__(self, job: LoadJob) -> None:
        self._job = job
        self._session = onnxruntime.InferenceSession(job.path, session_options(job), providers=["CPUExecutionProvider"])
        self._output_names = [output.name for output in job.outputs]

    @cached_property
    def runtime(self) -> RuntimeInfo:
        """What runs. An int8 model's kernels are counted in another session, not before somebody asks."""
        kernels = _count(self._job) if self._job.precision == INT8 else None
        return RuntimeInfo(
            runtime="onnxruntime",
            version=onnxruntime.__version__,
            device=self._session.get_providers()[0].removesuffix("ExecutionProvider"),
            precision=str(kernels) if kernels else ARITHMETIC[self._job.precision],
            delegated_fraction=kernels.fraction if kernels else None,
            undelegated_ops=kernels.float_ops if kernels else (),
        )

    def infer(self, inputs: Mapping[str, NDArray[np.float32]]) -> dict[str, NDArray[np.float32]]:
        """Run once: float32 NCHW in, float32 out."""
        answers = self._session.run(self._output_names, dict(inputs))
        return dict(zip(self._output_names, answers, strict=True))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        del self._session


def _count(job: LoadJob) -> Kernels:
    """Ask ONNX Runtime's profiler, which needs nothing else: on a board there is no package onnx to read a graph with."""
    inputs = {spec.name: np.zeros(spec.shape, np.float32) for spec in job.inputs}
    return count_kernels(event["args"]["op_name"] for event in run_kernels(job, inputs, runs=1))
