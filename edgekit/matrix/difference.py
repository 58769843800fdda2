"""One property of a cell in two runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Verdict = Literal["better", "worse", "same", "faster", "slower", "unproven", "none"]


@dataclass(frozen=True, slots=True)
class Difference:
    """One property of a cell, before and after.

    Attributes:
        old: figure, or word; None where there is none.
        new: likewise.
        verdict: on the new one; "none" where there is nothing to compare.
        reason: why it is unproven, or what to know beside the verdict; empty where nothing is.
    """

    old: float | str | None
    new: float | str | None
    verdict: Verdict
    reason: str = ""
