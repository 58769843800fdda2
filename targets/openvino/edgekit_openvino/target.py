"""The target: what it is called, what it must reach, and where its two halves are.

Converting needs torch, which takes a second and 200 MB; what only runs an artifact must not pay for it, nor count it as the
model's memory.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import openvino
from numpy.typing import NDArray

from edgekit.operators import OperatorTimes
from edgekit.option import option_strings, parse_options
from edgekit.precision import INT8
from edgekit.target import (
    FLOAT16_TOLERANCE,
    FLOAT32_TOLERANCE,
    INT8_TOLERANCE,
    Availability,
    Conversion,
    ConvertJob,
    LoadJob,
    Tolerance,
)
from edgekit_openvino.runner import DEVICE, OpenVINORunner
from edgekit_openvino.timing import time_operators

OVERFLOW_NOTE = (
    "on x86 CPUs without VNNI compile the model with the property LP_TRANSFORMS_MODE set to NO, as edgekit does: OpenVINO's int8 "
    "products overflow there, and answers are wrong; with it the answers are right, and no faster than those of float32; "
    "weights of 7 bits (--weight-bits 7) cannot overflow"
)


@dataclass(frozen=True, slots=True)
class OpenVINOOptions:
    """`--option` of this target.

    Attributes:
        inference_precision: arithmetic of the CPU plugin. "f32" whatever the precision of the weights, because few CPUs
            compute in float16 and the plugin silently takes bfloat16 instead.
    """

    inference_precision: Literal["f32", "bf16", "f16"] = "f32"


class OpenVINOTarget:
    """Makes and runs OpenVINO IR."""

    name = "openvino"
    packages = ("openvino",)
    # for boards that have the runtime alone: edgekit.board.portable
    opener = "edgekit_openvino.runner:open_artifact"
    needs: Mapping[str, str] = {"numpy": "numpy", "openvino": "openvino"}
    tolerances: Mapping[str, Tolerance] = {
        "float32": FLOAT32_TOLERANCE,
        "float16": FLOAT16_TOLERANCE,
        INT8: INT8_TOLERANCE,
        "int8-weights": FLOAT32_TOLERANCE,
    }

    def probe(self) -> Availability:
        """The SDK was imported with this module; its CPU plugin may still be missing."""
        if DEVICE in openvino.Core().available_devices:
            return Availability(can_convert=True, runs="native")
        return Availability(True, "no", "OpenVINO has no CPU plugin on this system: run `edgekit verify` where it has one")

    def convert(self, job: ConvertJob) -> Conversion:
        """Write `model.xml` and `model.bin`.

        Raises:
            edgekit.errors.UsageError: an unknown option or value.
        """
        options = parse_options(OpenVINOOptions, job.options, target=self.name)
        from edgekit_openvino.converter import convert

        path, overflows = convert(job)
        return Conversion(path, "OpenVINO IR", option_strings(options), (OVERFLOW_NOTE,) if overflows else ())

    def load(self, job: LoadJob) -> OpenVINORunner:
        """Compile the saved model for the CPU."""
        options = parse_options(OpenVINOOptions, job.options, target=self.name)
        return OpenVINORunner(job, options.inference_precision)

    def operator_times(self, job: LoadJob, inputs: Mapping[str, NDArray[np.float32]], *, runs: int) -> OperatorTimes:
        """Have OpenVINO time its layers."""
        options = parse_options(OpenVINOOptions, job.options, target=self.name)
        return time_operators(job, options.inference_precision, inputs, runs=runs)
