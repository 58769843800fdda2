"""What changed between two runs, cell by cell, and how much of that is proven."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from edgekit.accuracy import Accuracy, drop
from edgekit.matrix.difference import Difference, Verdict
from edgekit.matrix.pace import judge_latency
from edgekit.matrix.record import CellResult, GoalResult
from edgekit.parity import Parity
from edgekit.report import Status

Presence = Literal["both", "new", "gone"]

NOTABLE_DB = 3.0103
"""Of SQNR: twice the error's energy. Less is what other kernels for the same arithmetic make of it."""
NOTABLE_SIZE = 0.01
"""Part of the size."""

_OUTCOMES: Sequence[Status] = ("failed", "skipped", "converted", "passed")  # from worst to best
_GOALS = ("missed", "not judged", "met")


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
    latency = judge_latency(before.latency if before else None, after.latency if after else None, is_same_artifact=is_same)
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
