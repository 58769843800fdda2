"""Counting: against counts made by hand and one by one; intervals: against published examples and what defines them."""

from __future__ import annotations

from math import comb, sqrt
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from edgekit.accuracy import count_right, drop, share

Z = NormalDist().inv_cdf(0.975)
SCORES = np.array([[9, 1, 0, 0, 0, 0, 0], [0, 9, 1, 2, 3, 4, 5], [7, 6, 5, 4, 3, 2, 1], [0, 0, 0, 0, 0, 0, 9]], np.float32)
CLASSES = np.array([0, 2, 1, 6])


def test_top1_and_top5() -> None:
    accuracy = count_right(SCORES, CLASSES)
    assert accuracy.count == 4
    assert accuracy.top1.value == 0.5
    assert accuracy.top5.value == 0.75, "in the second picture five classes are before the right one"
    assert accuracy.agreement is None


def test_against_the_float_model() -> None:
    float_scores = SCORES.copy()
    float_scores[0] = SCORES[1]  # wrong where the artifact is right
    float_scores[2] = [0, 9, 0, 0, 0, 0, 0]  # right where the artifact is wrong
    float_scores[1] = [0, 0, 9, 0, 0, 0, 0]  # likewise
    accuracy = count_right(SCORES, CLASSES, float_scores)
    assert accuracy.agreement is not None
    assert (accuracy.agreement.value, accuracy.lost, accuracy.gained) == (0.25, 2, 1)
    assert accuracy.drop_points == pytest.approx(25)
    assert count_right(SCORES, CLASSES).drop_points == 0


def test_a_share_of_81_in_263() -> None:
    """Newcombe, "Two-sided confidence intervals for the single proportion", Statistics in Medicine 17 (1998), table I."""
    found = share(81, 263)
    assert (round(found.low, 4), round(found.high, 4)) == (0.2553, 0.3662)
    found = share(0, 20)
    assert (found.low, round(found.high, 4)) == (0.0, 0.1611)


@given(st.integers(1, 2000).flatmap(lambda count: st.tuples(st.integers(0, count), st.just(count))))
def test_an_interval_holds_its_share_and_lies_between_0_and_1(drawn: tuple[int, int]) -> None:
    hits, count = drawn
    found = share(hits, count)
    assert 0 <= found.low <= found.value + 1e-12
    assert found.value <= found.high + 1e-12
    assert found.high <= 1


def test_few_classes_have_no_fifth() -> None:
    accuracy = count_right(np.array([[1.0, 0.0], [1.0, 0.0]]), np.array([0, 1]))
    assert (accuracy.top1.value, accuracy.top5.value) == (0.5, 1.0)


def test_a_model_that_answers_the_same_for_every_class_is_not_right_by_that() -> None:
    accuracy = count_right(np.ones((10, 10), np.float32), np.arange(10))
    assert (accuracy.top1.value, accuracy.top5.value) == (0.1, 0.5)


def test_what_is_no_number_is_wrong_and_agrees_with_nothing() -> None:
    broken = SCORES.copy()
    broken[0, 6] = np.nan  # right without it
    accuracy = count_right(broken, CLASSES, SCORES)
    assert accuracy.agreement is not None
    assert (accuracy.top1.value, accuracy.top5.value, accuracy.agreement.value, accuracy.lost) == (0.25, 0.5, 0.75, 1)
    assert count_right(SCORES, CLASSES, broken).agreement == accuracy.agreement


def test_an_infinite_score_is_the_largest() -> None:
    accuracy = count_right(np.array([[np.inf, 0.0], [np.inf, 0.0]], np.float32), np.array([0, 1]))
    assert accuracy.top1.value == 0.5


@st.composite
def answers(draw: st.DrawFn) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.int64]]:
    """Scores of two models, from few values so that many are equal, and the right classes."""
    count, classes = draw(st.integers(1, 12)), draw(st.integers(2, 8))
    rows = st.lists(st.lists(st.integers(0, 3), min_size=classes, max_size=classes), min_size=count, max_size=count)
    right = draw(st.lists(st.integers(0, classes - 1), min_size=count, max_size=count))
    return np.array(draw(rows), np.float32), np.array(draw(rows), np.float32), np.array(right)


@given(answers())
def test_counting_one_by_one(drawn: tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.int64]]) -> None:
    scores, float_scores, right = drawn

    def order(row: NDArray[np.float32]) -> list[int]:
        return sorted(range(len(row)), key=lambda index: (-row[index], index))

    mine, theirs = [order(row) for row in scores], [order(row) for row in float_scores]
    count = len(right)
    accuracy = count_right(scores, right, float_scores)
    assert accuracy.agreement is not None
    assert accuracy.count == count
    assert accuracy.top1.value == sum(a[0] == r for a, r in zip(mine, right, strict=True)) / count
    assert accuracy.top5.value == sum(r in a[:5] for a, r in zip(mine, right, strict=True)) / count
    assert accuracy.agreement.value == sum(a[0] == b[0] for a, b in zip(mine, theirs, strict=True)) / count
    assert accuracy.lost == sum(b[0] == r != a[0] for a, b, r in zip(mine, theirs, right, strict=True))
    assert accuracy.gained == sum(a[0] == r != b[0] for a, b, r in zip(mine, theirs, right, strict=True))
    float_top1 = count_right(float_scores, right).top1.value
    assert accuracy.drop_points == pytest.approx(100 * (float_top1 - accuracy.top1.value))


@given(st.integers(1, 500).flatmap(lambda count: st.tuples(st.integers(0, count), st.just(count))))
def test_wilsons_interval_is_of_the_shares_that_do_not_contradict_the_count(drawn: tuple[int, int]) -> None:
    """Its ends are where the count lies just 1.96 standard deviations, those of the end itself, from what is expected."""
    hits, count = drawn
    found = share(hits, count)
    for end in (found.low, found.high):
        assert abs(hits / count - end) == pytest.approx(Z * sqrt(end * (1 - end) / count), abs=1e-7)


def test_a_drop_as_published() -> None:
    """`ci.prop.ps` of the R package statpsych, by the interval's author: of 48, 26 on one side, 4 on the other."""
    found = drop(26, 4, 48)
    assert (found.low, found.high) == pytest.approx((25.48067, 62.51933), abs=1e-5)
    assert found.points == pytest.approx(100 * 22 / 48)


@given(st.integers(1, 300).flatmap(lambda n: st.tuples(st.integers(0, n), st.integers(0, n), st.just(n))))
def test_a_drops_interval_holds_it_and_mirrors(drawn: tuple[int, int, int]) -> None:
    lost, gained, count = drawn[0], drawn[1] * (drawn[2] - drawn[0]) // drawn[2], drawn[2]
    found, mirrored = drop(lost, gained, count), drop(gained, lost, count)
    assert -100 <= found.low <= found.points <= found.high <= 100
    assert (found.points, found.low, found.high) == pytest.approx((-mirrored.points, -mirrored.high, -mirrored.low))


@pytest.mark.parametrize(("lost", "gained"), [(0.02, 0.02), (0.1, 0.02), (0.05, 0.3), (0.01, 0.0)])
def test_a_drops_interval_holds_the_truth_19_times_of_20(lost: float, gained: float) -> None:
    """Every outcome of 60 pictures with its probability, instead of a simulation."""
    count, held = 60, 0.0
    for a in range(count + 1):
        for b in range(count + 1 - a):
            probability = comb(count, a) * comb(count - a, b) * lost**a * gained**b * (1 - lost - gained) ** (count - a - b)
            found = drop(a, b, count)
            held += probability * (found.low <= 100 * (lost - gained) <= found.high)
    assert held >= 0.94


def test_no_share_of_nothing() -> None:
    for call in (lambda: share(0, 0), lambda: drop(0, 0, 0)):
        with pytest.raises(ValueError, match="nothing"):
            call()
