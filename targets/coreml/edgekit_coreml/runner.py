"""A `.mlpackage` in the reference runtime, where there is no Core ML."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import version
from types import TracebackType
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray

from edgekit.examination import Finding
from edgekit.target import LoadJob, RuntimeInfo
from edgekit_coreml.features import arrays_of, features_of
from edgekit_coreml.reference import Mode, ReferenceModel
from edgekit_coreml.reference.arithmetic import ARITHMETICS
from edgekit_coreml.reference.watch import Watch


def mode_of(job: LoadJob) -> Mode:
    """The arithmetic of the verdict: as an artifact of this precision is stored."""
    return "exact" if job.precision == "float32" else "float16"


class ReferenceRunner:
    """Executes the saved ML Program, operation by operation, and looks for what is not finite."""

    def __init__(self, job: LoadJob, mode: Mode | None = None) -> None:
        torch.set_num_threads(job.num_threads)
        mode = mode or mode_of(job)
        self._model = ReferenceModel(job.path, mode)
        self._watch = Watch(ARITHMETICS[mode])
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
        self._watch.begin()
        answers = self._model.predict(features_of(inputs, self._job.inputs), observe=self._watch.look)
        return arrays_of(answers, self._job.outputs, self._job.labels)

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What has gone wrong inside, in the inferences so far."""
        return self._watch.findings

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        del self._model
