"""Whether int8 pays: its latency against float32's, and where the time goes if it does not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TypeVar

from edgekit.machine import Machine
from edgekit.matrix.pace import judge_latency
from edgekit.precision import INT8
from edgekit.report import Report

Key = TypeVar("Key")
SHOWN = 4  # kinds of operators named in a note; the report has all
DOT_PRODUCTS = {"avx512_vnni", "avx_vnni", "amx_int8"}
SLOWER = "int8 does not pay here"
UNPROVEN = "int8 is not shown to pay here"


def note_slower(reports: Mapping[Key, Report]) -> dict[Key, Report]:
    """Put a note on every int8 report that was not faster than the float32 report of the same model and target.

    A lower median needs no word, proven or not.
    """
    floats = {(report.model, report.target): report for report in reports.values() if report.precision == "float32"}
    noted = {}
    for key, report in reports.items():
        notes = tuple(note for note in report.notes if not note.startswith((SLOWER, UNPROVEN)))
        twin = floats.get((report.model, report.target)) if report.precision == INT8 else None
        told = _compare(report, twin) if twin else ""
        noted[key] = replace(report, notes=(*notes, told)) if told else replace(report, notes=notes)
    return noted


def _compare(int8: Report, float32: Report) -> str:
    if not int8.latency or not float32.latency or int8.latency.p50_ms < float32.latency.p50_ms:
        return ""
    judged = judge_latency(float32.latency, int8.latency, is_same_artifact=False, words=("in float32", "in int8"))
    start = SLOWER if judged.verdict == "slower" else UNPROVEN
    told = [f"{start}: p50 {int8.latency.p50_ms:.2f} ms, and {float32.latency.p50_ms:.2f} ms in float32"]
    if judged.reason:
        told.append(judged.reason)
    if _lacks_dot_products(int8.latency.machine or int8.machine):
        told.append("this CPU has no instructions for sums of 8-bit products (VNNI)")
    if int8.operators and (longest := list(int8.operators.kind_ms.items())[:SHOWN]):
        before = float32.operators.kind_ms if float32.operators else {}
        told.append(
            "the time goes to "
            + ", ".join(
                f"{kind} {ms:.2f} ms" + (f" ({before[kind]:.2f} in float32)" if kind in before else "") for kind, ms in longest
            )
        )
    if int8.runtime and int8.runtime.undelegated_ops:
        told.append(f"not in int8: {', '.join(int8.runtime.undelegated_ops)}")
    return "; ".join(told)


def _lacks_dot_products(machine: Machine) -> bool:
    """Of an x86 CPU whose instruction sets are known."""
    return "avx2" in machine.instruction_sets and not DOT_PRODUCTS & set(machine.instruction_sets)
