"""Where an inference spends its time, as OpenVINO's performance counters tell.

A counter is the mean of all inferences since the model was compiled, the first one included, which may take a hundred times as
long, in whole microseconds, rounded down (intel_cpu/src/perf_count.h). Nothing sets it back. So the model is compiled several
times, the first inference of each is taken off, and the median of these means counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from edgekit.operators import BEFORE, OperatorTime, OperatorTimes, median_times
from edgekit.target import LoadJob
from edgekit_openvino.names import find_module
from edgekit_openvino.runner import OpenVINORunner

_COMPILED = 5  # times


def time_operators(
    job: LoadJob, inference_precision: str, inputs: Mapping[str, NDArray[np.float32]], *, runs: int
) -> OperatorTimes:
    """Run an artifact with its counters on: the layers of the compiled graph, the first inference left out."""
    each = -(-runs // _COMPILED)
    means = [_time_once(job, inference_precision, inputs, each) for _ in range(_COMPILED)]
    # What takes less than a microsecond has no time. A product ran all the same.
    ran = {operator.name for mean in means for operator in mean if operator.ms or operator.layer != BEFORE}
    return replace(
        median_times([[operator for operator in mean if operator.name in ran] for mean in means]), runs=each * _COMPILED
    )


def _time_once(
    job: LoadJob, inference_precision: str, inputs: Mapping[str, NDArray[np.float32]], runs: int
) -> list[OperatorTime]:
    """Take the mean of inferences behind the first one, of each layer, in the order of execution."""
    with OpenVINORunner(job, inference_precision, {"PERF_COUNT": True}) as runner:
        facts = runner.layers()
        runner.infer(inputs)
        first_us = {layer.node_name: layer.real_time.total_seconds() * 1e6 for layer in runner.counters()}
        for _ in range(runs):
            runner.infer(inputs)
        counted = {layer.node_name: layer for layer in runner.counters()}
    operators = []
    for name in sorted(facts.keys() & counted.keys(), key=lambda name: int(facts[name]["execOrder"])):
        total_us = counted[name].real_time.total_seconds() * 1e6 * (runs + 1)
        ms = max(0.0, total_us - first_us[name]) / runs / 1e3
        module = find_module(facts[name]["originalLayersNames"].split(","), facts[name]["layerType"])
        operators.append(OperatorTime(name, counted[name].node_type, ms, module))
    return operators
