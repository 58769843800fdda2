"""The target: what it is called, what it must reach, and where its two halves are.

Converting and running need different packages. torch and onnx take a second to import, and what only runs an artifact must not
pay for them, nor count them as the model's memory.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edgekit.errors import UsageError
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
    Runner,
    Tolerance,
)

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from edgekit.operators import OperatorTimes

MIN_OPSET, MAX_OPSET = 18, 23
SATURATION_NOTE = (
    "on x86 CPUs without VNNI (AVX2, older AVX-512) set ONNX Runtime's session option session.x64quantprecision to 1, as edgekit "
    "does: its int8 kernels saturate else, and answers are wrong; on other CPUs leave it out, for it only costs time there; "
    "weights of 7 bits (--weight-bits 7) need it nowhere"
)


@dataclass(frozen=True, slots=True)
class OnnxOptions:
    """`--option` of this target.

    Attributes:
        opset: version of ONNX's operator set; torch's exporter writes 18 at least.
    """

    opset: int = 20


class OnnxTarget:
    """Makes and runs `.onnx` files."""

    name = "onnx"
    packages = ("onnx", "onnx-ir", "onnxscript", "onnxruntime")
    # for boards that have the runtime alone: edgekit.board.portable
    opener = "edgekit_onnx.runner:OnnxRunner"
    needs: Mapping[str, str] = {"numpy": "numpy", "onnxruntime": "onnxruntime"}
    tolerances: Mapping[str, Tolerance] = {
        "float32": FLOAT32_TOLERANCE,
        "float16": FLOAT16_TOLERANCE,
        "int8": INT8_TOLERANCE,
        "int8-weights": FLOAT32_TOLERANCE,
    }

    def probe(self) -> Availability:
        """Import the runtime: the wheel has one for every system it is built for."""
        from edgekit_onnx import runner  # noqa: F401  (that it imports is the answer)

        return Availability(can_convert=True, runs="native")

    def convert(self, job: ConvertJob) -> Conversion:
        """Write `model.onnx`.

        Raises:
            UsageError: an unknown option, or an opset the exporter does not write.
        """
        options = parse_options(OnnxOptions, job.options, target=self.name)
        if not MIN_OPSET <= options.opset <= MAX_OPSET:
            raise UsageError(f"opset must be between {MIN_OPSET} and {MAX_OPSET}, not {options.opset}")
        from edgekit_onnx.converter import export
        from edgekit_onnx.overflow import may_overflow

        path, ir_version = export(job, opset=options.opset)
        notes = (SATURATION_NOTE,) if job.precision == INT8 and may_overflow(path) else ()
        return Conversion(path, f"ONNX opset {options.opset}, IR {ir_version}", option_strings(options), notes)

    def load(self, job: LoadJob) -> Runner:
        """Open a session on the file."""
        from edgekit_onnx.runner import OnnxRunner

        return OnnxRunner(job)

    def operator_times(self, job: LoadJob, inputs: Mapping[str, NDArray[np.float32]], *, runs: int) -> OperatorTimes:
        """Have ONNX Runtime time its kernels."""
        from edgekit_onnx.timing import time_operators

        return time_operators(job, inputs, runs=runs)
