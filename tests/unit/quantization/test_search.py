"""Which units are kept in float for a goal."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from torch import Tensor

from edgekit.quantization.program import Quantised
from edgekit.quantization.search import choose_kept, drop_on
from edgekit.quantization.simulation import answers
from edgekit.quantization.unit import units_of
from edgekit.sensitivity import Candidate, Sensitivity


def ranked(count: int, parameters: Sequence[int] = ()) -> list[Sensitivity]:
    return [Sensitivity(f"u{i}", 20.0 + i, parameters[i] if parameters else 100) for i in range(count)]


def costs(*points: float, rest: float = 0.0) -> dict[str, float]:
    """Points that each of the first units costs while it is int8."""
    return {f"u{i}": point for i, point in enumerate(points)} | {"": rest}


def drop(cost: dict[str, float], kept: Sequence[str]) -> float:
    return sum(points for unit, points in cost.items() if unit not in kept)


def test_int8_that_holds_the_goal_is_left_alone() -> None:
    search = choose_kept(ranked(10), lambda kept: 0.5, 0.5)
    assert search.reached
    assert search.kept == ()
    assert search.tried == (Candidate((), 0.5),)
    assert {each.precision for each in search.units} == {"int8"}


@pytest.mark.parametrize("needed", range(1, 14))
def test_the_fewest_units_are_found(needed: int) -> None:
    cost = costs(*[1.0] * needed)
    search = choose_kept(ranked(27), lambda kept: drop(cost, kept), 0.5)
    assert search.reached
    assert search.kept == tuple(f"u{i}" for i in range(needed))
    assert search.drop_points == 0
    assert [each.precision for each in search.units] == ["float32"] * needed + ["int8"] * (27 - needed)
    assert len({candidate.kept for candidate in search.tried}) == len(search.tried), "nothing is tried twice"


def test_units_that_the_goal_does_not_need_are_int8_again_the_largest_first() -> None:
    cost = costs(0.0, 0.3, 0.3, 2.0)
    search = choose_kept(ranked(12, [10, 500, 20, 30, *[1] * 8]), lambda kept: drop(cost, kept), 0.4)
    assert search.reached
    assert search.kept == ("u2", "u3"), "u0 costs nothing; of u1 and u2 one is enough, and u1 is the larger"
    assert search.drop_points == pytest.approx(0.3)


def test_a_goal_out_of_reach_gives_the_best_that_was_tried() -> None:
    cost = costs(1.0, 1.0, rest=3.0)
    search = choose_kept(ranked(9), lambda kept: drop(cost, kept), 1.0)
    assert not search.reached
    assert search.drop_points == 3.0
    assert search.kept == ("u0", "u1"), "of equals the one with the fewest units"
    assert max(len(candidate.kept) for candidate in search.tried) == 5, "no more than half of the units"


def test_every_candidate_is_told_as_it_was_tried() -> None:
    told: list[Candidate] = []
    search = choose_kept(ranked(27), lambda kept: drop(costs(1, 1, 1), kept), 0.0, told.append)
    assert tuple(told) == search.tried
    assert told[0].kept == ()


def test_the_drop_is_counted_against_the_float_network(quantised: Quantised, pictures: tuple[Tensor, ...]) -> None:
    classes = answers(quantised.original, pictures[32:48]).argmax(1).numpy()
    drop_of = drop_on(quantised, pictures[32:48], classes)
    assert drop_of(units_of(quantised.module)) == 0
    assert 0 <= drop_of(()) <= 20
    others = (classes + 1) % 10
    assert drop_on(quantised, pictures[32:48], np.where(np.arange(16) < 8, classes, others))(()) <= 20
