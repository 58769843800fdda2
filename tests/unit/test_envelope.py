"""How far the numbers spread, on answers made up for it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray

from edgekit.envelope import Envelope
from edgekit.errors import InputError, UsageError
from edgekit.examination import Examiner, Finding, OperationError, Watcher, summarise
from edgekit.reference import Outputs, Reference
from edgekit.samples import Sample
from edgekit.spread import choose_arithmetics, measure_envelope, spread
from edgekit.target import FLOAT32_TOLERANCE, LoadJob, Runner, Target, TensorSpec

LOGITS = TensorSpec("logits", (1, 3), "float32", "NK")
MAP = TensorSpec("map", (1, 1, 1, 3), "float32", "NCHW")
TRUTH = [np.array([[100.0, 0.0, 0.0]]), np.array([[0.0, 100.0, 0.0]]), np.array([[0.0, 0.0, 100.0]])]
SAMPLES = tuple(
    Sample(name, "synthetic" if name == "noise" else "image", np.full((1, 1, 1, 1), i, np.float32))
    for i, name in enumerate(("cat", "dog", "noise"))
)


def answers(*rows: Sequence[float], name: str = "logits") -> tuple[Outputs, ...]:
    return tuple({name: np.array([row], np.float64).reshape(LOGITS.shape if name == "logits" else MAP.shape)} for row in rows)


def reference(name: str = "logits") -> Reference:
    truth = answers(*(row[0].tolist() for row in TRUTH), name=name)
    return Reference(SAMPLES, truth, {"float32": truth})


FINE = answers([100, 1, 0], [0, 100, 1], [1, 0, 100])  # 40 dB each
COARSE = answers([100, 10, 0], [0, 100, 1], [90, 0, 100])  # 20 dB on a picture; worse on noise, which does not count
WRONG = answers([1, 100, 0], [0, 100, 1], [1, 0, 100])


def test_the_worst_picture_counts() -> None:
    (row,) = spread(reference(), {"fine": FINE, "coarse": COARSE}, [LOGITS], FLOAT32_TOLERANCE)
    assert row.output == "logits"
    assert row.sqnr_db == pytest.approx({"fine": 40.0, "coarse": 20.0})
    assert row.lowest_db == pytest.approx(20)
    assert row.highest_db == pytest.approx(40)
    assert row.top1 == {"fine": 1.0, "coarse": 1.0}
    assert row.agreement == 1.0


def test_other_first_classes_are_counted() -> None:
    (row,) = spread(reference(), {"fine": FINE, "wrong": WRONG}, [LOGITS], FLOAT32_TOLERANCE)
    assert row.top1 == {"fine": 1.0, "wrong": 0.5}
    assert row.agreement == 0.5, "of two pictures; noise has no class"


@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan])
def test_what_is_not_finite_has_no_figure(value: float) -> None:
    broken = answers([100, value, 0], [0, 100, 1], [1, 0, 100])
    (row,) = spread(reference(), {"fine": FINE, "broken": broken}, [LOGITS], FLOAT32_TOLERANCE)
    assert row.sqnr_db["broken"] is None
    assert row.sqnr_db["fine"] == pytest.approx(40)
    assert row.lowest_db is None
    assert row.highest_db == pytest.approx(40)


def test_a_map_has_no_classes() -> None:
    given = answers([100, 1, 0], [0, 100, 1], [1, 0, 100], name="map")
    (row,) = spread(reference("map"), {"one": given, "two": given}, [MAP], FLOAT32_TOLERANCE)
    assert row.top1 == {"one": None, "two": None}
    assert row.agreement is None
    assert row.lowest_db == row.highest_db == pytest.approx(40)


FINDING = Finding("conv 'blocks_3_conv2d'", "blocks_3_conv", "infinite", "coarse", None, 65520.0, 3)


class FakeRunner:
    """Answers by the number that the input is; a Watcher where it has findings."""

    def __init__(self, rows: tuple[Outputs, ...]) -> None:
        self.rows = rows

    def infer(self, inputs: Mapping[str, NDArray[np.float32]]) -> Outputs:
        return self.rows[int(inputs["image"].item())]

    def __enter__(self) -> FakeRunner:
        return self

    def __exit__(self, *_: object) -> None:
        self.rows = ()


class WatchingRunner(FakeRunner):
    findings = (FINDING,)


class FakeExaminer:
    name = "fake"

    def arithmetics(self) -> Mapping[str, str]:
        return {"fine": "a fine one", "coarse": "a coarse one", "wrong": "not to be asked"}

    def load_as(self, job: LoadJob, arithmetic: str) -> Runner:
        if arithmetic == "wrong":
            raise InputError("this device does not take it")
        return cast("Runner", FakeRunner(FINE) if arithmetic == "fine" else WatchingRunner(COARSE))

    def judge_operations(self, job: LoadJob, samples: Sequence[Mapping[str, Any]]) -> tuple[OperationError, ...]:
        return ()


JOB = LoadJob(Path("model"), "float32", {}, (replace(LOGITS, name="image"),), (LOGITS,), 1)


def test_every_arithmetic_that_is_asked_for_is_run() -> None:
    examiner = FakeExaminer()
    assert isinstance(examiner, Examiner)
    assert isinstance(WatchingRunner(FINE), Watcher)
    assert not isinstance(FakeRunner(FINE), Watcher)
    envelope = measure_envelope(examiner, JOB, reference(), ("fine", "coarse"), FLOAT32_TOLERANCE)
    assert envelope.arithmetics == {"fine": "a fine one", "coarse": "a coarse one"}
    assert envelope.findings == (FINDING,)
    (row,) = envelope.outputs
    assert row.sqnr_db == pytest.approx({"fine": 40.0, "coarse": 20.0})
    assert msgspec.json.decode(msgspec.json.encode(envelope), type=Envelope) == envelope


def test_an_arithmetic_that_refuses_the_artifact_does_not_hide_the_others() -> None:
    envelope = measure_envelope(FakeExaminer(), JOB, reference(), ("wrong", "fine"), FLOAT32_TOLERANCE)
    assert envelope.refused == {"wrong": "this device does not take it"}
    assert list(envelope.arithmetics) == ["fine"]
    assert measure_envelope(FakeExaminer(), JOB, reference(), ("wrong",), FLOAT32_TOLERANCE).outputs == ()


def test_arithmetics_are_chosen_by_name() -> None:
    target = cast("Target", FakeExaminer())
    assert choose_arithmetics(target, ["coarse", "fine", "coarse"]) == ("coarse", "fine")
    assert choose_arithmetics(target, ["coarse", "all"]) == ("fine", "coarse", "wrong")
    with pytest.raises(UsageError, match=r"target fake has no arithmetic quick\. It has: fine, coarse, wrong; or all"):
        choose_arithmetics(target, ["fine", "quick"])


def test_a_target_of_one_arithmetic_says_so() -> None:
    class Plain:
        name = "plain"

    with pytest.raises(UsageError, match="target plain computes an artifact in its runtime's own arithmetic and no other"):
        choose_arithmetics(cast("Target", Plain()), ["all"])


def test_findings_are_sentences() -> None:
    assert str(FINDING) == (
        "coarse: conv 'blocks_3_conv2d' (module blocks_3_conv): a result is infinite, and its operands are finite, "
        "in 3 inferences"
    )
    near = Finding("linear 'linear_0'", "", "near the limit", "neural-engine", 20000.0, 32768.0, 1)
    assert str(near) == "neural-engine: linear 'linear_0': a sum reaches 20000, and 32768 would be infinite, in 1 inference"


def test_operators_in_one_sentence() -> None:
    def error(name: str, unit: Any, at_peak: float | None) -> OperationError:
        return OperationError(name, "y", "", "int8" if unit == "step" else "float16", unit, at_peak, at_peak)

    rows = [error("conv 'a'", "ulp", 0.3), error("conv 'b'", "ulp", 0.52), error("quantize 'c'", "step", 1.0)]
    said = summarise(rows)
    assert "0.52 last places of the largest value of its result (conv 'b') and 1 steps of an integer (quantize 'c')" in said
    assert "conv 'd' and 0 more operators are not finite" in summarise([*rows, error("conv 'd'", "ulp", None)])
