"""What only some targets can tell: their numbers in other arithmetics, and what goes on inside of an artifact."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol, runtime_checkable

from edgekit.target import LoadJob, Runner

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

FindingKind = Literal["infinite", "not a number", "stored not finite", "near the limit"]


@dataclass(frozen=True, slots=True)
class Finding:
    """A value inside of an artifact that is not finite though all it was computed from is, or nearly too large.

    Attributes:
        operation: type and name of the operator where it began.
        module: of the network, as far as the artifact's names tell; empty where they do not.
        problem: what it is.
        arithmetic: in which it was found.
        largest: absolute value; None where it is not finite.
        limit: the absolute value from which a result is infinite in this arithmetic; None where it has none to speak of.
        inferences: in how many it was found.
    """

    operation: str
    module: str
    problem: FindingKind
    arithmetic: str
    largest: float | None
    limit: float | None
    inferences: int

    def __str__(self) -> str:
        """Write it for people, as a sentence without its full stop."""
        what = {
            "infinite": "a result is infinite, and its operands are finite",
            "not a number": "a result is not a number, and its operands are numbers",
            "stored not finite": "a constant of the artifact is not finite",
            "near the limit": f"a sum reaches {self.largest:g}, and {self.limit:g} would be infinite"
            if self.largest is not None and self.limit is not None
            else "a sum is near the limit",
        }[self.problem]
        module = f" (module {self.module})" if self.module else ""
        times = "1 inference" if self.inferences == 1 else f"{self.inferences} inferences"
        return f"{self.arithmetic}: {self.operation}{module}: {what}, in {times}"


@dataclass(frozen=True, slots=True)
class OperationError:
    """One operator of a quantised artifact alone, given the operands that a float64 evaluation has at this place.

    Attributes:
        operation: type and name.
        result: name of the value.
        module: of the network, as far as the artifact's names tell; empty where they do not.
        dtype: numpy's name of the result's declared type.
        unit: of `largest`: "ulp", the distance of neighbouring values of the type where the result is; "step", 1 of an integer.
        largest: largest absolute error against the same operator in float64; None where it is not finite. A sum that comes out
            near 0 is off by many of its own last places in any arithmetic.
        at_peak: the same in places of the largest value of the result; for integers, `largest` again.
    """

    operation: str
    result: str
    module: str
    dtype: str
    unit: Literal["ulp", "step"]
    largest: float | None
    at_peak: float | None


def summarise(operations: Sequence[OperationError]) -> str:
    """Say in one sentence how far the operators of an artifact are from float64 when each is judged alone."""
    failed = [error.operation for error in operations if error.largest is None]
    if failed:
        return f"judged alone, {failed[0]} and {len(failed) - 1} more operators are not finite where float64 is"
    parts = []
    for unit, words in (("ulp", "last places of the largest value of its result"), ("step", "steps of an integer")):
        worst = max((error for error in operations if error.unit == unit), key=lambda error: error.at_peak or 0.0, default=None)
        if worst:
            parts.append(f"{worst.at_peak:.2g} {words} ({worst.operation})")
    return f"each operator judged alone, on the operands of a float64 evaluation, is off by at most {' and '.join(parts)}"


@runtime_checkable
class Watcher(Protocol):
    """A `Runner` that looks at what is computed inside."""

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What has gone wrong in the inferences so far."""
        ...


@runtime_checkable
class Examiner(Protocol):
    """What only some targets can: compute an artifact in other arithmetics than that of the verdict."""

    def arithmetics(self) -> Mapping[str, str]:
        """What there is, by name, and what each is."""
        ...

    def load_as(self, job: LoadJob, arithmetic: str) -> Runner:
        """Read the artifact back from disk and make it ready to run in one of these."""
        ...

    def judge_operations(self, job: LoadJob, samples: Sequence[Mapping[str, NDArray[np.float32]]]) -> tuple[OperationError, ...]:
        """Judge every operator of a quantised artifact alone; give nothing where it is not quantised.

        Args:
            job: the artifact.
            samples: inputs by name, float32 NCHW, one dict each; the worst of all counts.
        """
        ...
