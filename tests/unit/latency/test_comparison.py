"""Faster, slower, unproven: on launches whose truth is known."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekit.errors import UsageError
from edgekit.latency.comparison import Comparison, ComparisonPlan, Launch, compare, student_quantile, suffices, turns

RUNS = 400


def judged(launches: list[Launch]) -> Comparison:
    return compare(launches, first="old", second="new", num_threads=1)


def made(rng: random.Random, ratio: float, *, per_launch: float, per_block: float, drift: float = 0.0) -> list[Launch]:
    """Five launches: each process has an accident of its own, the machine another speed in every round, blocks their noise."""
    launches = []
    for _ in range(5):
        speeds = [rng.gauss(0.0, per_launch), rng.gauss(math.log(ratio), per_launch)]
        blocks: tuple[list[float], list[float]] = ([], [])
        machine = 0.0
        for number, side in enumerate(turns(10)):
            machine = drift * number + rng.gauss(0.0, 0.02)
            blocks[side].append(8.0 * math.exp(speeds[side] + machine + abs(rng.gauss(0.0, per_block))))
        launches.append(Launch(tuple(blocks[0]), tuple(blocks[1])))
    return launches


@pytest.mark.parametrize("per_launch", [0.002, 0.01, 0.03])
def test_two_copies_are_unproven_in_at_least_95_of_100_runs(per_launch: float) -> None:
    """Also where processes of one artifact differ by more than their blocks' noise lets expect."""
    rng = random.Random(1)
    verdicts = [judged(made(rng, 1.0, per_launch=per_launch, per_block=0.02)).verdict for _ in range(RUNS)]
    assert verdicts.count("unproven") >= 0.95 * RUNS


def test_one_that_is_a_tenth_slower_is_found() -> None:
    rng = random.Random(2)
    verdicts = [judged(made(rng, 1.1, per_launch=0.01, per_block=0.02)).verdict for _ in range(RUNS)]
    assert verdicts.count("slower") >= 0.95 * RUNS


def test_one_that_is_a_tenth_faster_is_found() -> None:
    rng = random.Random(3)
    verdicts = [judged(made(rng, 1 / 1.1, per_launch=0.01, per_block=0.02)).verdict for _ in range(RUNS)]
    assert verdicts.count("faster") >= 0.95 * RUNS


def test_a_machine_that_slows_down_slows_both_alike() -> None:
    """Every block 2 % slower than the one before. In the order A B A B the second would look 2 % slower, and surely so."""
    rng = random.Random(4)
    launches = made(rng, 1.0, per_launch=0.001, per_block=0.0, drift=0.02)
    assert judged(launches).ratio == pytest.approx(1.0, abs=0.02)


def test_counting_rounds_instead_of_launches_would_tell_copies_apart() -> None:
    """Why launches are counted: the rounds of a launch share the accident of its two processes."""
    rng = random.Random(5)
    wrong = 0
    for _ in range(RUNS):
        one, *_ = made(rng, 1.0, per_launch=0.02, per_block=0.01)
        rounds = [Launch((first,), (second,)) for first, second in zip(one.first_ms, one.second_ms, strict=True)]
        wrong += judged(rounds).verdict != "unproven"
    assert wrong > 0.2 * RUNS


def test_the_interval_holds_the_truth_as_often_as_it_says() -> None:
    rng = random.Random(6)
    found = [judged(made(rng, 1.3, per_launch=0.02, per_block=0.02)) for _ in range(RUNS)]
    assert sum(each.low <= 1.3 <= each.high for each in found) >= 0.97 * RUNS


def gone_on(rng: random.Random, ratio: float, spread: float, *, most: int = 24, until_verdict: bool = False) -> Comparison:
    """Launch after launch until they suffice. With `until_verdict`, what must not be done: stop at the first verdict."""
    plan = ComparisonPlan(max_launches=most)
    launches: list[Launch] = []
    while not suffices(launches, plan):
        launches.append(Launch((8.0,), (8.0 * math.exp(rng.gauss(math.log(ratio), spread)),)))
        if until_verdict and len(launches) >= plan.min_launches and judged(launches).verdict != "unproven":
            break
    return judged(launches)


@pytest.mark.parametrize("spread", [0.01, 0.05, 0.1])
def test_copies_stay_unproven_where_launches_go_on_until_the_interval_is_narrow(spread: float) -> None:
    rng = random.Random(7)
    verdicts = [gone_on(rng, 1.0, spread).verdict for _ in range(RUNS)]
    assert verdicts.count("unproven") >= 0.97 * RUNS


def test_going_on_until_there_is_a_verdict_would_tell_copies_apart() -> None:
    """Why the interval's width decides and not the verdict."""
    rng = random.Random(8)
    verdicts = [gone_on(rng, 1.0, 0.2, most=40, until_verdict=True).verdict for _ in range(RUNS // 2)]
    assert verdicts.count("unproven") < 0.97 * len(verdicts)


def test_a_tenth_is_found_where_launches_differ_by_several_percent() -> None:
    """Eight launches find it in no more than four fifths of the comparisons: the negative control."""
    rng = random.Random(9)
    found = [gone_on(rng, 1.1, 0.07) for _ in range(RUNS)]
    assert [each.verdict for each in found].count("slower") >= 0.98 * RUNS
    assert [judged(list(each.launches[:8])).verdict for each in found].count("slower") < 0.8 * RUNS


def test_launches_go_on_while_the_interval_is_wide_and_no_further_than_the_plan() -> None:
    quiet = [Launch((8.0,), (8.0 * ratio,)) for ratio in (0.99, 1.0, 1.01, 1.0, 0.99, 1.01, 1.0, 1.0)]
    noisy = [Launch((8.0,), (8.0 * ratio,)) for ratio in (0.8, 1.0, 1.2) * 8]
    plan = ComparisonPlan()
    assert [suffices(quiet[:count], plan) for count in (0, 7, 8)] == [False, False, True]
    assert [suffices(noisy[:count], plan) for count in (8, 23, 24)] == [False, False, True]
    assert suffices(noisy[:3], ComparisonPlan(3, 3))


def test_copies_without_any_noise_are_unproven_and_others_are_not() -> None:
    same = Launch((8.0, 8.0), (8.0, 8.0))
    assert judged([same] * 3).verdict == "unproven"
    slower = Launch((8.0, 8.0), (8.8, 8.8))
    assert judged([slower] * 3).verdict == "slower"


@given(st.floats(0.01, 100.0), st.floats(0.01, 100.0))
def test_the_ratio_turns_over_with_the_order(first: float, second: float) -> None:
    there = judged([Launch((first,), (second,))] * 3)
    back = judged([Launch((second,), (first,))] * 3)
    assert there.ratio == pytest.approx(1 / back.ratio)
    assert there.ratio == pytest.approx(second / first)


def test_a_launch_whose_places_were_changed_is_turned_back() -> None:
    assert Launch((8.0, 8.0), (10.0, 10.0)).turned() == Launch((10.0, 10.0), (8.0, 8.0))
    assert Launch((8.0, 8.0), (10.0, 10.0)).turned().ratio == pytest.approx(0.8)


def test_every_round_has_one_block_of_each() -> None:
    assert list(turns(4)) == [0, 1, 1, 0, 0, 1, 1, 0]


def test_fewer_than_three_launches_are_refused() -> None:
    with pytest.raises(UsageError, match="at least 3 launches"):
        judged([Launch((1.0,), (1.0,))] * 2)
    with pytest.raises(UsageError, match="at least 3 launches"):
        ComparisonPlan(2)
    with pytest.raises(UsageError, match="cannot have 6 at most"):
        ComparisonPlan(max_launches=6)


@pytest.mark.parametrize(("degrees", "expected"), [(1, 63.657), (2, 9.925), (4, 4.604), (9, 3.250), (29, 2.756), (120, 2.617)])
def test_students_quantiles_are_those_of_the_tables(degrees: int, expected: float) -> None:
    """Two-sided 99 %: Fisher and Yates, "Statistical Tables for Biological, Agricultural and Medical Research", table III."""
    assert student_quantile(0.995, degrees) == pytest.approx(expected, abs=0.0006)
