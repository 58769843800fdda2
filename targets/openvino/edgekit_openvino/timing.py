"""Where an inference spends its time, as OpenVINO's performance counters tell.

A counter is the mean of all inferences since the model was compiled, in whole microseconds, rounded down
(intel_cpu/src/perf_count.h). Nothing sets it back. So it is read twice, when the model is warm and at the end, and what was
added between counts. Rounding takes up to n / (n - warm) microseconds from that, n being all inferences: few may be warm-up.
Launches differ, and so the model is compiled several times and the median of these means is taken.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from edgekit.operators import BEFORE, OperatorTime, OperatorTimes, median_times
from edgekit.target import LoadJob
from edgekit_openvino.names import find_module
from edgekit_openvino.runner import OpenVINORunner

_COMPILED = 3  # times
_WARM_RUNS, _WARM_SECONDS = 20, 0.05
_RUNS, _SECONDS = 200, 0.3  # of each compilation; fewer of a model that is slow


@dataclass(frozen=True, slots=True)
class _Mean:
    operators: list[OperatorTime]
    runs: int


def time_operators(
    job: LoadJob, inference_precision: str, inputs: Mapping[str, NDArray[np.float32]], *, runs: int
) -> OperatorTimes:
    """Run an artifact with its counters on: the layers of the compiled graph, in `runs` inferences of a warm model or more."""
    least = -(-runs // _COMPILED)
    means = [_time_once(job, inference_precision, inputs, least) for _ in range(_COMPILED)]
    # What takes less than a microsecond has no time. A product ran all the same.
    ran = {operator.name for mean in means for operator in mean.operators if operator.ms or operator.layer != BEFORE}
    times = median_times([[operator for operator in mean.operators if operator.name in ran] for mean in means])
    return replace(times, runs=sum(mean.runs for mean in means))


def _time_once(job: LoadJob, inference_precision: str, inputs: Mapping[str, NDArray[np.float32]], least: int) -> _Mean:
    """Take the mean of inferences behind those that warm up, of each layer, in the order of execution."""
    with OpenVINORunner(job, inference_precision, {"PERF_COUNT": True}) as runner:
        facts = runner.layers()
        warm = _infer(runner, inputs, least=1, most=_WARM_RUNS, seconds=_WARM_SECONDS)
        warm_us = {layer.node_name: layer.real_time.total_seconds() * 1e6 * warm for layer in runner.counters()}
        runs = _infer(runner, inputs, least=least, most=max(least, _RUNS), seconds=_SECONDS)
        counted = {layer.node_name: layer for layer in runner.counters()}
    operators = []
    for name in sorted(facts.keys() & counted.keys(), key=lambda name: int(facts[name]["execOrder"])):
        total_us = counted[name].real_time.total_seconds() * 1e6 * (warm + runs)
        ms = max(0.0, total_us - warm_us[name]) / runs / 1e3
        module = find_module(facts[name]["originalLayersNames"].split(","), facts[name]["layerType"])
        operators.append(OperatorTime(name, counted[name].node_type, ms, module))
    return _Mean(operators, runs)


def _infer(runner: OpenVINORunner, inputs: Mapping[str, NDArray[np.float32]], *, least: int, most: int, seconds: float) -> int:
    """Run until it was often enough, or the time is up; how often it was."""
    end = perf_counter() + seconds
    runs = 0
    while runs < least or (runs < most and perf_counter() < end):
        runner.infer(inputs)
        runs += 1
    return runs
