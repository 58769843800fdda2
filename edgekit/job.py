"""What a worker does for one model or one artifact, seen by the parent: prepare, convert, measure."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Collection
from dataclasses import replace
from functools import partial
from pathlib import Path

from edgekit.alone import WAITS, alone
from edgekit.desk import program_name, reference_name
from edgekit.document import write_json
from edgekit.errors import BY_NAME, EdgekitError
from edgekit.launcher import LOG, Launcher, Offer
from edgekit.machine import describe_machine
from edgekit.report import FILE_NAME as REPORT
from edgekit.report import Problem, Report
from edgekit.request import ConvertRequest, PrepareRequest, ProfileRequest

MODEL = "model"  # what progress calls the preparation


def offers(precisions: Collection[str]) -> dict[str, Offer]:
    """What a preparation makes one after the other, and the cells of these precisions wait for."""
    return {name: Offer() for each in ("", *precisions) for name in (program_name(each), reference_name(each))}


def prepare_model(launcher: Launcher, request: PrepareRequest, folder: Path, label: str = MODEL) -> None:
    """Make what all cells of a model share, in a worker of its own, which fulfils the launcher's offers one by one.

    Args:
        launcher: of the workers, with these offers.
        request: what to make.
        folder: where.
        label: what progress calls it.

    Raises:
        EdgekitError: of the class that the worker's problem names. The offers that are left are withdrawn.
    """

    def blank(problem: Problem) -> Report:
        return Report(request.name, "pytorch", "float32", "failed", describe_machine(), problem=problem)

    try:
        report = launcher.run("prepare", label, request, artifact=folder, work=folder, shared=folder, blank=blank)
    finally:
        for offer in launcher.ready.values():
            if isinstance(offer, Offer):
                offer.withdraw()
    if report.problem:
        log = f"\n{report.problem.log}" if report.problem.log else ""
        raise BY_NAME.get(report.problem.kind, EdgekitError)(f"{report.problem.message}{log}")


def convert_cell(launcher: Launcher, cell: str, request: ConvertRequest, folder: Path, shared: Path) -> Report:
    """Make one artifact, in a worker of its own, and check its numbers.

    Args:
        launcher: of the workers; offers what is being prepared.
        cell: what progress calls it.
        request: what to make.
        folder: gets the artifact, its report and its log; of a failure only these two.
        shared: of the preparation.
    """
    folder.mkdir()

    def blank(problem: Problem) -> Report:
        return Report(request.model, request.target, request.precision, "failed", describe_machine(), problem=problem)

    report = launcher.run("convert", cell, request, artifact=folder, work=folder, shared=shared, blank=blank)
    if not report.size_bytes:  # no whole artifact: leave the report and the log, and nothing that looks like one
        for path in folder.iterdir():
            if path.name not in (REPORT, LOG):
                shutil.rmtree(path) if path.is_dir() else path.unlink()
    write_json(folder / REPORT, report)
    return report


def profile_cell(launcher: Launcher, cell: str, request: ProfileRequest, report: Report, folder: Path, staging: Path) -> Report:
    """Measure an artifact's latency, alone on the machine, and put it into its report; without a runtime there is none."""
    if report.runtime is None or report.runtime.kind == "reference":  # it did not load, or its time would mean nothing
        return report
    with tempfile.TemporaryDirectory(dir=staging) as work, alone(partial(launcher.on_stage, cell, WAITS)):
        profiled = launcher.run(
            "profile",
            cell,
            request,
            artifact=folder,
            work=Path(work),
            blank=lambda problem: replace(report, status="failed", problem=problem),
            num_threads=request.num_threads,
        )
    problem = report.problem or profiled.problem
    return replace(
        report,
        latency=profiled.latency,
        notes=tuple(dict.fromkeys((*report.notes, *profiled.notes))),
        seconds={**report.seconds, **profiled.seconds},
        problem=problem,
        status="failed" if problem and report.status == "passed" else report.status,
        operators=profiled.operators,
    )
