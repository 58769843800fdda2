"""What changed between two runs, on runs whose truth is known."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import pytest

from edgekit.accuracy import Accuracy, Share, drop, share
from edgekit.document import FileRecord, write_json
from edgekit.errors import InputError
from edgekit.latency import Latency
from edgekit.machine import Machine
from edgekit.matrix.change import CellChange, compare_cells, compare_runs
from edgekit.matrix.pace import LAUNCH_RATIO
from edgekit.matrix.record import CellResult, GoalResult, MatrixReport
from edgekit.matrix.source import read_source
from edgekit.parity import OutputParity, Parity, SampleParity
from edgekit.report import Report
from edgekit.target import FLOAT32_TOLERANCE, RuntimeInfo

HERE = Machine("Linux-6.1", "x86_64", "a processor", 2, 2**33, ("avx2",), "3.11.9")
MAC = Machine("Darwin-25", "arm64", "Apple M4", 8, 2**34, ("asimd",), "3.11.9")
NAME = "digits-onnx-float32"


def latency(p50_ms: float = 2.0, *, machine: Machine | None = HERE, doubts: tuple[str, ...] = (), seed: int = 1) -> Latency:
    rng = random.Random(seed)
    samples = tuple(round(1e6 * p50_ms * rng.uniform(0.98, 1.02)) for _ in range(100))
    times = (1.0, 3.0, 10, p50_ms, p50_ms, p50_ms, p50_ms, p50_ms, 0.01, p50_ms)
    return Latency(*times, 1, 10**8, 10**7, 0.1, doubts, samples, machine, (0, 1), 0.0)


def parity(sqnr_db: float = 100.0, *, pictures: tuple[str, ...] = ("0.png", "1.png")) -> Parity:
    samples = tuple(SampleParity(name, "image", 0.0, 0.0, 0.0, sqnr_db, 1.0, True, 1.0, {}) for name in pictures)
    output = OutputParity("logits", 0.0, 0.0, 0.0, sqnr_db, sqnr_db, 1.0, 1.0, 1.0, {}, 1.0, (), samples)
    return Parity(True, FLOAT32_TOLERANCE, (output,))


def accuracy(hits: int, lost: int, gained: int, count: int = 1000) -> Accuracy:
    return Accuracy(
        count, share(hits, count), share(count, count), share(count - lost, count), lost, gained, drop(lost, gained, count)
    )


def cell(report: Report | None = None, **changed: object) -> CellResult:
    made = report or Report(
        "digits",
        "onnx",
        "float32",
        "passed",
        HERE,
        size_bytes=1_000_000,
        runtime=RuntimeInfo("onnxruntime", "1.31", "CPU", "float32"),
        parity=parity(),
        latency=latency(),
        files=(FileRecord("model.onnx", 1_000_000, "ab" * 32),),
        accuracy=accuracy(950, 10, 10),
    )
    first = CellResult(NAME, "digits", None, "onnx", "float32", "aa", "passed", "", 0, False, (), made)
    return replace(first, **changed)  # type: ignore[arg-type]  # the fields' names are checked by replace


def with_report(before: CellResult, key: str = "bb", **changed: object) -> CellResult:
    """The cell of an artifact that was made anew, with another report."""
    assert before.report
    report = replace(before.report, **changed)  # type: ignore[arg-type]  # fields by name
    if "files" not in changed:
        report = replace(report, files=(FileRecord("model.onnx", 1_000_000, f"{key}" * 32),))
    return replace(before, key=key, report=report)


def timed(p50_ms: float, **how: object) -> CellChange:
    # arguments by name: mypy cannot know
    return compare_cells(cell(), with_report(cell(), latency=latency(p50_ms, **how)))  # type: ignore[arg-type]


def test_a_copy_is_the_same_and_not_worse() -> None:
    change = compare_cells(cell(), cell())
    assert change.is_same_artifact
    found = [change.outcome, change.parity, change.accuracy, change.size, change.latency]
    assert [each.verdict for each in found] == ["same"] * 5
    assert change.worse == ()


def test_samples_one_and_a_half_times_as_long_are_slower() -> None:
    before = cell()
    assert before.report
    assert before.report.latency
    longer = tuple(round(1.5 * sample) for sample in before.report.latency.samples_ns)
    slower = with_report(before, latency=replace(before.report.latency, samples_ns=longer))
    change = compare_cells(before, slower)
    assert (change.latency.verdict, change.latency.reason) == ("slower", "")
    assert change.worse == ("p50 3 ms after 2 ms",)
    back = compare_cells(slower, before)
    assert back.latency.verdict == "faster"
    assert back.worse == ()


def test_a_tenth_of_a_millisecond_is_unproven_however_much_of_a_tiny_model_that_is() -> None:
    def verdict(p50_ms: float) -> str:
        tiny = with_report(cell(), latency=latency(0.1))
        return compare_cells(tiny, with_report(cell(), "cc", latency=latency(p50_ms))).latency.verdict

    assert verdict(0.19) == "unproven"
    assert verdict(0.22) == "slower"


def test_the_same_artifact_that_is_slower_tells_of_the_machine() -> None:
    before = cell()
    assert before.report
    after = replace(before, report=replace(before.report, latency=latency(4.0)))
    change = compare_cells(before, after)
    assert change.latency.verdict == "slower"
    assert "it is the machine" in change.latency.reason


@pytest.mark.parametrize(
    ("p50_ms", "how", "reason"),
    [
        (2.0, {"seed": 2}, "launches of one artifact"),
        (2.0 * (LAUNCH_RATIO - 0.01), {"seed": 2}, "launches of one artifact"),
        (2.0 / (LAUNCH_RATIO - 0.01), {"seed": 2}, "launches of one artifact"),
        (4.0, {"machine": MAC}, "not the same machine: system Linux-6.1 before, Darwin-25 now"),
        (4.0, {"machine": replace(HERE, instruction_sets=("avx2", "avx512f"))}, "instruction sets avx2 before, avx2 avx512f"),
        (4.0, {"machine": None}, "not known on which machine"),
        (4.0, {"doubts": ("a neighbour",)}, "too noisy now: a neighbour"),
    ],
)
def test_latency_is_unproven_where_two_runs_cannot_tell(p50_ms: float, how: dict[str, object], reason: str) -> None:
    change = timed(p50_ms, **how)
    assert change.latency.verdict == "unproven"
    assert reason in change.latency.reason
    assert change.worse == ()
    assert timed(4.0).worse  # the control: only the reason keeps it from being slower


def test_other_threads_and_wide_samples_are_unproven() -> None:
    change = compare_cells(cell(), with_report(cell(), latency=replace(latency(4.0), num_threads=2)))
    assert "1 threads before, 2 now" in change.latency.reason
    rng = random.Random(5)
    wide = tuple(round(rng.choice((1.9e6, 3.1e6, 3.2e6)) * rng.uniform(0.99, 1.01)) for _ in range(100))
    change = compare_cells(cell(), with_report(cell(), latency=replace(latency(3.1), samples_ns=wide)))
    assert (change.latency.verdict, change.latency.reason) == ("unproven", "the middle halves of the samples overlap")


def test_another_python_is_the_same_machine() -> None:
    assert timed(4.0, machine=replace(HERE, python="3.11.10")).latency.verdict == "slower"


@pytest.mark.parametrize(
    ("new", "verdict", "is_worse"),
    [
        (accuracy(850, 110, 10), "worse", True),
        (accuracy(940, 20, 10), "unproven", False),
        (accuracy(950, 10, 10), "same", False),
        (accuracy(960, 0, 10, 1000), "unproven", False),
        (accuracy(85, 11, 1, 100), "unproven", False),  # other pictures
        (accuracy(850, 10, 10), "unproven", False),  # another float model
    ],
)
def test_accuracy_is_judged_by_the_widest_paired_interval(new: Accuracy, verdict: str, is_worse: bool) -> None:
    change = compare_cells(cell(), with_report(cell(), accuracy=new))
    assert change.accuracy.verdict == verdict
    assert bool(change.worse) is is_worse


@pytest.mark.parametrize(
    "wrong",
    [
        replace(accuracy(950, 10, 10), count=-2),
        replace(accuracy(950, 10, 10), count=0),
        replace(accuracy(950, 10, 10), lost=10**9),
        replace(accuracy(950, 10, 10), top1=Share(1e308, 0.0, 1.0)),
    ],
)
def test_figures_that_nobody_counted_prove_nothing(wrong: Accuracy) -> None:
    for old, new in ((cell(), with_report(cell(), accuracy=wrong)), (with_report(cell(), accuracy=wrong), cell())):
        assert compare_cells(old, new).accuracy.verdict == "unproven"


def test_accuracy_proven_better() -> None:
    assert compare_cells(with_report(cell(), accuracy=accuracy(850, 110, 10)), cell()).accuracy.verdict == "better"


def test_the_paired_bound_covers_whatever_the_pairs_were() -> None:
    """The pairs are not in the reports. Drawn at random, none of them proves more than the bound says."""
    rng = random.Random(7)
    proven = 0
    for _ in range(300):
        count = 200
        right = [[rng.random() < share_of for _ in range(count)] for share_of in (0.9, rng.uniform(0.7, 0.95), 0.85)]
        float_right, old_right, new_right = right
        made = []
        for each in (old_right, new_right):
            lost = sum(a and not b for a, b in zip(float_right, each, strict=True))
            gained = sum(b and not a for a, b in zip(float_right, each, strict=True))
            made.append(accuracy(sum(each), lost, gained, count))
        old_only = sum(a and not b for a, b in zip(old_right, new_right, strict=True))
        new_only = sum(b and not a for a, b in zip(old_right, new_right, strict=True))
        truth = drop(old_only, new_only, count)
        change = compare_cells(
            with_report(cell(), key="cc", accuracy=made[0]), with_report(cell(), key="dd", accuracy=made[1])
        ).accuracy
        assert change.verdict != "worse" or truth.low > 0
        assert change.verdict != "better" or truth.high < 0
        proven += change.verdict in ("worse", "better")
    assert proven > 10


@pytest.mark.parametrize(
    ("size_bytes", "verdict"), [(1_010_000, "same"), (1_011_000, "worse"), (989_000, "better"), (990_000, "same")]
)
def test_size_by_one_percent(size_bytes: int, verdict: str) -> None:
    change = compare_cells(cell(), with_report(cell(), size_bytes=size_bytes))
    assert change.size.verdict == verdict
    assert bool(change.worse) is (verdict == "worse")


def test_parity_by_twice_the_error_and_on_the_same_pictures() -> None:
    def verdict(after: Parity) -> str:
        return compare_cells(cell(), with_report(cell(), parity=after)).parity.verdict

    assert verdict(parity(97.5)) == "same"
    assert verdict(parity(96.5)) == "worse"
    assert verdict(parity(104.0)) == "better"
    assert verdict(parity(50.0, pictures=("other.png",))) == "unproven"


@pytest.mark.parametrize(
    ("old", "new", "verdict"),
    [
        ("passed", "failed", "worse"),
        ("passed", "converted", "worse"),
        ("failed", "passed", "better"),
        ("failed", "skipped", "better"),
        ("skipped", "skipped", "same"),
    ],
)
def test_outcomes_are_ordered(old: str, new: str, verdict: str) -> None:
    codes = {"passed": 0, "converted": 3, "failed": 1, "skipped": 3}
    change = compare_cells(cell(outcome=old, exit_code=codes[old]), cell(outcome=new, exit_code=codes[new], reason="why"))
    assert change.outcome.verdict == verdict
    assert bool(change.worse) is (verdict == "worse")


def test_what_was_left_out_on_purpose_is_not_worse() -> None:
    change = compare_cells(cell(), cell(outcome="skipped", exit_code=0, reason="--only *-openvino-*", report=None))
    assert (change.outcome.verdict, change.outcome.reason) == ("none", "left out: --only *-openvino-*")
    assert change.worse == ()


def goal(verdict: str, limit: float = 1.0) -> GoalResult:
    return GoalResult("max_size_mb", limit, 1.0, verdict)  # type: ignore[arg-type]  # one of the words


@pytest.mark.parametrize(
    ("old", "new", "verdict"),
    [
        (goal("met"), goal("missed", 0.5), "worse"),
        (None, goal("missed"), "worse"),
        (goal("not judged"), goal("missed"), "worse"),
        (goal("missed"), goal("missed"), "same"),
        (goal("missed"), goal("met"), "better"),
        (goal("met"), goal("not judged"), "unproven"),
        (None, goal("met"), "none"),
        (goal("missed"), None, "none"),
    ],
)
def test_goals_newly_missed_are_worse(old: GoalResult | None, new: GoalResult | None, verdict: str) -> None:
    before, after = (cell(goals=(each,) if each else ()) for each in (old, new))
    change = compare_cells(before, after)
    assert change.goals["max_size_mb"].verdict == verdict
    assert bool(change.worse) is (verdict == "worse")


def test_new_and_gone_cells_are_said_and_never_worse() -> None:
    other = replace(cell(outcome="failed", exit_code=1), name="digits-openvino-float32")
    changes = compare_runs([cell()], [other])
    assert [(change.name, change.presence) for change in changes] == [(other.name, "new"), (NAME, "gone")]
    assert not any(change.worse for change in changes)


def test_the_same_files_in_another_runtime_are_another_artifact() -> None:
    before = replace(cell(), key="")
    assert before.report
    assert compare_cells(before, before).is_same_artifact
    newer = replace(before.report, runtime=RuntimeInfo("onnxruntime", "1.32", "CPU", "float32"))
    assert not compare_cells(before, replace(before, report=newer)).is_same_artifact


def matrix(*cells: CellResult) -> MatrixReport:
    return MatrixReport("0.1", HERE, cells, 1.0)


def test_what_was_written_is_read(tmp_path: Path) -> None:
    write_json(tmp_path / "matrix.json", matrix(cell()))
    for path in (tmp_path, tmp_path / "matrix.json"):
        assert read_source(path).cells == (cell(),)
    single = cell()
    assert single.report
    (tmp_path / "artifact").mkdir()
    write_json(tmp_path / "artifact" / "report.json", single.report)
    found = read_source(tmp_path / "artifact")
    assert found.is_artifact
    assert found.cells[0].report == single.report


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"cells": [', "broken"),
        ('{"cells": 3, "schema_version": 1}', "broken"),
        ('{"cells": [], "schema_version": 99}', "schema version 99"),
        ("[" * 100_000 + '"cells"', "broken"),
        ("", "broken"),
        ("\x00\xff", "broken"),
    ],
)
def test_broken_files_are_said_to_be(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "matrix.json").write_text(content, "latin-1")
    with pytest.raises(InputError, match=message):
        read_source(tmp_path)


@pytest.mark.parametrize("name", ["..", "", "a/b", "..\\b", "a\x1bb"])
def test_a_cells_name_is_a_folders(tmp_path: Path, name: str) -> None:
    write_json(tmp_path / "matrix.json", matrix(replace(cell(), name=name)))
    with pytest.raises(InputError, match="no folder's name"):
        read_source(tmp_path)
    write_json(tmp_path / "matrix.json", matrix(cell(), cell()))
    with pytest.raises(InputError, match="2 cells are called"):
        read_source(tmp_path)


def test_nothing_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"neither matrix\.json nor report\.json"):
        read_source(tmp_path)
    with pytest.raises(InputError, match="cannot read"):
        read_source(tmp_path / "none.json")
