"""What int8 costs unit by unit, and which units are kept in float for a goal: the records of a report."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Sensitivity:
    """What int8 does in one unit: a convolution or linear layer with what follows it up to the next.

    Attributes:
        unit: its module's path.
        sqnr_db: of the network's answers, in dB, when this unit alone is int8 and all others are float32.
        parameters: its weights and biases.
        precision: what it is in the program: `int8` or `float32`.
    """

    unit: str
    sqnr_db: float
    parameters: int
    precision: str = "int8"


@dataclass(frozen=True, slots=True)
class Candidate:
    """One choice of units that was tried.

    Attributes:
        kept: the units in float32.
        drop_points: points of top-1 below the float model, of 100; below 0 where it is above.
    """

    kept: tuple[str, ...]
    drop_points: float


@dataclass(frozen=True, slots=True)
class Search:
    """The fewest units in float32 that were found for a goal.

    Attributes:
        max_drop_points: the goal, in points of top-1 of 100.
        reached: whether `kept` holds it. If not, `kept` is the best that was tried.
        kept: the units in float32, the most sensitive first.
        drop_points: with these units in float32.
        tried: all that was tried, in that order; the first is int8 alone.
        units: all units, the most sensitive first.
    """

    max_drop_points: float
    reached: bool
    kept: tuple[str, ...]
    drop_points: float
    tried: tuple[Candidate, ...]
    units: tuple[Sensitivity, ...]
