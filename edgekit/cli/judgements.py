"""What several runtimes said of one artifact: the verdict that stands, and the others beside it."""

from __future__ import annotations

from rich.text import Text

from edgekit.cli.show import VERDICTS, new_table, parity_figures, print_json, print_lines, print_table
from edgekit.report import Judgement, Report


def show_judgements(report: Report, *, json: bool) -> int:
    """Print a merged report, and return its exit code."""
    if json:
        print_json({"schema_version": 1, "exit_code": report.exit_code, "report": report})
        return report.exit_code
    figures = ("SQNR dB", "top-1")
    table = new_table("", "checked with", "verdict", *figures, "on", figures=figures)
    for place, judgement in (("stands", report.judgement), *(("beside it", each) for each in report.others)):
        if judgement:
            table.add_row(place, *_row(judgement))
    print_lines(f"{report.model} {report.target} {report.precision}: {len(report.files)} files, the same everywhere")
    print_table(table)
    print_lines(*_sentences(report))
    return report.exit_code


def _row(judgement: Judgement) -> list[str | Text]:
    runtime = judgement.runtime
    name = f"{runtime.runtime} {runtime.version}" if runtime else "refused to load"
    kind = "" if judgement.kind == "native" else " (a stand-in)"
    machine = f"{judgement.machine.system} {judgement.machine.architecture}, {judgement.machine.processor}"
    return [f"{name}{kind}", Text(judgement.status, style=VERDICTS[judgement.status]), *parity_figures(judgement.parity), machine]


def _sentences(report: Report) -> list[str]:
    stands = report.judgement
    if stands is None:
        return ["No runtime has judged this artifact."]
    lines = [f"{stands.problem.stage}: {stands.problem.message}"] if stands.problem else []
    if stands.kind != "native":
        return [*lines, "No native runtime has judged this artifact: the verdict is a stand-in's."]
    for other in report.others:
        if other.kind != "native":
            agrees = "agrees" if other.status == stands.status else "DISAGREES"
            lines.append(f"The stand-in's prediction {agrees}: {other.status}.")
            lines += [f"It saw: {finding}" for finding in other.findings]
    return lines
