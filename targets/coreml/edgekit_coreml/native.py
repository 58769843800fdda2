"""A `.mlpackage` in Core ML itself, on macOS.

Core ML exists on Apple systems alone. This code has never been run by those who wrote it: its tests call it with a stand-in for
`coremltools.models.MLModel` that has the signatures of the real one, which shows that the calls fit and nothing else. It is meant
for continuous integration on a Mac.
"""

from __future__ import annotations

import platform
import warnings
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from edgekit.errors import InputError, TargetMissing
from edgekit.target import LoadJob, RuntimeInfo
from edgekit_coreml.features import arrays_of, features_of
from edgekit_coreml.sdk import import_coremltools


class CoreMLRunner:
    """One loaded model. Core ML has no setting for its number of threads: `num_threads` is not used."""

    def __init__(self, job: LoadJob, compute_units: str) -> None:
        self._model = load_model(job.path, compute_units)
        self._job = job
        self.runtime = RuntimeInfo(
            runtime="Core ML",
            version=f"macOS {platform.mac_ver()[0]}",
            device=compute_units,
            precision=f"{job.precision}, as Core ML places it on {compute_units}",
        )

    def infer(self, inputs: Mapping[str, NDArray[np.float32]]) -> dict[str, NDArray[np.float32]]:
        """Run once: float32 NCHW in, float32 out.

        Raises:
            InputError: Core ML cannot run it.
        """
        features = features_of({name: np.ascontiguousarray(value) for name, value in inputs.items()}, self._job.inputs)
        try:
            answers = self._model.predict(features)
        except Exception as error:  # coremltools raises Core ML's own errors, of no common class
            raise InputError(f"Core ML cannot run {self._job.path} on {self.runtime.device}: {_first_line(error)}") from error
        return arrays_of(answers, self._job.outputs, self._job.labels)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        del self._model


def load_model(path: Path, compute_units: str) -> Any:
    """Compile and load a package.

    Args:
        path: the `.mlpackage`.
        compute_units: one of `edgekit_coreml.options.COMPUTE_UNITS`.

    Returns:
        A `coremltools.models.MLModel` that is loaded; its compiled model lies at `get_compiled_model_path()` as long as it lives.

    Raises:
        InputError: Core ML cannot compile or load it, which coremltools only warns of.
        TargetMissing: these compute units are not on this system.
    """
    coremltools = import_coremltools()
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        try:
            model = coremltools.models.MLModel(str(path), compute_units=getattr(coremltools.ComputeUnit, compute_units))
        except ValueError as error:  # Neural Engine alone before macOS 13
            raise TargetMissing(f"Core ML has no {compute_units} here: {_first_line(error)}") from error
    try:
        model.get_compiled_model_path()
    except Exception as error:  # coremltools raises nothing narrower where Core ML refused
        reason = next((_first_line(each.message) for each in said if each.category is RuntimeWarning), _first_line(error))
        raise InputError(f"Core ML cannot load {path} on {compute_units}: {reason}") from error
    return model


def _first_line(said: object) -> str:
    return str(said).strip().partition("\n")[0]
