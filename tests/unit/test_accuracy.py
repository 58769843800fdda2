"""Counting: against counts made by hand, and the published example of Wilson's interval."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekit.accuracy import count_right, share

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
