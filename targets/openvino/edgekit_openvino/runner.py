"""An `.xml`/`.bin` pair in OpenVINO's CPU plugin."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from types import TracebackType
from typing import Any, Self

import numpy as np
import openvino
from numpy.typing import NDArray

from edgekit.precision import INT8
from edgekit.target import LoadJob, RuntimeInfo
from edgekit_openvino.overflow import IN_FLOAT, cpu_overflows, may_overflow
from edgekit_openvino.products import count_products

DEVICE = "CPU"
STORED = {"float16": "float16 weights, ", "int8-weights": "int8 weights, "}


class OpenVINORunner:
    """One compiled model, one stream, one request."""

    def __init__(self, job: LoadJob, inference_precision: str, properties: Mapping[str, object] | None = None) -> None:
        self._is_int8 = job.precision == INT8
        self._stored = STORED.get(job.precision, "")
        core = openvino.Core()
        model = core.read_model(job.path)
        self._overflows = self._is_int8 and cpu_overflows() and may_overflow(model)
        self._compiled = core.compile_model(
            model,
            DEVICE,
            {
                # Unless told otherwise the CPU plugin computes in bfloat16 where it can: 30 dB instead of 115.
                "INFERENCE_PRECISION_HINT": inference_precision,
                "INFERENCE_NUM_THREADS": job.num_threads,
                "NUM_STREAMS": 1,
                "PERFORMANCE_HINT": "LATENCY",
                **(IN_FLOAT if self._overflows else {}),
                **(properties or {}),
            },
        )
        self._request = self._compiled.create_infer_request()
        self._output_names = [output.name for output in job.outputs]

    @cached_property
    def runtime(self) -> RuntimeInfo:
        """What runs. The layers of an int8 model are counted, not before somebody asks."""
        arithmetic = f"{self._compiled.get_property('INFERENCE_PRECISION_HINT').get_type_name()} arithmetic"
        products = count_products(self.layers().values()) if self._is_int8 else None
        if products:
            rest = f", {arithmetic} in {', '.join(products.float_ops)}" if products.float_ops else ""
            reason = ": this CPU has no VNNI, without which OpenVINO's int8 products overflow" if self._overflows else ""
            arithmetic = f"{products}{rest}{reason}"
        return RuntimeInfo(
            runtime="openvino",
            version=openvino.__version__.partition("-")[0],
            device=DEVICE,
            precision=f"{self._stored}{arithmetic}",
            delegated_fraction=products.fraction if products else None,
            undelegated_ops=products.float_ops if products else (),
        )

    def infer(self, inputs: Mapping[str, NDArray[np.float32]]) -> dict[str, NDArray[np.float32]]:
        """Run once: float32 NCHW in, float32 out, copied out of the request's own memory."""
        self._request.infer(dict(inputs))
        return {name: self._request.get_tensor(name).data.copy() for name in self._output_names}

    def layers(self) -> dict[str, dict[str, str]]:
        """What OpenVINO says of the layers that it runs, by name: their `rt_info`."""
        layers = self._compiled.get_runtime_model().get_ops()
        return {layer.get_friendly_name(): {key: value.astype(str) for key, value in layer.rt_info.items()} for layer in layers}

    def counters(self) -> list[Any]:
        """What OpenVINO counted, with the property PERF_COUNT set: one `ProfilingInfo` a layer, the mean of all inferences."""
        counted: list[Any] = self._request.profiling_info
        return counted

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        del self._request
        del self._compiled


def open_artifact(job: LoadJob) -> OpenVINORunner:
    """Compile a saved model for the CPU, with the options in force that its manifest names."""
    return OpenVINORunner(job, job.options["inference_precision"])
