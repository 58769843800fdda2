"""Where an inference spends its time, as ONNX Runtime's own profiler tells."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from edgekit.operators import OperatorTime, OperatorTimes, median_times
from edgekit.target import LoadJob
from edgekit_onnx.modules import read_modules
from edgekit_onnx.profiler import run_kernels


def time_operators(job: LoadJob, inputs: Mapping[str, NDArray[np.float32]], *, runs: int) -> OperatorTimes:
    """Run an artifact with the profiler on: the kernels of the optimised graph, the first inference left out."""
    kernels = run_kernels(job, inputs, runs=runs + 1)
    modules = read_modules(job.path)
    operators = []
    for event in kernels:
        name, kind = event["name"].removesuffix("_kernel_time"), event["args"]["op_name"]
        operators.append(OperatorTime(name, kind, event["dur"] / 1e3, modules.find(name, kind)))
    count = len(operators) // (runs + 1)
    return median_times([operators[i * count : (i + 1) * count] for i in range(1, runs + 1)])
