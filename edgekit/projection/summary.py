"""Predictions against held-back figures, by source and tier."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from edgekit.projection.trial import Trial


@dataclass(frozen=True, slots=True)
class Row:
    """What came of one source's figures in one tier; errors are |predicted / measured - 1|.

    Attributes:
        source: who published them.
        tier: of the predictions.
        part: unit and precision; empty for all together.
        n: figures.
        median_ape: of the errors.
        mean_ape: of the errors.
        within_20: share of errors up to 20 %.
        within_30: share of errors up to 30 %.
        coverage_90: share of figures inside their 90 % interval.
        macs_median_ape: median error of scaling by multiply-accumulates.
    """

    source: str
    tier: str
    part: str
    n: int
    median_ape: float
    mean_ape: float
    within_20: float
    within_30: float
    coverage_90: float
    macs_median_ape: float


def summarise(trials: Sequence[Trial], covered: Sequence[bool], *, parts: bool = False) -> list[Row]:
    """Rows by source and tier; with `parts`, also by unit and precision."""
    groups: dict[tuple[str, str, str], list[int]] = defaultdict(list)
    for i, trial in enumerate(trials):
        setting = trial.figure.setting
        part = f"{setting.unit_class} {setting.precision_class}" if parts else ""
        groups[trial.figure.source_id, trial.tier, part].append(i)
    return [
        row_of(source, tier, part, [trials[i] for i in at], [covered[i] for i in at])
        for (source, tier, part), at in sorted(groups.items())
    ]


def row_of(source: str, tier: str, part: str, trials: Sequence[Trial], covered: Sequence[bool]) -> Row:
    """One row of the trials given."""
    errors = np.abs(np.expm1([trial.error for trial in trials]))
    macs = np.abs(np.expm1([trial.macs_log_ms - trial.figure.log_ms for trial in trials]))
    return Row(
        source,
        tier,
        part,
        len(trials),
        float(np.median(errors)),
        float(np.mean(errors)),
        float(np.mean(errors <= 0.2)),
        float(np.mean(errors <= 0.3)),
        float(np.mean(covered)),
        float(np.median(macs)),
    )


def as_json(rows: Sequence[Row], parts: Sequence[Row]) -> list[dict[str, Any]]:
    """Rows as JSON, each with its parts."""
    names = ("source", "tier", "n", "median_ape", "within_20", "within_30", "coverage_90", "macs_median_ape", "mean_ape")
    return [
        {name: getattr(row, name) for name in names}
        | {
            "parts": [
                {"part": part.part} | {name: getattr(part, name) for name in names[2:]}
                for part in parts
                if (part.source, part.tier) == (row.source, row.tier)
            ]
        }
        for row in rows
    ]


def as_table(rows: Sequence[Row]) -> str:
    """Rows as text."""
    head = f"{'source':18} {'tier':14} {'part':28} {'n':>6} {'median':>7} {'mean':>7} "
    head += f"{'<=20%':>6} {'<=30%':>6} {'in 90%':>6} {'by MACs':>8}"
    lines = [
        f"{row.source:18} {row.tier:14} {row.part:28} {row.n:6} {row.median_ape:7.1%} {row.mean_ape:7.1%} {row.within_20:6.0%} "
        f"{row.within_30:6.0%} {row.coverage_90:6.0%} {row.macs_median_ape:8.1%}"
        for row in rows
    ]
    return "\n".join([head, *lines])
