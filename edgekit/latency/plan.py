"""How to measure a latency."""

from __future__ import annotations

import math
from dataclasses import dataclass

from edgekit.errors import UsageError


@dataclass(frozen=True, slots=True)
class LatencyPlan:
    """How to measure.

    Attributes:
        iterations: samples wanted.
        max_seconds: stop sampling after this long, with at least 20 samples.
        max_warmup_seconds: begin nothing more to reach a steady state after this long, and say so.
        sustain_seconds: afterwards, go on without a pause for this long and record the drift; 0 for not.
    """

    iterations: int = 100
    max_seconds: float = 2.0
    max_warmup_seconds: float = 2.0
    sustain_seconds: float = 0.0

    @property
    def seconds(self) -> float:
        """What all of it takes at most, of a model that is not so slow that a window or twenty samples take longer."""
        return self.max_warmup_seconds + self.max_seconds + self.sustain_seconds

    def __post_init__(self) -> None:
        if not (0 < self.max_seconds < math.inf and 0 < self.max_warmup_seconds < math.inf and self.iterations > 1):
            raise UsageError("latency needs at least 2 iterations, and times greater than 0 and finite")
        if not 0 <= self.sustain_seconds < math.inf:
            raise UsageError("the time of a sustained run is finite and not below 0")
