"""A `.mlpackage` in Core ML itself, on macOS. Not run by edgekit's own tests, which have no Mac."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from edgekit.target import LoadJob, RuntimeInfo
from edgekit_coreml.features import arrays_of, features_of
from edgekit_coreml.sdk import import_coremltools


class CoreMLRunner:
    """One loaded model. Core ML has no setting for its number of threads: `num_threads` is not used."""

    def __init__(self, job: LoadJob, compute_units: str) -> None:
        coremltools = import_coremltools()
        self._model = coremltools.models.MLModel(str(job.path), compute_units=getattr(coremltools.ComputeUnit, compute_units))
        self._job = job
        self.runtime = RuntimeInfo(
            runtime="Core ML",
            version=f"macOS {platform.mac_ver()[0]}",
            device=compute_units,
            precision=f"{job.precision}, as Core ML places it on {compute_units}",
        )

    def infer(self, inputs: Mapping[str, NDArray[np.float32]]) -> dict[str, NDArray[np.float32]]:
        """Run once: float32 NCHW in, float32 out."""
        answers = self._model.predict(features_of(inputs, self._job.inputs))
        return arrays_of(answers, self._job.outputs, self._job.labels)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        del self._model
