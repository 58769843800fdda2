"""`--option` of this target."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class CoreMLOptions:
    """What the user chose, or its default.

    Attributes:
        minimum_deployment_target: the oldest system that must run the package.
        compute_units: where Core ML may run it, on Apple systems.
    """

    minimum_deployment_target: Literal["iOS15", "iOS16", "iOS17", "iOS18", "iOS26"] = "iOS16"
    compute_units: Literal["ALL", "CPU_ONLY", "CPU_AND_GPU", "CPU_AND_NE"] = "ALL"
