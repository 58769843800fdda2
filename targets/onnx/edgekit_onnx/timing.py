"""Where an inference spends its time, as ONNX Runtime's own profiler tells."""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from edgekit.target import LoadJob
from edgekit_onnx.runner import session_options


def time_operators(job: LoadJob, inputs: Mapping[str, NDArray[np.float32]], *, runs: int) -> dict[str, float]:
    """Run an artifact with the profiler on.

    https://onnxruntime.ai/docs/performance/tune-performance/profiling-tools.html

    Returns:
        Milliseconds per inference by the operators of the optimised graph, their kinds only; the first inference is left out.
    """
    with tempfile.TemporaryDirectory() as folder:
        options = session_options(job)
        options.enable_profiling = True
        options.profile_file_prefix = str(Path(folder) / "profile")
        session = onnxruntime.InferenceSession(job.path, options, providers=["CPUExecutionProvider"])
        for _ in range(runs + 1):
            session.run(None, dict(inputs))
        events = json.loads(Path(session.end_profiling()).read_text("utf-8"))
    kernels = [event for event in events if event.get("cat") == "Node" and event["name"].endswith("_kernel_time")]
    first_run = len(kernels) // (runs + 1)
    total_us: Counter[str] = Counter()
    for event in kernels[first_run:]:
        total_us[event["args"]["op_name"]] += event["dur"]
    return {kind: us / runs / 1e3 for kind, us in total_us.most_common()}
