"""What changed between two runs, cell by cell, and how much of that is proven.

Two runs were not timed in turns: see `edgekit.latency.comparison` for what that would take away. So little is said of latency:
only of the same machine, without doubts on either side, and beyond what launches of one artifact differ by anyway.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Literal

from edgekit.accuracy import Accuracy, drop
from edgekit.latency import Latency
from edgekit.machine import Machine
from edgekit.matrix.record import CellResult, GoalResult
from edgekit.parity import Parity
from edgekit.report import Report, Status

Verdict = Literal["better", "worse", "same", "faster", "slower", "unproven", "none"]
Presence = Literal["both", "new", "gone"]

LAUNCH_RATIO = 1.35
"""Ratio of two medians that launches of one artifact reach without a reason: docs/explanation/latency.md has how it was found."""
LAUNCH_MS = 0.1
"""Difference of two medians that they reach, however small the model is: likewise."""
NOTABLE_DB = 3.0103
"""Of SQNR: twice the error's energy. Less is what other kernels for the same arithmetic make of it."""
NOTABLE_SIZE = 0.01
"""Part of the size."""

_OUTCOMES: Sequence[Status] = ("failed", "skipped", "converted", "passed")  # from worst to best
_GOALS = ("missed", "not judged", "met")


@dataclass(frozen=True, slots=True)
class Difference:
    """One property of a cell, before and after.

    Attributes:
        old: figure, or word; None where there is none.
        new: likewise.
        verdict: on the new one; "none" where there is nothing to compare.
        reason: why it is unproven, or what to know beside the verdict; empty where nothing is.
    """

    old: float | str | None
    new: float | str | None
    verdict: Verdict
    reason: str = ""


@dataclass(frozen=True, slots=True)
class CellChange:
    """One cell in two runs.

    Attributes:
        name: of the cell.
        presence: whether both runs have it.
        is_same_artifact: nothing that it depends on has changed, or the same files ran in the same version of the runtime.
        outcome: passed, converted, skipped, failed.
        parity: SQNR against PyTorch in dB, the worst of all outputs.
        accuracy: top-1, in percent.
        size: in bytes.
        latency: median, in ms.
        goals: by name, those that one of both runs has.
        worse: what got worse in a way that is proven, in words; empty where nothing did.
    """

    name: str
    presence: Presence
    is_same_artifact: bool
    outcome: Difference
    parity: Difference
    accuracy: Difference
    size: Difference
    latency: Difference
    goals: Mapping[str, Difference]
    worse: tuple[str, ...]


def compare_runs(old: Sequence[CellResult], new: Sequence[CellResult]) -> tuple[CellChange, ...]:
    """Compare all cells of two runs by their names: the new run's order, then what is gone."""
    before = {cell.name: cell for cell in old}
    after = {cell.name: cell for cell in new}
    changes = [compare_cells(before.get(name), cell) for name, cell in after.items()]
    return (*changes, *(compare_cells(cell, None) for name, cell in before.items() if name not in after))


def compare_cells(old: CellResult | None, new: CellResult | None) -> CellChange:
    """Compare one cell; None where a run does not have it.

    Raises:
        ValueError: neither has it.
    """
    cell = new or old
    if cell is None:
        raise ValueError("a cell of neither run")
    before, after = (each.report if each else None for each in (old, new))
    is_same = old is not None and new is not None and _is_same_artifact(old, new)
    outcome = _outcome(old, new)
    parity = _parity(before.parity if before else None, after.parity if after else None)
    accuracy = _accuracy(before.accuracy if before else None, after.accuracy if after else None)
    size = _size(before.size_bytes if before else None, after.size_bytes if after else None)
    latency = _latency(before, after, is_same=is_same)
    goals = _goals(old.goals if old else (), new.goals if new else ())
    presence: Presence = "both" if old and new else "new" if new else "gone"
    worse = _worse(outcome, accuracy, size, latency, goals) if presence == "both" else ()
    return CellChange(cell.name, presence, is_same, outcome, parity, accuracy, size, latency, goals, worse)


def _worse(
    outcome: Difference, accuracy: Difference, size: Difference, latency: Difference, goals: Mapping[str, Difference]
) -> tuple[str, ...]:
    found = []
    if outcome.verdict == "worse":
        found.append(f"{outcome.new} after {outcome.old}")
    found += [f"the goal {name} is newly {goal.new}" for name, goal in goals.items() if goal.verdict == "worse"]
    if accuracy.verdict == "worse":
        found.append(f"top-1 {accuracy.new:.2f} % after {accuracy.old:.2f} %")
    if size.verdict == "worse":
        found.append(f"{size.new} bytes after {size.old}")
    if latency.verdict == "slower":
        found.append(f"p50 {latency.new:.3g} ms after {latency.old:.3g} ms")
    return tuple(found)


def _is_same_artifact(old: CellResult, new: CellResult) -> bool:
    if old.key and old.key == new.key:
        return True
    before, after = old.report, new.report
    if not (before and after and before.files and before.runtime and after.runtime):
        return False
    same_files = {(file.path, file.sha256) for file in before.files} == {(file.path, file.sha256) for file in after.files}
    runtimes = [(runtime.runtime, runtime.version) for runtime in (before.runtime, after.runtime)]
    return same_files and runtimes[0] == runtimes[1]


def _outcome(old: CellResult | None, new: CellResult | None) -> Difference:
    words = (old.outcome if old else None, new.outcome if new else None)
    if not old or not new:
        return Difference(*words, "none")
    for cell in (old, new):
        if cell.outcome == "skipped" and cell.exit_code == 0:
            return Difference(*words, "none", f"left out: {cell.reason}")
    before, after = _OUTCOMES.index(old.outcome), _OUTCOMES.index(new.outcome)
    return Difference(*words, "same" if before == after else "better" if after > before else "worse", new.reason)


def _goals(old: Sequence[GoalResult], new: Sequence[GoalResult]) -> dict[str, Difference]:
    """A goal that is asked for only now and is missed is newly missed, too; one that nobody asks for any more is none."""
    before, after = {goal.name: goal for goal in old}, {goal.name: goal for goal in new}
    found = {}
    for name, goal in after.items():
        was = before.get(name)
        if goal.verdict == "missed":
            verdict: Verdict = "same" if was and was.verdict == "missed" else "worse"
        elif was is None or was.verdict == goal.verdict:
            verdict = "same" if was else "none"
        else:
            verdict = "better" if _GOALS.index(goal.verdict) > _GOALS.index(was.verdict) else "unproven"
        changed = f"the limit was {was.limit:g} and is {goal.limit:g}" if was and was.limit != goal.limit else ""
        found[name] = Difference(was.verdict if was else None, goal.verdict, verdict, goal.reason or changed)
    return found | {name: Difference(goal.verdict, None, "none") for name, goal in before.items() if name not in after}


def _parity(old: Parity | None, new: Parity | None) -> Difference:
    before, after = (parity.worst_sqnr_db if parity else None for parity in (old, new))
    if old is None or new is None or before is None or after is None:
        return Difference(before, after, "none")
    if _pictures(old) != _pictures(new):
        return Difference(before, after, "unproven", "judged on other pictures")
    if abs(after - before) < NOTABLE_DB:
        return Difference(before, after, "same")
    return Difference(before, after, "better" if after > before else "worse")


def _pictures(parity: Parity) -> set[str]:
    return {sample.sample for output in parity.outputs for sample in output.samples}


def _accuracy(old: Accuracy | None, new: Accuracy | None) -> Difference:
    """Judge by the widest paired interval that both runs' counts allow.

    Which pictures the old and the new artifact are right on together is not kept. Where they differ, one of them differs from the
    float model, too: so the old one alone is right on no more than the new one lost and the old one gained.
    """
    before, after = (100 * each.top1.value if each else None for each in (old, new))
    if old is None or new is None:
        return Difference(before, after, "none")
    if not (_is_count(old) and _is_count(new)):
        return Difference(before, after, "unproven", "no count of pictures gives such figures")
    if old.count != new.count or _float_hits(old) != _float_hits(new):
        return Difference(before, after, "unproven", "other pictures, or another float model: there is nothing to pair")
    if (old.top1.value, old.lost, old.gained) == (new.top1.value, new.lost, new.gained):
        return Difference(before, after, "same")
    fall = drop(new.lost + old.gained, new.gained + old.lost, old.count)
    if fall.low <= 0 <= fall.high:
        return Difference(before, after, "unproven", f"too few of {old.count} pictures tell them apart")
    return Difference(before, after, "worse" if fall.low > 0 else "better")


def _is_count(accuracy: Accuracy) -> bool:
    """Whether somebody may have counted this: a file can say anything."""
    parts = (accuracy.top1.value * accuracy.count, accuracy.lost, accuracy.gained)
    return accuracy.count > 0 and all(0 <= part <= accuracy.count for part in parts)


def _float_hits(accuracy: Accuracy) -> int:
    return round(accuracy.top1.value * accuracy.count) + accuracy.lost - accuracy.gained


def _size(old: int | None, new: int | None) -> Difference:
    if old is None or new is None:
        return Difference(old, new, "none")
    if abs(new - old) <= NOTABLE_SIZE * old:
        return Difference(old, new, "same")
    return Difference(old, new, "worse" if new > old else "better")


def _latency(old: Report | None, new: Report | None, *, is_same: bool) -> Difference:
    before, after = (report.latency if report else None for report in (old, new))
    figures = _median_ms(before), _median_ms(after)
    if before is None or after is None:
        return Difference(*figures, "none")
    if before == after:
        return Difference(*figures, "same", "it was not timed again")
    if why := _incomparable(before, after):
        return Difference(*figures, "unproven", why)
    slow, fast = sorted((after, before), key=lambda latency: statistics.median(latency.samples_ns), reverse=True)
    slow_ns, fast_ns = (statistics.median(latency.samples_ns) for latency in (slow, fast))
    if slow_ns <= LAUNCH_RATIO * fast_ns or slow_ns - fast_ns <= LAUNCH_MS * 1e6:
        if is_same:
            return Difference(*figures, "same", "the artifact is the same")
        return Difference(*figures, "unproven", f"launches of one artifact differ by {LAUNCH_RATIO - 1:.0%}, or {LAUNCH_MS} ms")
    if _quartiles(slow)[0] <= _quartiles(fast)[2]:
        return Difference(*figures, "unproven", "the middle halves of the samples overlap")
    beside = "the artifact is the same: it is the machine, or what runs there" if is_same else ""
    return Difference(*figures, "slower" if slow is after else "faster", beside)


def _incomparable(old: Latency, new: Latency) -> str:
    """Why two latencies say nothing about each other; empty where they may."""
    if old.machine is None or new.machine is None:
        return "it is not known on which machine"
    if differing := _differing(old.machine, new.machine):
        return f"not the same machine: {differing}"
    if old.num_threads != new.num_threads:
        return f"{old.num_threads} threads before, {new.num_threads} now"
    if len(old.affinity) != len(new.affinity):
        return f"{len(old.affinity)} cores to run on before, {len(new.affinity)} now"
    for word, latency in (("before", old), ("now", new)):
        if latency.doubts:
            return f"too noisy {word}: {'; '.join(latency.doubts)}"
        if len(latency.samples_ns) < 2 or min(latency.samples_ns) <= 0:
            return f"no samples {word}"
    return ""


def _differing(old: Machine, new: Machine) -> str:
    """The first thing in which two machines differ; Python's version is none that a runtime sees."""
    for field in fields(Machine):
        before, after = getattr(old, field.name), getattr(new, field.name)
        if field.name != "python" and before != after:
            return f"{field.name.replace('_', ' ')} {_told(before)} before, {_told(after)} now"
    return ""


def _told(value: object) -> str:
    return " ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _median_ms(latency: Latency | None) -> float | None:
    return statistics.median(latency.samples_ns) / 1e6 if latency and latency.samples_ns else None


def _quartiles(latency: Latency) -> list[float]:
    return statistics.quantiles(latency.samples_ns, n=4, method="inclusive")
