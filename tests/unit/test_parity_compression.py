"""What compressed weights cost, apart from what the target adds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from edgekit.errors import InputError
from edgekit.judge import judge, judge_compression
from edgekit.reference import Reference
from edgekit.samples import Sample
from edgekit.target import FLOAT16_TOLERANCE, TensorSpec

Array = NDArray[np.floating]
LOGITS = TensorSpec("logits", (1, 12), "float32", "NK")


def with_error(expected: Array, db: float) -> Array:
    """The same with an error whose energy is `db` below the signal's."""
    error = np.random.default_rng(99).standard_normal(expected.shape)
    return np.asarray(expected + error * np.linalg.norm(expected) / np.linalg.norm(error) * 10 ** (-db / 20))


def reference_of(expected: Sequence[Array], *, synthetic: int) -> Reference:
    """Samples are images but for the last `synthetic`; PyTorch's own float16 is 50 dB from float64."""
    count = len(expected)
    image = np.zeros((1, 1, 1, 1), np.float32)
    samples = tuple(Sample(f"s{i}", "image" if i < count - synthetic else "synthetic", image) for i in range(count))
    yardstick = tuple({"logits": with_error(answer, 50)} for answer in expected)
    return Reference(samples, tuple({"logits": answer} for answer in expected), {"float16": yardstick})


def compressed_reference(db: float, *, synthetic: int = 0) -> Reference:
    """With the answers of a network whose weights of "palettized-4" cost so much on every sample."""
    expected = [np.random.default_rng(seed).standard_normal((1, 12)) for seed in range(4)]
    compressed = reference_of([with_error(answer, db) for answer in expected], synthetic=synthetic)
    return replace(reference_of(expected, synthetic=synthetic), approximate={"palettized-4": compressed})


def test_compression_costs_what_the_compressed_network_differs() -> None:
    compression = judge_compression(compressed_reference(23.0), "palettized-4")
    assert compression is not None
    assert compression.sqnr_db == pytest.approx(23.0)
    assert compression.top1 == 1.0
    assert compression.problem == ""
    assert judge_compression(compressed_reference(23.0), "float16") is None


def test_compression_is_judged_on_all_images_together_and_on_no_other_input() -> None:
    reference = compressed_reference(30.0, synthetic=1)
    before = [answer["logits"] for answer in reference.float64]
    after = [answer["logits"] for answer in reference.approximate["palettized-4"].float64]
    after[0] = before[1]  # 0 dB or less, and another first class
    after[3] = before[3] + 1e6  # synthetic
    changed = replace(reference, approximate={"palettized-4": reference_of(after, synthetic=1)})
    compression = judge_compression(changed, "palettized-4")
    assert compression is not None
    signal, noise = (sum(float((each**2).sum()) for each in rows) for rows in (before[:3], np.subtract(after, before)[:3]))
    assert compression.sqnr_db == pytest.approx(10 * math.log10(signal / noise))
    assert compression.top1 == pytest.approx(2 / 3)


def test_what_the_target_adds_is_told_apart() -> None:
    reference = compressed_reference(23.0)
    answers = [{"logits": with_error(answer["logits"], 15.0).astype(np.float32)} for answer in reference.float64]
    compression = judge_compression(reference, "palettized-4", answers)
    assert compression is not None
    assert compression.sqnr_db == pytest.approx(23.0)
    assert compression.artifact_sqnr_db == pytest.approx(15.0, abs=1e-3)
    probabilities = [{"probabilities": answer["logits"]} for answer in answers]
    other = judge_compression(reference, "palettized-4", probabilities)
    assert other is not None
    assert other.artifact_sqnr_db is None


def test_an_artifact_of_a_network_that_compression_ruined_fails_though_it_is_that_network() -> None:
    reference = compressed_reference(9.9)
    compression = judge_compression(reference, "palettized-4")
    compressed = reference.of("palettized-4")
    parity = judge(compressed, compressed.float64, [LOGITS], FLOAT16_TOLERANCE, compression)
    assert not parity.passed
    (problem,) = parity.problems
    assert problem.startswith("palettized-4 leaves 9.9 dB SQNR of the trained network, and ")
    assert judge(compressed, compressed.float64, [LOGITS], FLOAT16_TOLERANCE).passed


def test_an_artifact_is_judged_against_the_network_that_has_its_weights() -> None:
    reference = compressed_reference(15.0)
    right, wrong = reference.approximate["palettized-4"].float64, reference.float64
    assert judge(reference.of("palettized-4"), right, [LOGITS], FLOAT16_TOLERANCE).passed
    assert not judge(reference.of("palettized-4"), wrong, [LOGITS], FLOAT16_TOLERANCE).passed
    assert reference.of("float16") is reference
    with pytest.raises(InputError, match=r"no answers of the network in int8-weights"):
        reference.of("int8-weights")


@pytest.mark.parametrize(("max_yardstick_db", "limit_db"), [(30, 24), (60, 44)])
def test_a_yardstick_that_is_luckily_good_counts_as_no_better_than_is_usual(max_yardstick_db: float, limit_db: float) -> None:
    """Two correct runtimes of an int8 program are 27 to 37 dB apart, or not at all. The yardstick here has 50 dB."""
    limits = {"max_loss_db": 6.0, "min_sqnr_db": 12.0, "max_peak_error": 1e9}
    tolerance = replace(FLOAT16_TOLERANCE, **limits, max_yardstick_db=max_yardstick_db)  # type: ignore[arg-type]  # all numbers
    expected = [np.random.default_rng(seed).standard_normal((1, 12)) for seed in range(3)]
    for actual_db, passes in ((limit_db + 0.1, True), (limit_db - 0.1, False)):
        answers = [{"logits": with_error(answer, actual_db)} for answer in expected]
        assert judge(reference_of(expected, synthetic=0), answers, [LOGITS], tolerance).passed is passes
