"""Several reports about the same files, made on different machines, as one: a native runtime's verdict stands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from edgekit.document import read_json
from edgekit.errors import InputError, UsageError
from edgekit.manifest import FILE_NAME as MANIFEST
from edgekit.manifest import Manifest
from edgekit.report import FILE_NAME as REPORT
from edgekit.report import Judgement, Report

_KINDS = ("native", "reference", None)
_STATUSES = ("failed", "passed", "converted", "skipped")


def merge(paths: Sequence[Path]) -> Report:
    """Read reports about one artifact and put them together.

    The verdict of a native runtime stands, whatever a stand-in said; of two of the same kind the worse one. What all others
    said is kept beside it. Latencies, static profile and envelope come from the first that has them, and say what they rest on.

    Args:
        paths: report.json files, or folders that have one.

    Raises:
        UsageError: fewer than two.
        InputError: one cannot be read, does not say which files it is about, or is about other files than the first.
    """
    if len(paths) < 2:
        raise UsageError("merge takes at least two reports about the same artifact")
    return unite([read_report(path) for path in paths], list(map(str, paths)))


def unite(reports: Sequence[Report], names: Sequence[str]) -> Report:
    """Put reports about one artifact together, as `merge` does.

    Args:
        reports: one or more; each says which files it is about.
        names: what messages call each of them.

    Raises:
        InputError: one is about other files than the first.
    """
    for name, report in zip(names[1:], reports[1:], strict=True):
        if difference := _difference(reports[0], report):
            raise InputError(f"{names[0]} and {name} are about different artifacts: {difference}")
    standing, *others = sorted(reports, key=_rank)
    judgements: list[Judgement] = []
    for judgement in (*standing.others, *(each for report in others for each in (report.judgement, *report.others))):
        if judgement and judgement != standing.judgement and judgement not in judgements:
            judgements.append(judgement)
    profiles = [report.static_profile for report in (standing, *others) if report.static_profile]
    timed = next((report for report in (standing, *others) if report.latency), standing)
    return replace(
        standing,
        latency=timed.latency,
        more_latencies=timed.more_latencies,
        static_profile=max(profiles, key=lambda profile: profile.is_native, default=None),
        envelope=next((report.envelope for report in (standing, *others) if report.envelope), None),
        accuracy=next((report.accuracy for report in (standing, *others) if report.accuracy), None),
        others=tuple(judgements),
    )


def read_report(path: Path) -> Report:
    """Read a report, with the files that it is about.

    Raises:
        InputError: missing or broken, or neither it nor a manifest beside it names the files.
    """
    file = path / REPORT if path.is_dir() else path
    report = read_json(file, Report)
    if not report.files and file.with_name(MANIFEST).is_file():
        report = replace(report, files=read_json(file.with_name(MANIFEST), Manifest).files)
    if not report.files:
        raise InputError(f"{file} does not say which files it is about: run `edgekit verify` on the artifact, and merge again")
    if report.asked is None and report.runtime:  # earlier versions did not say it
        report = replace(report, asked=report.runtime.kind)
    return report


def _difference(first: Report, second: Report) -> str:
    """Say how two reports' artifacts differ; nothing where they are the same."""
    known, other = ({file.path: file.sha256 for file in report.files} for report in (first, second))
    for name in sorted(known | other):
        if name not in known or name not in other:
            return f"only one of them has {name}"
        if known[name] != other[name]:
            return f"the sha256 of {name} is {known[name][:16]}... in one and {other[name][:16]}... in the other"
    return ""


def _rank(report: Report) -> tuple[int, int]:
    return _KINDS.index(report.asked), _STATUSES.index(report.status)
