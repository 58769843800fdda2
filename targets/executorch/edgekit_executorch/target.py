"""The target: what it is called, what it must reach, and where its two halves are.

Converting and running need different parts of the SDK. `exir` takes seconds and hundreds of megabytes to import, and what only
runs an artifact must not pay for it, nor count it as the model's memory.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from msgspec import Meta

from edgekit.option import option_strings, parse_options
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
from edgekit_executorch.native import ExecutorRunner

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from edgekit.operators import OperatorTimes


@dataclass(frozen=True, slots=True)
class ExecuTorchOptions:
    """`--option` of this target.

    Attributes:
        float32_convolutions: at float16, how many of the first convolutions stay in float32, where rounding costs most.
    """

    float32_convolutions: Annotated[int, Meta(ge=0)] = 8


class ExecuTorchTarget:
    """Makes and runs `.pte` files."""

    name = "executorch"
    packages = ("executorch",)
    # for boards that have the runtime alone: edgekit.board.portable
    opener = "edgekit_executorch.runner:ExecuTorchRunner"
    needs: Mapping[str, str] = {"numpy": "numpy", "msgspec": "msgspec", "torch": "torch", "executorch": "executorch"}
    native = ExecutorRunner()
    tolerances: Mapping[str, Tolerance] = {
        "float32": FLOAT32_TOLERANCE,
        "float16": FLOAT16_TOLERANCE,
        "int8": INT8_TOLERANCE,
        "int8-weights": FLOAT32_TOLERANCE,
    }

    def probe(self) -> Availability:
        """Import the runtime: the wheel has one for every system it is built for."""
        from edgekit_executorch import runner  # noqa: F401  (that it imports is the answer)

        return Availability(can_convert=True, runs="native")

    def convert(self, job: ConvertJob) -> Conversion:
        """Write `model.pte`, and `delegation.json` which says how much of it XNNPACK runs.

        Raises:
            edgekit.errors.UsageError: an unknown option or value.
        """
        options = parse_options(ExecuTorchOptions, job.options, target=self.name)
        from edgekit_executorch.converter import lower

        path, notes = lower(job, options.float32_convolutions)
        return Conversion(path, "ExecuTorch program (XNNPACK)", option_strings(options), notes)

    def load(self, job: LoadJob) -> Runner:
        """Load the file's method."""
        from edgekit_executorch.runner import ExecuTorchRunner

        return ExecuTorchRunner(job)

    def operator_times(self, job: LoadJob, inputs: Mapping[str, NDArray[np.float32]], *, runs: int) -> OperatorTimes:
        """Ask ExecuTorch for its operators' times, and say why it has none."""
        from edgekit_executorch.timing import time_operators

        return time_operators(job, inputs)
