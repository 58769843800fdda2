"""How far an artifact's numbers may move from device to device: the same artifact, computed in several arithmetics.

The verdict is that of one arithmetic, and is in `edgekit.parity`. What stands here decides nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from edgekit.examination import Finding


@dataclass(frozen=True, slots=True)
class Spread:
    """One output, in each arithmetic.

    Attributes:
        output: its name.
        sqnr_db: against float64, on the worst picture, or on the worst input where none is a picture; None where a value is not
            finite.
        top1: part of the pictures on which the largest class is float64's; None where there are no classes.
        lowest_db: the smallest of `sqnr_db`; None where one is None.
        highest_db: the largest.
        agreement: part of the pictures on which all arithmetics have the same largest class; None where there are no classes.
    """

    output: str
    sqnr_db: Mapping[str, float | None]
    top1: Mapping[str, float | None]
    lowest_db: float | None
    highest_db: float | None
    agreement: float | None


@dataclass(frozen=True, slots=True)
class Envelope:
    """An artifact in several arithmetics.

    Attributes:
        arithmetics: what each is, by name; a model of a device says so, and on what it is built.
        outputs: how far the numbers spread.
        findings: what went wrong inside.
        refused: arithmetics in which it does not run on this system, by name, with the reason.
    """

    arithmetics: Mapping[str, str]
    outputs: tuple[Spread, ...]
    findings: tuple[Finding, ...]
    refused: Mapping[str, str] = field(default_factory=dict)
