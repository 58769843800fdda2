"""What artifacts cost that cannot be timed here, told from their files: the static profile of a Core ML package."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from edgekit.document import read_json
from edgekit.launcher import Launcher, launched
from edgekit.matrix.cache import Cache
from edgekit.matrix.count import Known
from edgekit.matrix.fingerprint import key_of_profile
from edgekit.matrix.site import Site
from edgekit.report import FILE_NAME as REPORT
from edgekit.report import Report
from edgekit.request import ProfileRequest


def expect_costs(
    reports: Mapping[str, Report], known: Sequence[Known], cache: Cache, launcher: Launcher, staging: Path, site: Site
) -> dict[str, Report]:
    """Profile every artifact that a stand-in runs here, workers side by side: nothing is timed.

    Returns:
        The reports of these, by name, with their static profiles where their targets tell one.
    """
    profiled: dict[str, Report] = {}
    missing: list[tuple[Known, str]] = []
    for each in known:
        report = reports[each.cell.name]
        if report.runtime is None or report.runtime.kind != "reference":
            continue
        key = key_of_profile(each.key)
        if found := cache.recall(key):
            profiled[each.cell.name] = _with(report, read_json(found / REPORT, Report))
        else:
            missing.append((each, key))
    if not missing:
        return profiled
    with launched(launcher, site.slots) as pool:
        told = list(pool.map(lambda each: _profile(each[0], reports[each[0].cell.name], launcher, staging), missing))
    for (each, key), found_report in zip(missing, told, strict=True):
        if found_report.problem in (None, reports[each.cell.name].problem):  # else the profile's own: it may go well next time
            cache.keep(key, "profile", each.cell.name, REPORT, found_report)
        profiled[each.cell.name] = _with(reports[each.cell.name], found_report)
    return profiled


def _profile(known: Known, report: Report, launcher: Launcher, staging: Path) -> Report:
    with tempfile.TemporaryDirectory(dir=staging) as work:
        return launcher.run(
            "profile",
            known.cell.name,
            ProfileRequest(known.cell.num_threads),
            artifact=known.folder,
            work=Path(work),
            blank=lambda problem: replace(report, problem=problem),
        )


def _with(report: Report, profiled: Report) -> Report:
    """A profile that could not be made fails nothing: the artifact's numbers hold without it."""
    notes = tuple(dict.fromkeys((*report.notes, *profiled.notes)))
    return replace(report, static_profile=profiled.static_profile, notes=notes)
