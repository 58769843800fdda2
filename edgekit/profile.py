"""What an artifact costs and where it is expected to run, told from its file alone: nothing is measured, and no time is told."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from edgekit.target import LoadJob


@dataclass(frozen=True, slots=True)
class OpProfile:
    """One operator, for one inference. None: it cannot be told from the file.

    Attributes:
        name: of its first result in the artifact.
        type: the operator, as the artifact's format calls it.
        macs: multiply-accumulates.
        read_bytes: operands, each once, weights as small as they are stored.
        written_bytes: results.
        units: compute units that may run it; empty for unknown.
        expected: the unit where it is expected to run, in words.
        rule: which of `StaticProfile.rules` says so; empty where none does.
        share: part of the whole time that the runtime itself estimates for it, 0 to 1; None where no runtime was asked.
    """

    name: str
    type: str
    macs: int | None
    read_bytes: int | None
    written_bytes: int | None
    units: tuple[str, ...]
    expected: str
    rule: str
    share: float | None = None


@dataclass(frozen=True, slots=True)
class Share:
    """What part of the operators, and of the multiply-accumulates, is expected on one unit, 0 to 1."""

    ops: float
    macs: float


@dataclass(frozen=True, slots=True)
class StaticProfile:
    """The operators of an artifact.

    Attributes:
        basis: what `expected` rests on and what it cannot know, in words.
        rules: by name: the statement, its source and its date.
        macs: total, as far as known.
        read_bytes: total, as far as known: as if no result stayed on the chip.
        written_bytes: likewise.
        uncounted_ops: operators that are missing in a total.
        expected: the part on each unit, by its name.
        operations: one record each, in the order of execution.
    """

    basis: str
    rules: Mapping[str, str]
    macs: int
    read_bytes: int
    written_bytes: int
    uncounted_ops: int
    expected: Mapping[str, Share]
    operations: tuple[OpProfile, ...]

    @property
    def is_native(self) -> bool:
        """The runtime itself was asked, on a machine that has it."""
        return any(row.share is not None for row in self.operations)


@runtime_checkable
class StaticProfiler(Protocol):
    """What only some targets can tell. A target that has this method is asked by `edgekit profile`."""

    def static_profile(self, job: LoadJob) -> StaticProfile:
        """Read the artifact, without running it.

        Raises:
            edgekit.errors.InputError: it is damaged, or has something that cannot be read.
        """
        ...


def summarise(operations: Iterable[OpProfile], *, basis: str, rules: Mapping[str, str]) -> StaticProfile:
    """Add up the operators."""
    rows = tuple(operations)
    macs = sum(row.macs or 0 for row in rows)
    expected = {}
    for unit in sorted({row.expected for row in rows}):
        there = [row for row in rows if row.expected == unit]
        expected[unit] = Share(len(there) / len(rows), sum(row.macs or 0 for row in there) / macs if macs else 0.0)
    return StaticProfile(
        basis,
        rules,
        macs,
        sum(row.read_bytes or 0 for row in rows),
        sum(row.written_bytes or 0 for row in rows),
        sum(None in (row.macs, row.read_bytes, row.written_bytes) for row in rows),
        expected,
        rows,
    )
