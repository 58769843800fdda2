"""An `.onnx` file in ONNX Runtime's CPU provider."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from edgekit.machine import describe_machine
from edgekit.precision import INT8
from edgekit.target import LoadJob, RuntimeInfo
from edgekit_onnx.kernels import Kernels, count_kernels

ARITHMETIC = {
    "float32": "float32",
    # https://onnxruntime.ai/docs/performance/model-optimizations/float16.html: the CPU provider casts around what it lacks
    "float16": "float16 weights and tensors, float32 kernels with casts where the CPU provider has no float16 kernel",
    "int8-weights": "float32, the int8 weights made float32 when the model is loaded",
}

# Without these, x86 adds two products of unsigned and signed bytes in 16 bits, too few for large ones. With the session option
# below ONNX Runtime makes the weights unsigned and takes kernels that are exact. They are slower than those of VNNI, and it would
# take them there too: whether U8S8 overflows is asked of the tables of kernels, which differ wherever there is AVX2.
# https://github.com/microsoft/onnxruntime/blob/main/onnxruntime/core/mlas/lib/platform.cpp (MlasPlatformU8S8Overflow)
SUMS_IN_32_BITS = {"avx512_vnni", "avx_vnni"}


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


def session_options(job: LoadJob) -> onnxruntime.SessionOptions:
    """How every session of this target is set."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = job.num_threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    if not SUMS_IN_32_BITS & set(describe_machine().instruction_sets):
        options.add_session_config_entry("session.x64quantprecision", "1")
    return options


def _count(job: LoadJob) -> Kernels:
    import onnx  # only here: what only infers does not pay for it

    with tempfile.TemporaryDirectory() as folder:
        options = session_options(job)
        options.optimized_model_filepath = str(Path(folder) / "optimised.onnx")
        onnxruntime.InferenceSession(job.path, options, providers=["CPUExecutionProvider"])
        graph = onnx.load(options.optimized_model_filepath).graph
    return count_kernels(node.op_type for node in graph.node)
