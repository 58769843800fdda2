"""The straight line of one artifact on a board: pack, send, measure there, judge here."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from edgekit import registry
from edgekit.board.adb import AdbBoard
from edgekit.board.address import Address, SshAddress, parse_address
from edgekit.board.board import Board, Measured, OnStage, Task
from edgekit.board.ssh import SshBoard
from edgekit.desk import Desk, Line
from edgekit.document import read_json
from edgekit.errors import NetworkError
from edgekit.interface import random_input
from edgekit.latency import LatencyPlan
from edgekit.manifest import Manifest, read_manifest
from edgekit.pipeline import REFERENCE, as_taken, judge_answers, load_job
from edgekit.reference import load_reference
from edgekit.report import Report
from edgekit.request import FILE_NAME as REQUEST


@dataclass(frozen=True, slots=True)
class BoardRequest:
    """Measure an artifact on a board.

    Attributes:
        address: as the user wrote it.
        threads: of the runtime, each number measured in a process of its own; 0 for one on each core there.
        latency: how to measure it; None for the numbers alone.
    """

    address: str
    threads: tuple[int, ...] = (1,)
    latency: LatencyPlan | None = None


def visit(desk: Desk, line: Line) -> Report:
    """The worker's mode "board"."""
    request: BoardRequest = read_json(desk.work / REQUEST, BoardRequest)
    return measure_on(
        request.address,
        desk.artifact,
        threads=request.threads,
        plan=request.latency,
        reference=desk.reference,
        on_stage=line.enter,
    )


def measure_on(
    address: str | Address,
    folder: Path,
    *,
    threads: tuple[int, ...] = (1,),
    plan: LatencyPlan | None = None,
    reference: Path | None = None,
    on_stage: OnStage = lambda stage: None,
    max_seconds: float | None = None,
) -> Report:
    """Have a board answer an artifact's samples, and time it there; the verdict is reached here, as for any other runtime.

    Args:
        address: `ssh://[user@]host[:port][/python]`, `adb://SERIAL` or `android`.
        folder: the artifact's. Nothing in it is changed.
        threads: of the runtime, each number measured in a process of its own; 0 for one on each core there.
        plan: how to measure latency; None for the numbers alone.
        reference: the answers to compare with; by default those beside the artifact.
        on_stage: told of every stage that the board enters.
        max_seconds: for one process or command there, besides what the plan asks for; None for what that board has by itself.

    Returns:
        A report whose machine, runtime and figures are all of the board.

    Raises:
        UsageError: no address, or a target that has no runner for such a board.
        EdgekitError: what `Board.measure` raises.
    """
    where = parse_address(address) if isinstance(address, str) else address
    manifest = read_manifest(folder)
    target = registry.load(manifest.target)
    trained = load_reference(reference or folder / REFERENCE)
    taken, left_out = as_taken(trained, manifest)
    job = load_job(manifest, folder, threads[0])
    task = Task(
        folder,
        manifest,
        target,
        job,
        threads,
        np.concatenate([sample.image_nchw for sample in taken.samples]),
        random_input(job.inputs[0]),
        plan,
    )
    limit = {} if max_seconds is None else {"max_seconds": max_seconds}
    board: Board = SshBoard(where, **limit) if isinstance(where, SshAddress) else AdbBoard(where, **limit)
    measured = board.measure(task, on_stage)
    report = _report_of(manifest, measured, left_out)
    if not measured.answers:
        return report
    if len(measured.answers) != len(taken.samples):
        raise NetworkError(f"{where.name} answered {len(measured.answers)} of {len(taken.samples)} samples")
    report = judge_answers(report, manifest, target, measured.answers, trained=trained, reference=taken)
    return replace(report, problem=measured.problem, status="failed") if measured.problem else report


def report_name(board: str) -> str:
    """Of the file beside the artifact: report.json is this machine's. A + stands for a colon, since no host has one."""
    return f"report-{re.sub('[^A-Za-z0-9._-]', '+', board)}.json"


def _report_of(manifest: Manifest, measured: Measured, left_out: tuple[str, ...]) -> Report:
    itself = f", which calls itself {measured.node}" if measured.node not in ("", measured.board) else ""
    others = [
        f"{package} {version} there and {manifest.versions[package]} where it was made"
        for package, version in measured.versions.items()
        if manifest.versions.get(package, version) != version
    ]
    return Report(
        manifest.model.name,
        manifest.target,
        manifest.precision,
        "failed" if measured.problem else "converted",
        measured.machine,
        size_bytes=manifest.size_bytes,
        runtime=measured.runtime,
        latency=measured.latencies[0] if measured.latencies else None,
        more_latencies=measured.latencies[1:],
        versions={**manifest.versions, **measured.versions},
        notes=(*manifest.notes, f"measured on {measured.board}{itself}", *others, *measured.notes, *left_out),
        problem=measured.problem,
        asked="native",
        files=manifest.files,
        board=measured.board,
    )
