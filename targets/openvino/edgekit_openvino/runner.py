"""An `.xml`/`.bin` pair in OpenVINO's CPU plugin."""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import Self

import numpy as np
import openvino
from numpy.typing import NDArray

from edgekit.target import LoadJob, RuntimeInfo

DEVICE = "CPU"


class OpenVINORunner:
    """One compiled model, one stream, one request."""

    def __init__(self, job: LoadJob, inference_precision: str) -> None:
        core = openvino.Core()
        compiled = core.compile_model(
            core.read_model(job.path),
            DEVICE,
            {
                # Unless told otherwise the CPU plugin computes in bfloat16 where it can: 30 dB instead of 115.
                "INFERENCE_PRECISION_HINT": inference_precision,
                "INFERENCE_NUM_THREADS": job.num_threads,
                "NUM_STREAMS": 1,
                "PERFORMANCE_HINT": "LATENCY",
            },
        )
        self._request = compiled.create_infer_request()
        self._output_names = [output.name for output in job.outputs]
        weights = "float16 weights, " if job.precision == "float16" else ""
        effective = compiled.get_property("INFERENCE_PRECISION_HINT").get_type_name()
        self.runtime = RuntimeInfo(
            runtime="openvino",
            version=openvino.__version__.partition("-")[0],
            device=DEVICE,
            precision=f"{weights}{effective} arithmetic",
        )

    def infer(self, inputs: Mapping[str, NDArray[np.float32]]) -> dict[str, NDArray[np.float32]]:
        """Run once: float32 NCHW in, float32 out, copied out of the request's own memory."""
        self._request.infer(dict(inputs))
        return {name: self._request.get_tensor(name).data.copy() for name in self._output_names}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        del self._request
