"""ONNX Runtime's own profiler. It tells which kernels ran, without a package that could read the graph."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from edgekit.target import LoadJob
from edgekit_onnx.session import session_options


def run_kernels(job: LoadJob, inputs: Mapping[str, NDArray[np.float32]], *, runs: int) -> list[Any]:
    """The profiler's events, one for each kernel of each run, in order.

    https://onnxruntime.ai/docs/performance/tune-performance/profiling-tools.html
    """
    with tempfile.TemporaryDirectory() as folder:
        options = session_options(job)
        options.enable_profiling = True
        options.profile_file_prefix = str(Path(folder) / "profile")
        session = onnxruntime.InferenceSession(job.path, options, providers=["CPUExecutionProvider"])
        for _ in range(runs):
            session.run(None, dict(inputs))
        events = json.loads(Path(session.end_profiling()).read_text("utf-8"))
    return [event for event in events if event.get("cat") == "Node" and event["name"].endswith("_kernel_time")]
