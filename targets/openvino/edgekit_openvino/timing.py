"""Where an inference spends its time, as OpenVINO's performance counters tell, in whole microseconds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.operators import BEFORE, OperatorTime, OperatorTimes, median_times
from edgekit.target import LoadJob
from edgekit_openvino.names import find_module
from edgekit_openvino.runner import OpenVINORunner


def time_operators(
    job: LoadJob, inference_precision: str, inputs: Mapping[str, NDArray[np.float32]], *, runs: int
) -> OperatorTimes:
    """Run an artifact with its counters on: the layers of the compiled graph, the first inference left out."""
    counted: list[dict[str, Any]] = []
    with OpenVINORunner(job, inference_precision, {"PERF_COUNT": True}) as runner:
        layers = runner.layers()
        for _ in range(runs + 1):
            runner.infer(inputs)
            counted.append({layer.node_name: layer for layer in runner.counters() if layer.node_name in layers})
    modules = {name: find_module(facts["originalLayersNames"].split(","), facts["layerType"]) for name, facts in layers.items()}
    # of less than a microsecond: no time, and a status as if it had not run
    ran = {name for run in counted[1:] for name, layer in run.items() if layer.real_time or modules[name] != BEFORE}
    in_order = sorted(ran, key=lambda name: int(layers[name]["execOrder"]))

    def time(name: str, layer: Any) -> OperatorTime:
        return OperatorTime(name, layer.node_type, layer.real_time.total_seconds() * 1e3, modules[name])

    return median_times([[time(name, run[name]) for name in in_order] for run in counted[1:]])
