"""The verdict: figures worked out by hand, and everything that must not pass."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from edgekit.errors import InputError
from edgekit.judge import dependence, judge, sqnr_db
from edgekit.mobilenet.checkpoint import imagenet_preprocessing
from edgekit.mobilenet.network import MobileNet
from edgekit.mobilenet.spec import VERSIONS, MobileNetSpec, Version
from edgekit.parity import Parity
from edgekit.reference import Outputs, Reference, compute_reference
from edgekit.samples import Sample, make_samples
from edgekit.target import FLOAT16_TOLERANCE, FLOAT32_TOLERANCE, TensorSpec, Tolerance

Array = NDArray[np.floating]
LAX = Tolerance(
    "float32",
    max_loss_db=1000,
    max_synthetic_loss_db=1000,
    min_sqnr_db=-1000,
    max_peak_error=1e9,
    reason="only what makes figures meaningless",
)
CLASSES = 12
LOGITS = TensorSpec("logits", (1, CLASSES), "float32", "NK")


def expected_logits(count: int = 3) -> list[Array]:
    """Answers that depend on the input, as float64."""
    return [np.random.default_rng(seed).standard_normal((1, CLASSES)) for seed in range(count)]


def with_error(expected: Array, db: float) -> Array:
    """The same with an error whose energy is `db` below the signal's."""
    error = np.random.default_rng(99).standard_normal(expected.shape)
    return np.asarray(expected + error * np.linalg.norm(expected) / np.linalg.norm(error) * 10 ** (-db / 20))


def reference_of(expected: Sequence[Array], *, yardstick_db: float = 120, synthetic: int = 0) -> Reference:
    """Samples are images but for the last `synthetic`; PyTorch's own float32 and float16 are `yardstick_db` from float64."""
    kinds = ["image"] * (len(expected) - synthetic) + ["synthetic"] * synthetic
    samples = tuple(
        Sample(f"s{i}", "image" if kind == "image" else "synthetic", np.zeros((1, 1, 1, 1), np.float32))
        for i, kind in enumerate(kinds)
    )
    yardstick = tuple({"logits": with_error(answer, yardstick_db)} for answer in expected)
    return Reference(samples, tuple({"logits": answer} for answer in expected), {"float32": yardstick, "float16": yardstick})


def verdict(
    answers: Sequence[Array], *, expected: Sequence[Array] | None = None, tolerance: Tolerance = LAX, synthetic: int = 0
) -> Parity:
    reference = reference_of(expected or expected_logits(len(answers)), synthetic=synthetic)
    return judge(reference, [{"logits": answer} for answer in answers], [LOGITS], tolerance)


@pytest.mark.parametrize(
    ("expected", "actual", "db"),
    [
        ([3.0, 4.0], [3.0, 4.5], 20.0),  # 25 / 0.25
        ([1.0, 0.0], [0.0, 0.0], 0.0),  # 1 / 1
        ([1.0], [11.0], -20.0),  # 1 / 100
        ([10.0, 0.0], [10.0, 0.01], 60.0),  # 100 / 0.0001
        ([1.0, 2.0], [1.0, 2.0], 320.0),  # no error
        ([0.0, 0.0], [0.0, 0.0], 320.0),
        ([0.0, 0.0], [0.0, 1.0], -320.0),  # no signal
        ([1.0], [math.nan], -320.0),
        ([1.0], [math.inf], -320.0),
        ([math.nan], [1.0], -320.0),
    ],
)
def test_sqnr_of_known_values(expected: list[float], actual: list[float], db: float) -> None:
    assert sqnr_db(expected=np.array(expected), actual=np.array(actual)) == pytest.approx(db, abs=1e-9)


vectors = hnp.arrays(np.float64, 8, elements=st.floats(-1000, 1000).filter(lambda value: value == 0 or abs(value) > 1e-3))


@given(vectors, vectors, st.integers(-30, 30))
def test_sqnr_does_not_depend_on_the_scale(expected: Array, error: Array, power: int) -> None:
    actual = expected + error
    factor = 2.0**power  # exact
    scaled = sqnr_db(expected=expected * factor, actual=actual * factor)
    assert scaled == pytest.approx(sqnr_db(expected=expected, actual=actual), abs=1e-9)


@given(vectors, vectors, st.permutations(range(8)))
def test_sqnr_does_not_depend_on_sign_or_order(expected: Array, error: Array, order: list[int]) -> None:
    actual = expected + error
    db = sqnr_db(expected=expected, actual=actual)
    assert sqnr_db(expected=-expected, actual=-actual) == db
    assert sqnr_db(expected=expected[order], actual=actual[order]) == pytest.approx(db, abs=1e-9)


@given(vectors, vectors)
def test_twice_the_error_costs_six_decibels(expected: Array, error: Array) -> None:
    assume(np.any(expected) and np.any(error))
    small, large = (sqnr_db(expected=expected, actual=expected + factor * error) for factor in (1.0, 2.0))
    assert small - large == pytest.approx(20 * math.log10(2), abs=1e-3)


@given(vectors)
def test_exactly_equal_is_320_decibels(values: Array) -> None:
    assert sqnr_db(expected=values, actual=values.copy()) == 320.0


def test_float16_against_float64_is_about_its_eleven_bits() -> None:
    values = np.random.default_rng(0).standard_normal(100_000)
    # rounding to 11 bits: 6.02 * 11 + 10 log10(12) less the mantissa's mean: between 70 and 77 dB
    assert 70 < sqnr_db(expected=values, actual=values.astype(np.float16)) < 77


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        ([[1.0, 1.0], [1.0, 1.0]], 0.0),
        ([[1.0, 0.0], [-1.0, 0.0]], 1.0),
        ([[0.0], [0.0]], 0.0),
        ([[1.0], [3.0]], 1 / math.sqrt(5)),  # deviations 1 and 1, squares 1 and 9
        ([[1.0], [math.nan]], 0.0),
    ],
)
def test_dependence_of_known_values(answers: list[list[float]], expected: float) -> None:
    assert dependence([np.array(answer) for answer in answers]) == pytest.approx(expected)


@given(vectors, st.integers(-20, 20))
def test_dependence_does_not_depend_on_the_scale(values: Array, power: int) -> None:
    answers = [values, np.roll(values, 1)]
    assert dependence([answer * 2.0**power for answer in answers]) == pytest.approx(dependence(answers), abs=1e-9)


def test_equal_answers_pass_with_perfect_figures() -> None:
    parity = verdict(expected_logits())
    output = parity.outputs[0]
    assert parity.passed
    assert parity.problems == ()
    assert (output.max_abs, output.mean_abs, output.peak_error, output.sqnr_db) == (0, 0, 0, 320)
    assert (output.top1, output.top5) == (1, 1)
    assert output.cosine == pytest.approx(1)
    assert [sample.sample for sample in output.samples] == ["s0", "s1", "s2"]


def test_figures_of_one_sample_by_hand() -> None:
    expected = [np.array([[0.0, 4.0, -8.0]]), np.array([[3.0, 0.0, 0.0]])]
    actual = [np.array([[0.0, 4.0, -6.0]]), expected[1]]
    sample = verdict(actual, expected=expected).outputs[0].samples[0]
    assert (sample.max_abs, sample.peak_error) == (2.0, 0.25)
    assert sample.mean_abs == pytest.approx(2 / 3)
    assert sample.sqnr_db == pytest.approx(10 * math.log10(80 / 4))
    assert sample.cosine == pytest.approx((16 + 48) / math.sqrt(80 * 52))
    assert (sample.top1, sample.top5) == (True, None), "no five largest of three"


def test_an_output_sums_up_the_worst_and_the_mean() -> None:
    expected = expected_logits(3)
    actual = [with_error(expected[0], 60), with_error(expected[1], 40), with_error(expected[2], 50)]
    output = verdict(actual, expected=expected, synthetic=1).outputs[0]
    rows = output.samples
    assert [row.sqnr_db for row in rows] == pytest.approx([60, 40, 50])
    assert output.sqnr_db == pytest.approx(40)
    assert output.image_sqnr_db == pytest.approx(40)
    assert output.max_abs == max(row.max_abs or 0 for row in rows)
    assert output.mean_abs == pytest.approx(sum(row.mean_abs or 0 for row in rows) / 3)
    assert output.pytorch_sqnr_db["float32"] == pytest.approx(120)


def test_image_sqnr_leaves_synthetic_inputs_out() -> None:
    expected = expected_logits(3)
    actual = [expected[0], with_error(expected[1], 70), with_error(expected[2], 30)]
    output = verdict(actual, expected=expected, synthetic=1).outputs[0]
    assert [output.sqnr_db, output.image_sqnr_db] == pytest.approx([30, 70])


def test_top1_and_top5_are_counted_on_images_alone() -> None:
    expected = [np.arange(12.0)[None], np.arange(12.0)[::-1][None].copy(), np.arange(12.0)[None]]
    swapped = expected[0].copy()
    swapped[0, 11], swapped[0, 10] = 10.0, 11.0  # another first, the same first five
    wrong = expected[1].copy()
    wrong[0, 5] = 7.5  # the sixth overtakes the fifth, whose value is 7
    nonsense = -expected[2]  # synthetic: not counted
    output = verdict([swapped, wrong, nonsense], expected=expected, synthetic=1).outputs[0]
    assert [row.top1 for row in output.samples] == [False, True, False]
    assert [row.top5 for row in output.samples] == [1.0, 0.8, 0.0]
    assert [output.top1, output.top5] == pytest.approx([0.5, 0.9])


def test_a_feature_map_has_no_classes_to_rank() -> None:
    expected = expected_logits()
    parity = judge(reference_of(expected), [{"logits": answer} for answer in expected], [replace(LOGITS, layout="NCHW")], LAX)
    assert (parity.outputs[0].top1, parity.outputs[0].top5) == (None, None)


@pytest.mark.parametrize(
    ("yardstick_db", "actual_db", "passes"),
    [
        (110, 96, True),  # 14 dB below PyTorch: within the 15 that are allowed
        (110, 94, False),  # 16 dB below
        (95, 86, True),  # 80 dB would be allowed by the loss, but 85 is the floor
        (95, 84, False),
        (60, 84, False),  # a network that rounds badly in PyTorch is no excuse below the floor
        (60, 86, True),
        (110, 200, True),  # better than PyTorch
    ],
)
def test_limit_is_pytorchs_own_error_less_the_loss_but_not_below_the_floor(
    yardstick_db: float, actual_db: float, passes: bool
) -> None:
    tolerance = replace(LAX, max_loss_db=15, min_sqnr_db=85)
    expected = expected_logits()
    answers = [{"logits": with_error(answer, actual_db)} for answer in expected]
    parity = judge(reference_of(expected, yardstick_db=yardstick_db), answers, [LOGITS], tolerance)
    assert parity.passed is passes
    if not passes:
        limit = max(85, yardstick_db - 15)
        assert re.match(rf"logits: {actual_db:.1f} dB SQNR on s\d is below the limit of {limit:.1f} dB", parity.problems[0])


@pytest.mark.parametrize(
    ("image_db", "synthetic_db", "sample"),
    [(100, 90, None), (94, 120, "s1"), (120, 79, "s2"), (96, 81, None)],
    ids=["both within", "image beyond", "synthetic beyond", "both at the edge"],
)
def test_images_and_synthetic_inputs_have_a_loss_each(image_db: float, synthetic_db: float, sample: str | None) -> None:
    """PyTorch is at 110 dB on each: 95 dB are asked on images, 80 on synthetic inputs."""
    tolerance = replace(LAX, max_loss_db=15, max_synthetic_loss_db=30, min_sqnr_db=85)
    expected = expected_logits(3)
    answers: list[Outputs] = [
        {"logits": expected[0]},
        {"logits": with_error(expected[1], image_db)},
        {"logits": with_error(expected[2], synthetic_db)},
    ]
    parity = judge(reference_of(expected, yardstick_db=110, synthetic=1), answers, [LOGITS], tolerance)
    assert parity.passed is (sample is None)
    assert len(parity.problems) == (sample is not None)
    assert all(f"on {sample} is below the limit" in problem for problem in parity.problems)


def test_floor_and_peak_are_asked_of_images_alone() -> None:
    """A network may be ill-conditioned on a checkerboard, which it was never trained on: PyTorch's own error is the measure."""
    tolerance = replace(LAX, max_loss_db=15, max_synthetic_loss_db=30, min_sqnr_db=85, max_peak_error=1e-3)
    expected = expected_logits(3)
    reference = reference_of(expected, yardstick_db=110, synthetic=1)
    rough = {"logits": with_error(expected[2], 50)}
    answers: list[Outputs] = [{"logits": expected[0]}, {"logits": expected[1]}, {"logits": with_error(expected[2], 40)}]
    yardsticks = {kind: (*yardstick[:2], rough) for kind, yardstick in reference.yardsticks.items()}
    parity = judge(replace(reference, yardsticks=yardsticks), answers, [LOGITS], tolerance)
    assert parity.problems == ()
    assert (parity.outputs[0].peak_error or 0) > 1e-3


def test_one_bad_sample_of_many_fails() -> None:
    expected = expected_logits(6)
    answers = [*expected[:5], with_error(expected[5], 40)]
    assert not verdict(answers, expected=expected, tolerance=FLOAT32_TOLERANCE).passed


def test_the_yardstick_is_the_one_of_the_tolerance() -> None:
    expected = expected_logits()
    exact = reference_of(expected, yardstick_db=120)
    rough = reference_of(expected, yardstick_db=45).yardsticks["float16"]
    reference = replace(exact, yardsticks={"float32": exact.yardsticks["float32"], "float16": rough})
    answers: list[Outputs] = [{"logits": with_error(answer, 40)} for answer in expected]
    assert judge(reference, answers, [LOGITS], FLOAT16_TOLERANCE).passed
    assert not judge(reference, answers, [LOGITS], FLOAT32_TOLERANCE).passed


def test_a_single_wrong_value_fails_by_its_peak() -> None:
    """Ten thousand values, one off by a tenth of the peak: 60 dB of SQNR hide it."""
    expected = [np.ones((1, 10_000)), -np.ones((1, 10_000))]
    actual = [answer.copy() for answer in expected]
    actual[0][0, 77] = 1.1
    tolerance = replace(LAX, max_peak_error=0.05)
    parity = verdict(actual, expected=expected, tolerance=tolerance)
    assert parity.outputs[0].sqnr_db == pytest.approx(60)
    assert parity.problems == ("logits: the largest error is 0.1 of the output's peak, over the limit of 0.05",)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (math.nan, "logits: on s1, 1 of 12 values are NaN"),
        (math.inf, "logits: on s1, 1 of 12 values are infinite"),
        (-math.inf, "logits: on s1, 1 of 12 values are infinite"),
    ],
)
def test_values_that_are_not_finite_fail(value: float, message: str) -> None:
    answers = expected_logits()
    answers[1][0, 3] = value
    parity = verdict(answers)
    assert not parity.passed
    assert message in parity.problems
    row = parity.outputs[0].samples[1]
    assert (row.max_abs, row.sqnr_db, row.cosine, row.top1) == (None, None, None, None)


@pytest.mark.parametrize(
    ("change", "shape"),
    [(lambda a: a[:, :-1], "[1, 11]"), (lambda a: a.reshape(12), "[12]"), (lambda a: a.reshape(1, 12, 1, 1), "[1, 12, 1, 1]")],
)
def test_another_shape_fails_even_with_the_same_values(change: Callable[[Array], Array], shape: str) -> None:
    parity = verdict([change(answer) for answer in expected_logits()])
    assert f"logits: on s0, its shape is {shape} instead of [1, 12]" in parity.problems


def test_a_missing_output_fails() -> None:
    expected = expected_logits()
    answers: list[Outputs] = [{"output_0": answer} for answer in expected]
    parity = judge(reference_of(expected), answers, [LOGITS], LAX)
    assert "logits: on s0, the artifact has no such output" in parity.problems
    assert not parity.passed


def test_every_output_is_judged() -> None:
    expected = expected_logits()
    reference = reference_of(expected)
    both = [{"logits": answer, "features": answer * 2} for answer in expected]
    yardsticks = {kind: tuple(both) for kind in reference.yardsticks}
    reference = replace(reference, float64=tuple(both), yardsticks=yardsticks)
    answers: list[Outputs] = [{"logits": answer, "features": with_error(answer * 2, 30)} for answer in expected]
    parity = judge(reference, answers, [LOGITS, replace(LOGITS, name="features")], FLOAT32_TOLERANCE)
    assert [output.output for output in parity.outputs if output.problems] == ["features"]
    assert not parity.passed


def test_an_artifact_that_ignores_its_input_fails() -> None:
    answer = expected_logits(1)[0]
    parity = verdict([answer] * 3, expected=expected_logits())
    assert any("does not depend on the input" in problem for problem in parity.problems)


def test_a_reference_that_ignores_its_input_fails_whatever_the_agreement() -> None:
    constant = [expected_logits(1)[0]] * 3
    parity = verdict(constant, expected=constant)
    assert parity.outputs[0].sqnr_db == 320
    assert not parity.passed
    assert "untrained or uncalibrated weights" in parity.problems[0]


def test_what_the_input_changes_must_stand_out_of_the_error() -> None:
    """A change of 1 % (-40 dB) under an error of -50 dB is 10 dB above it: agreement on the constant part proves nothing."""
    constant = np.full((1, CLASSES), 10.0)
    expected = [constant + 0.1 * np.resize([1.0, -1.0], CLASSES), constant - 0.1 * np.resize([1.0, -1.0], CLASSES)]
    far, near = ([with_error(answer, db) for answer in expected] for db in (50, 80))
    assert "what the input changes is only 10 dB above the error" in verdict(far, expected=expected).problems[0]
    assert verdict(near, expected=expected).passed


@pytest.mark.parametrize("version", VERSIONS)
def test_an_untrained_mobilenet_is_refused(version: Version) -> None:
    """Random weights under default statistics: every output is nearly the same, so that any artifact agrees with it."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = MobileNet(MobileNetSpec(version, 0.35, 64, classes=CLASSES)).eval()
    parity = judge_float32(network)
    assert not parity.passed
    assert "the reference does not depend on the input" in parity.problems[0]


@pytest.mark.parametrize("version", VERSIONS)
def test_the_same_mobilenet_with_measured_statistics_passes(
    version: Version, make_network: Callable[[MobileNetSpec], MobileNet]
) -> None:
    """Positive control for the test above."""
    parity = judge_float32(make_network(MobileNetSpec(version, 0.35, 64, classes=CLASSES)))
    assert parity.problems == ()
    assert parity.outputs[0].dependence > 0.01


def judge_float32(network: MobileNet) -> Parity:
    """PyTorch's own float32 in the place of an artifact."""
    samples = make_samples(imagenet_preprocessing(network.spec), size=network.spec.resolution)
    reference = compute_reference(network, network.output_names, samples)
    return judge(reference, reference.yardsticks["float32"], [LOGITS], FLOAT32_TOLERANCE)


def test_a_reference_without_the_tolerances_yardstick_is_refused() -> None:
    """float16 answers are only computed where float16 is converted to."""
    reference = reference_of([np.arange(1, 11, dtype=np.float64)[None], np.arange(2, 12, dtype=np.float64)[None]])
    without = replace(reference, yardsticks={"float32": reference.yardsticks["float32"]})
    with pytest.raises(InputError, match=r"no answers of PyTorch in float16"):
        judge(without, list(reference.float64), [LOGITS], FLOAT16_TOLERANCE)
