"""Reports of two machines about the same files."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from edgekit.document import FileRecord, write_json
from edgekit.envelope import Envelope
from edgekit.errors import InputError, UsageError
from edgekit.examination import Finding
from edgekit.latency import Latency, LatencyPlan, measure
from edgekit.machine import Machine
from edgekit.merge import merge, read_report
from edgekit.parity import Parity
from edgekit.profile import OpProfile, summarise
from edgekit.report import Problem, Report, RuntimeKind
from edgekit.target import FLOAT16_TOLERANCE, RuntimeInfo

FILES = (FileRecord("model.mlpackage/Manifest.json", 5, "ab" * 32), FileRecord("model.mlpackage/weight.bin", 9, "cd" * 32))
RUNTIMES = {
    "native": RuntimeInfo("Core ML", "macOS 26", "ALL", "float16"),
    "reference": RuntimeInfo("reference runtime", "0.1", "CPU", "float16", kind="reference"),
}


def machine(system: str) -> Machine:
    return Machine(system, "arm64", "a processor", 8, 2**33, (), "3.11")


def report(kind: RuntimeKind, *, passed: bool = True, system: str = "") -> Report:
    parity = Parity(passed, FLOAT16_TOLERANCE, ())
    problem = None if passed else Problem("parity", "NegativeResult", "20 dB is below the limit")
    system = system or {"native": "Darwin-25", "reference": "Linux-6"}[kind]
    return Report(
        "digits",
        "coreml",
        "float16",
        "passed" if passed else "failed",
        machine(system),
        runtime=RUNTIMES[kind],
        parity=parity,
        problem=problem,
        asked=kind,
        files=FILES,
    )


def merged(tmp_path: Path, *reports: Report) -> Report:
    paths = [tmp_path / f"{number}.json" for number in range(len(reports))]
    for path, each in zip(paths, reports, strict=True):
        write_json(path, each)
    return merge(paths)


@pytest.mark.parametrize("is_timed_there", [True, False])
def test_a_board_keeps_its_own_latency_and_takes_no_other(tmp_path: Path, is_timed_there: bool) -> None:
    """`edgekit verify --device` leaves a report without a latency; the one of this machine then stays this machine's."""
    latency = measure(lambda: lambda: None, num_threads=1, plan=LatencyPlan(20, 0.01, 0.01))
    there = replace(report("native"), board="kitchen")
    here = replace(report("reference"), latency=replace(latency, machine=machine("Linux-6")))
    if is_timed_there:
        there = replace(there, latency=replace(latency, machine=there.machine))
    both = merged(tmp_path, there, here)
    assert both.board == "kitchen"
    assert both.latency
    assert both.board_of(both.latency) == ("kitchen" if is_timed_there else "")


@pytest.mark.parametrize("native_passed", [True, False])
@pytest.mark.parametrize("native_first", [True, False])
def test_the_native_verdict_stands_with_the_prediction_beside_it(tmp_path: Path, native_passed: bool, native_first: bool) -> None:
    native, reference = report("native", passed=native_passed), report("reference", passed=not native_passed)
    found = merged(tmp_path, *([native, reference] if native_first else [reference, native]))
    assert found.status == native.status
    assert found.machine.system == "Darwin-25"
    assert found.judgement == native.judgement
    assert found.others == (reference.judgement,)
    assert found.exit_code == native.exit_code


def test_what_the_stand_in_saw_inside_is_kept(tmp_path: Path) -> None:
    finding = Finding("conv 'wide'", "blocks.3", "infinite", "float16", None, None, 2)
    envelope = Envelope({"exact": "float32"}, (), (finding,))
    found = merged(tmp_path, report("native"), replace(report("reference"), findings=(finding,), envelope=envelope))
    assert found.findings == ()
    assert found.others[0].findings == (finding,)
    assert found.envelope == envelope


def test_a_native_runtime_that_refuses_to_load_has_judged(tmp_path: Path) -> None:
    problem = Problem("load", "InputError", "Core ML cannot compile it")
    refusal = replace(report("native"), status="failed", runtime=None, parity=None, problem=problem)
    found = merged(tmp_path, report("reference"), refusal)
    assert (found.status, found.problem, found.exit_code) == ("failed", problem, 5)
    assert [(other.kind, other.status) for other in found.others] == [("reference", "passed")]


def test_of_two_native_verdicts_the_worse_stands(tmp_path: Path) -> None:
    old, new = report("native", system="Darwin-23"), report("native", passed=False, system="Darwin-25")
    found = merged(tmp_path, old, report("reference"), new)
    assert found.judgement == new.judgement
    assert found.others == (old.judgement, report("reference").judgement)


def test_merging_again_adds_nothing_twice(tmp_path: Path) -> None:
    once = merged(tmp_path, report("native"), report("reference"))
    assert merged(tmp_path, once, report("reference"), report("native")) == once


def test_a_report_that_nobody_has_judged_is_no_judgement(tmp_path: Path) -> None:
    made = replace(report("reference"), status="converted", runtime=None, parity=None, asked=None)
    assert made.judgement is None
    assert merged(tmp_path, made, report("reference")).others == ()


def test_figures_keep_the_machine_they_were_measured_on(tmp_path: Path) -> None:
    measured: Latency = measure(lambda: lambda: None, num_threads=1, plan=LatencyPlan(20, 0.2, 0.2))
    assert measured.machine is not None
    on_the_mac = replace(measured, machine=machine("Darwin-25"))
    static = summarise((OpProfile("a", "conv", 9, 1, 1, (), "unknown", ""),), basis="rules", rules={})
    asked = summarise((OpProfile("a", "conv", 9, 1, 1, ("CPU",), "CPU", "", 1.0),), basis="Core ML", rules={})
    reference = replace(report("reference"), static_profile=static)
    found = merged(tmp_path, reference, replace(report("native"), latency=on_the_mac, static_profile=asked))
    assert found.latency == on_the_mac
    assert found.static_profile == asked
    unasked = replace(report("native"), latency=None)
    timed = merged(tmp_path, replace(reference, latency=measured, more_latencies=(on_the_mac,)), unasked)
    assert (timed.latency, timed.more_latencies) == (measured, (on_the_mac,))
    assert merged(tmp_path, reference, unasked).static_profile == static


def test_other_files_are_refused_with_the_reason(tmp_path: Path) -> None:
    other = replace(report("native"), files=(FILES[0], replace(FILES[1], sha256="ef" * 32)))
    with pytest.raises(
        InputError, match=r"different artifacts: the sha256 of model.mlpackage/weight.bin is cdcd\S+ in one and efef"
    ):
        merged(tmp_path, report("reference"), other)
    with pytest.raises(InputError, match=r"only one of them has model.mlpackage/weight.bin"):
        merged(tmp_path, report("reference"), replace(report("native"), files=FILES[:1]))


def test_a_report_without_files_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"1.json does not say which files it is about"):
        merged(tmp_path, report("native"), replace(report("reference"), files=()))


def test_one_report_is_not_enough(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="at least two"):
        merged(tmp_path, report("native"))


def test_a_report_of_an_earlier_version_says_by_its_runtime_who_judged(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    write_json(path, replace(report("native"), asked=None))
    assert read_report(tmp_path).judgement == report("native").judgement
