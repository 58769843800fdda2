"""Whole commands on a board: each artifact in a worker of its own here, and a visit of its own there."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from edgekit.board.address import parse_address
from edgekit.board.measurement import BoardRequest, report_name
from edgekit.document import read_json
from edgekit.errors import InputError
from edgekit.latency import LatencyPlan
from edgekit.launcher import Launcher, OnStage, silent
from edgekit.report import Report
from edgekit.run import Result, artifact_folder, blank_of, save


def measure(
    artifacts: Sequence[Path],
    address: str,
    *,
    threads: Sequence[int] = (1, 0),
    latency: LatencyPlan | None = None,
    on_stage: OnStage = silent,
) -> tuple[Result, ...]:
    """Check the numbers of artifacts on a board, and measure their latency there, one at a time.

    The report goes beside the artifact under the board's name: `report.json` is this machine's, and stays as it is. A board that
    could not be asked leaves none.

    Args:
        artifacts: folders, or files in them.
        address: `ssh://[user@]host[:port][/python]`, `adb://SERIAL` or `android`.
        threads: of the runtime, each number measured in a process of its own; 0 for one on each core there.
        latency: how to measure it; None for the numbers alone, and what was timed there before stays in the report.
        on_stage: told (artifact, stage).

    Raises:
        UsageError: no address.
        InputError: no artifact.
    """
    where = parse_address(address)
    folders = [artifact_folder(path) for path in artifacts]
    request = BoardRequest(address, tuple(threads), latency)
    results = []
    with tempfile.TemporaryDirectory(prefix="edgekit-") as work, Launcher(on_stage) as launcher:
        for folder in folders:
            desk = Path(tempfile.mkdtemp(dir=work))
            report = launcher.run("board", folder.name, request, artifact=folder, work=desk, blank=blank_of(folder))
            report = replace(report, board=report.board or where.name)
            if latency is None:
                report = _with_latencies_of(folder / report_name(report.board), report)
            results.append(save(folder, report, report_name(report.board)))
    return tuple(results)


def _with_latencies_of(earlier: Path, report: Report) -> Report:
    """What was timed there before stays beside a new verdict, as in report.json, where it is of the same files."""
    with suppress(InputError):
        before: Report = read_json(earlier, Report)
        if before.files == report.files:
            return replace(report, latency=before.latency, more_latencies=before.more_latencies)
    return report
