"""Where an inference spends its time, as ONNX Runtime's own profiler tells."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from edgekit.operators import OperatorTime, OperatorTimes, median_times
from edgekit.target import LoadJob
from edgekit_onnx.modules import read_modules
from edgekit_onnx.session import session_options

_SUFFIX = "_kernel_time"


def time_operators(job: LoadJob, inputs: Mapping[str, NDArray[np.float32]], *, runs: int) -> OperatorTimes:
    """Run an artifact with the profiler on: the operators of the optimised graph, the first inference left out.

    https://onnxruntime.ai/docs/performance/tune-performance/profiling-tools.html
    """
    with tempfile.TemporaryDirectory() as folder:
        options = session_options(job)
        options.enable_profiling = True
        options.profile_file_prefix = str(Path(folder) / "profile")
        session = onnxruntime.InferenceSession(job.path, options, providers=["CPUExecutionProvider"])
        for _ in range(runs + 1):
            session.run(None, dict(inputs))
        events = json.loads(Path(session.end_profiling()).read_text("utf-8"))
    kernels = [event for event in events if event.get("cat") == "Node" and event["name"].endswith(_SUFFIX)]
    modules = read_modules(job.path)
    operators = []
    for event in kernels:
        name, kind = event["name"].removesuffix(_SUFFIX), event["args"]["op_name"]
        operators.append(OperatorTime(name, kind, event["dur"] / 1e3, modules.find(name, kind)))
    count = len(operators) // (runs + 1)
    return median_times([operators[i * count : (i + 1) * count] for i in range(1, runs + 1)])
