"""The fewest units in float that hold a goal.

The units are ranked by what int8 costs in each alone. Of the most sensitive ones 0, 1, 2, 4, ... are kept in float until the goal
holds, then the fewest are found by halving. What is kept need not be the worst: each unit is put back to int8 once more, the
largest first, and stays so if the goal holds still.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from edgekit.accuracy import count_right
from edgekit.quantization.program import Quantised, correct
from edgekit.quantization.simulation import answers
from edgekit.sensitivity import Candidate, Search, Sensitivity

DropOf = Callable[[Sequence[str]], float]
OnCandidate = Callable[[Candidate], object]
Holds = Callable[[Sequence[str]], bool]
_MOST_PUT_BACK = 8
"""Units that are put back to int8 on trial: each costs a run over all labelled pictures."""


def drop_on(quantised: Quantised, images_nchw: Sequence[Tensor], classes: NDArray[np.integer]) -> DropOf:
    """Make the function that counts how many points of top-1 are lost with some units in float, against the float network.

    Args:
        quantised: the network.
        images_nchw: float32, one batch of one each; not those it was calibrated on.
        classes: of the pictures.
    """
    float_scores = answers(quantised.original, images_nchw).numpy()

    def drop_points(kept: Sequence[str]) -> float:
        scores = answers(correct(quantised, kept), images_nchw).numpy()
        return count_right(scores, classes, float_scores).drop_points

    return drop_points


def choose_kept(
    ranking: Sequence[Sensitivity],
    drop_of: DropOf,
    max_drop_points: float,
    on_candidate: OnCandidate | None = None,
) -> Search:
    """Find the fewest units to keep in float for a goal.

    At most half of the units, rounded up, are kept: a network that needs more should not be int8.

    Args:
        ranking: of `rank_units`.
        drop_of: points of top-1 that are lost with these units in float, as from `drop_on`.
        max_drop_points: the most it may lose.
        on_candidate: told each candidate when it was tried.
    """
    ranked = [each.unit for each in ranking]
    tried: dict[tuple[str, ...], Candidate] = {}

    def holds(kept: Sequence[str]) -> bool:
        key = tuple(kept)
        if key not in tried:
            tried[key] = Candidate(key, drop_of(key))
            if on_candidate:
                on_candidate(tried[key])
        return tried[key].drop_points <= max_drop_points

    most = (len(ranked) + 1) // 2
    counts = [0, *(2**i for i in range(most.bit_length()) if 2**i < most), most]
    first = next((i for i, count in enumerate(counts) if holds(ranked[:count])), None)
    if first is None:
        best = min(tried.values(), key=lambda candidate: (candidate.drop_points, len(candidate.kept)))
    else:
        too_few = counts[first - 1] if first else -1
        best = tried[_put_back(ranked[: _fewest(ranked, too_few, counts[first], holds)], ranking, holds)]
    return Search(
        max_drop_points,
        first is not None,
        best.kept,
        best.drop_points,
        tuple(tried.values()),
        tuple(replace(each, precision="float32" if each.unit in best.kept else "int8") for each in ranking),
    )


def _fewest(ranked: Sequence[str], too_few: int, enough: int, holds: Holds) -> int:
    """Halve between two numbers of units."""
    while enough - too_few > 1:
        middle = (enough + too_few) // 2
        too_few, enough = (too_few, middle) if holds(ranked[:middle]) else (middle, enough)
    return enough


def _put_back(kept: Sequence[str], ranking: Sequence[Sensitivity], holds: Holds) -> tuple[str, ...]:
    """Make units int8 again that the goal does not need."""
    parameters = {each.unit: each.parameters for each in ranking}
    left = tuple(kept)
    for unit in sorted(kept, key=lambda unit: parameters[unit], reverse=True)[:_MOST_PUT_BACK]:
        without = tuple(each for each in left if each != unit)
        if holds(without):
            left = without
    return left
