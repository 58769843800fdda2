"""A `.mlpackage` in the reference runtime, where there is no Core ML."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import version
from types import TracebackType
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray

from edgekit.target import LoadJob, RuntimeInfo
from edgekit_coreml.features import arrays_of, features_of
from edgekit_coreml.reference import Mode, ReferenceModel
from edgekit_coreml.reference.arithmetic import ARITHMETICS


class ReferenceRunner:
    """Executes the saved ML Program, operation by operation."""

    def __init__(self, job: LoadJob) -> None:
        torch.set_num_threads(job.num_threads)
        mode: Mode = "float16" if job.precision == "float16" else "exact"
        self._model = ReferenceModel(job.path, mode)
        self._job = job
        self.runtime = RuntimeInfo(
            runtime="reference runtime",
            version=version("edgekit-coreml"),
            device="CPU",
            precision=ARITHMETICS[mode].description,
            kind="reference",
        )

    def infer(self, inputs: Mapping[str, NDArray[np.float32]]) -> dict[str, NDArray[np.float32]]:
        """Run once: float32 NCHW in, float32 out."""
        answers = self._model.predict(features_of(inputs, self._job.inputs))
        return arrays_of(answers, self._job.outputs, self._job.labels)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        del self._model
