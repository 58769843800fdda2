"""What is said of int8 that is no faster than float32."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from edgekit.latency import Latency
from edgekit.machine import Machine
from edgekit.operators import OperatorTime, OperatorTimes
from edgekit.payoff import note_slower
from edgekit.report import Report
from edgekit.target import RuntimeInfo

ZEN3 = Machine("Linux", "x86_64", "a CPU", 2, 2**33, ("avx2",), "3.11")
SAPPHIRE_RAPIDS = replace(ZEN3, instruction_sets=("avx2", "avx512f", "avx512_vnni", "amx_int8"))
ARM = replace(ZEN3, architecture="aarch64", instruction_sets=("asimd",))


def report(
    precision: str, p50_ms: float | None, *, machine: Machine = ARM, target: str = "onnx", doubts: str = "", threads: int = 1
) -> Report:
    figures: Any = dict.fromkeys(("load_ms", "first_ms", "p90_ms", "p95_ms", "p99_ms", "mean_ms", "std_ms", "min_ms"), 1.0)
    latency = p50_ms and Latency(
        **figures,
        warmup_runs=10,
        p50_ms=p50_ms,
        num_threads=threads,
        peak_memory_bytes=1,
        model_memory_bytes=1,
        load_average=0.0,
        doubts=(doubts,) if doubts else (),
        samples_ns=(round(p50_ms * 1e6),) * 20,
        machine=machine,
    )
    runtime = RuntimeInfo("r", "1", "CPU", precision, undelegated_ops=("HardSigmoid",) if precision == "int8" else ())
    return Report("m", target, precision, "passed", machine, runtime=runtime, latency=latency or None)


def times(**kinds: float) -> OperatorTimes:
    return OperatorTimes(10, tuple(OperatorTime(f"the {kind}", kind, ms) for kind, ms in kinds.items()))


def note_of(int8: Report, float32: Report) -> str:
    noted = note_slower({"int8": int8, "float32": float32})
    assert noted["float32"].notes == ()
    return "; ".join(noted["int8"].notes)


def test_faster_int8_needs_no_word() -> None:
    assert note_of(report("int8", 5.0), report("float32", 8.0)) == ""


def test_slower_int8_is_said_with_both_figures_and_what_is_not_int8() -> None:
    note = note_of(report("int8", 10.0), report("float32", 6.5))
    assert note == "int8 does not pay here: p50 10.00 ms, and 6.50 ms in float32; not in int8: HardSigmoid"


@pytest.mark.parametrize(("machine", "said"), [(ZEN3, True), (SAPPHIRE_RAPIDS, False), (ARM, False)])
def test_a_cpu_without_8_bit_dot_products_is_named_as_a_cause(machine: Machine, said: bool) -> None:
    note = note_of(report("int8", 10.0, machine=machine), report("float32", 6.5, machine=machine))
    assert ("VNNI" in note) is said


@pytest.mark.parametrize(
    ("int8", "told"),
    [
        (report("int8", 6.5), "6.50 ms, and 6.50 ms in float32; launches of one artifact differ by 35%, or 0.1 ms"),
        (report("int8", 10.0, doubts="it spreads"), "10.00 ms, and 6.50 ms in float32; too noisy in int8: it spreads"),
        (report("int8", 10.0, threads=2), "10.00 ms, and 6.50 ms in float32; 1 threads in float32, 2 in int8"),
        (
            report("int8", 10.0, machine=replace(ARM, cores=4)),
            "10.00 ms, and 6.50 ms in float32; not the same machine: cores 2 in float32, 4 in int8",
        ),
    ],
    ids=["alike", "noisy", "threads", "machine"],
)
def test_a_longer_median_that_proves_nothing_is_said_with_its_reason(int8: Report, told: str) -> None:
    note = note_of(int8, report("float32", 6.499))
    assert note.startswith(f"int8 is not shown to pay here: p50 {told}")


def test_a_shorter_median_that_proves_nothing_needs_no_word() -> None:
    assert note_of(report("int8", 6.4), report("float32", 6.5)) == ""


def test_the_operators_that_take_the_time_are_named() -> None:
    int8 = replace(report("int8", 10.0), operators=times(Transpose=2.0, QLinearConv=5.0, Clip=1.5, Add=1.0, Mul=0.1))
    note = note_of(int8, replace(report("float32", 6.5), operators=times(Conv=6.0, Clip=0.2)))
    assert "the time goes to QLinearConv 5.00 ms, Transpose 2.00 ms, Clip 1.50 ms (0.20 in float32), Add 1.00 ms;" in note
    assert "Mul" not in note


@pytest.mark.parametrize(
    "float32", [report("float32", None), report("float32", 1.0, target="openvino")], ids=["untimed", "other"]
)
def test_without_a_twin_nothing_is_compared(float32: Report) -> None:
    assert note_of(report("int8", 10.0), float32) == ""


@pytest.mark.parametrize("p50_ms", [6.5, 10.0], ids=["unproven", "slower"])
def test_a_note_of_an_earlier_measurement_goes(p50_ms: float) -> None:
    noted = note_slower({1: report("int8", p50_ms), 2: report("float32", 6.5)})
    assert noted[1].notes
    again = note_slower({1: replace(noted[1], latency=report("int8", 3.0).latency), 2: noted[2]})
    assert again[1].notes == ()
