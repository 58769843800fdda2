"""Where an inference spends its time, as OpenVINO's performance counters tell."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from edgekit.target import LoadJob
from edgekit_openvino.runner import OpenVINORunner


def time_operators(
    job: LoadJob, inference_precision: str, inputs: Mapping[str, NDArray[np.float32]], *, runs: int
) -> dict[str, float]:
    """Run an artifact with its counters on.

    Returns:
        Milliseconds per inference by the layers of the compiled graph, their kinds only; the first inference is left out.
    """
    total_ms: Counter[str] = Counter()
    with OpenVINORunner(job, inference_precision, {"PERF_COUNT": True}) as runner:
        runner.infer(inputs)
        for _ in range(runs):
            runner.infer(inputs)
            for layer in runner.counters():
                if ms := layer.real_time.total_seconds() * 1e3:
                    total_ms[layer.node_type] += ms
    return {kind: ms / runs for kind, ms in total_ms.most_common()}
