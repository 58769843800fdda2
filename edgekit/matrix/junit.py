"""junit.xml: the matrix as a test report, in the form that CI systems read.

There is no standard. This is the form of Jenkins' published schema (junit-10.xsd), which GitLab's reader and those that people
use on GitHub take: a suite for each model, a case for each cell. A cell that is not verified is "skipped" there, for that form
has no other word for what is no pass and no failure.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from junitparser import Error, Failure, Skipped
from junitparser.junitparser import FinalResult
from junitparser.xunit2 import JUnitXml, TestCase, TestSuite

from edgekit.document import write_bytes
from edgekit.matrix.record import CellResult, MatrixReport
from edgekit.matrix.wording import WORDS, clean, figures_of, goal_line, log_of, reason_of, rows_of, seconds_of

FILE_NAME = "junit.xml"
DECLARATION = b'<?xml version="1.0" encoding="UTF-8"?>\n'
_NEGATIVE = 1  # the exit code of edgekit.errors.NegativeResult: the work was done, and the answer is no


def write_junit(matrix: MatrixReport, folder: Path) -> Path:
    """Write junit.xml into a folder that exists.

    Raises:
        OutputError: it cannot be written.
    """
    path = folder / FILE_NAME
    write_bytes(path, render_junit(matrix))
    return path


def render_junit(matrix: MatrixReport) -> bytes:
    """The file, in UTF-8."""
    document = JUnitXml("edgekit matrix")
    for model, row in rows_of(matrix).items():
        suite = TestSuite(clean(model))  # type: ignore[no-untyped-call]  # some of junitparser has no annotations
        for cells in row.values():
            suite.add_testcases([_case(cell) for cell in cells])
        document.add_testsuite(suite)
    document.update_statistics()  # type: ignore[no-untyped-call]  # junitparser has no types
    for each in (document, *document):
        each.time = round(each.time, 3)  # sums of seconds; the schema takes no exponents
    text: bytes = document.tostring()  # type: ignore[no-untyped-call]  # likewise
    return text if text.startswith(b"<?xml") else DECLARATION + text  # with lxml, junitparser writes it


def _case(cell: CellResult) -> TestCase:
    case = TestCase(clean(cell.name), clean(f"edgekit.{cell.target}"), round(seconds_of(cell), 3))
    result = _result(cell)
    if result is not None:
        case.result = [result]
    case.system_out = clean("\n".join(_lines(cell)))
    return case


def _result(cell: CellResult) -> FinalResult | None:
    """What is not "passed": a failure is a "no", an error is no answer at all."""
    reason = clean(reason_of(cell))
    if cell.outcome == "passed":
        return None
    if cell.outcome != "failed":
        left: FinalResult = Skipped(f"{WORDS[cell.outcome]}: {reason}")
        left.text = left.message  # GitLab shows the text alone, others the message
        return left
    problem = cell.report.problem if cell.report else None
    if cell.exit_code == _NEGATIVE:
        result: FinalResult = Failure(reason, "goal" if problem is None else clean(problem.kind))
    else:
        result = Error(reason, "crash" if problem is None else clean(problem.kind))
    result.text = "\n".join(part for part in (reason, log_of(cell)) if part)
    return result


def _lines(cell: CellResult) -> Iterator[str]:
    sqnr, p50, size = figures_of(cell)
    yield f"{cell.name}: {WORDS[cell.outcome]}{' (converted by an earlier run)' if cell.is_reused else ''}"
    yield f"SQNR {sqnr}, p50 {p50}, size {size}"
    report = cell.report
    if report and report.runtime:
        stand_in = ", a stand-in for the vendor's" if report.runtime.kind == "reference" else ""
        yield f"checked with {report.runtime.runtime} {report.runtime.version}{stand_in}"
    if report and report.accuracy:
        accuracy = report.accuracy
        yield f"right {accuracy.top1.value:.2%} of {accuracy.count} pictures, drop {accuracy.drop_points:.2f} points"
    if report and report.latency and report.latency.doubts:
        yield f"latency is too noisy to trust: {'; '.join(report.latency.doubts)}"
    for goal in cell.goals:
        yield goal_line(goal)
