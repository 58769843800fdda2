"""An `.onnx` file in ONNX Runtime's CPU provider."""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import Self

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from edgekit.target import LoadJob, RuntimeInfo

ARITHMETIC = {
    "float32": "float32",
    # https://onnxruntime.ai/docs/performance/model-optimizations/float16.html: the CPU provider casts around what it lacks
    "float16": "float16 weights and tensors, float32 kernels with casts where the CPU provider has no float16 kernel",
}


class OnnxRunner:
    """One session, one thread pool of the size asked for."""

    def __init__(self, job: LoadJob) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = job.num_threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(job.path, options, providers=["CPUExecutionProvider"])
        self._output_names = [output.name for output in job.outputs]
        self.runtime = RuntimeInfo(
            runtime="onnxruntime",
            version=onnxruntime.__version__,
            device=self._session.get_providers()[0].removesuffix("ExecutionProvider"),
            precision=ARITHMETIC[job.precision],
        )

    def infer(self, inputs: Mapping[str, NDArray[np.float32]]) -> dict[str, NDArray[np.float32]]:
        """Run once: float32 NCHW in, float32 out."""
        answers = self._session.run(self._output_names, dict(inputs))
        return dict(zip(self._output_names, answers, strict=True))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        del self._session
