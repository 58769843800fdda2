from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st
from junitparser import JUnitXml

from edgekit.errors import OutputError
from edgekit.matrix.junit import render_junit, write_junit
from edgekit.matrix.wording import clean
from edgekit.report import Problem
from tests.gallery import HOSTILE, cell, everything, kinds, matrix, report

# what Jenkins' junit-10.xsd allows: attributes, and children, of each element that is used here
ALLOWED = {
    "testsuites": ({"name", "time", "tests", "failures", "errors"}, {"testsuite"}),
    "testsuite": ({"name", "tests", "failures", "errors", "skipped", "time"}, {"testcase"}),
    "testcase": ({"name", "classname", "time"}, {"skipped", "error", "failure", "system-out"}),
    "skipped": ({"type", "message"}, set()),
    "error": ({"type", "message"}, set()),
    "failure": ({"type", "message"}, set()),
    "system-out": (set(), set()),
}
ANY_TEXT = st.text(st.characters(codec=None, exclude_categories=()), max_size=40)


def parse(content: bytes) -> ET.Element:
    return ET.fromstring(content)  # noqa: S314  (of our own making)


def cases() -> dict[str, ET.Element]:
    return {each.attrib["name"]: each for each in parse(render_junit(everything())).iter("testcase")}


def result_of(kind: str) -> ET.Element | None:
    found = [each for each in cases()[clean(kinds()[kind].name)] if each.tag != "system-out"]
    assert len(found) <= 1
    return found[0] if found else None


def complaints(element: ET.Element) -> list[str]:
    attributes, children = ALLOWED[element.tag]
    own = [f"{element.tag}.{name}" for name in element.attrib if name not in attributes]
    own += [f"{element.tag}/{child.tag}" for child in element if child.tag not in children]
    return own + [each for child in element for each in complaints(child)]


def test_it_is_in_the_form_of_the_published_schema() -> None:
    assert not complaints(parse(render_junit(everything())))


def test_that_check_sees_what_the_schema_does_not_have() -> None:
    root = parse(render_junit(everything()))
    root.attrib["skipped"] = "1"
    assert complaints(root) == ["testsuites.skipped"]


def test_every_cell_is_a_case_in_the_suite_of_its_model() -> None:
    suites = {suite.name: [case.name for case in suite] for suite in JUnitXml.fromstring(render_junit(everything()))}
    assert suites == {
        clean(model): [clean(each.name) for each in everything().cells if each.model == model]
        for model in dict.fromkeys(each.model for each in everything().cells)
    }


@pytest.mark.parametrize("kind", ["passed", "int8", "doubtful", "stand-in"])
def test_a_pass_is_a_pass(kind: str) -> None:
    assert result_of(kind) is None


@pytest.mark.parametrize(
    ("kind", "tag", "message"),
    [
        ("goal missed", "failure", "p95 13.9 ms, over max_p95_ms = 5"),
        ("wrong", "failure", "logits: 20.0 dB SQNR on dog is below the limit of 85.0 dB"),
        ("crashed", "error", "the worker was killed by signal 9"),
        ("empty", "error", "no reason was recorded"),
        ("not verified", "skipped", "not verified: Core ML runs on macOS alone"),
        ("not judged", "skipped", "not verified: no accuracy was counted: give `evaluation`"),
        ("left out", "skipped", "skipped: left out by --skip"),
    ],
)
def test_what_did_not_pass_is_no_pass_and_says_why(kind: str, tag: str, message: str) -> None:
    result = result_of(kind)
    assert result is not None
    assert (result.tag, result.attrib["message"]) == (tag, message)
    assert (result.text or "").startswith(message)  # GitLab shows the text alone, others the message


def test_counts_are_those_of_the_cells() -> None:
    root = parse(render_junit(everything()))
    assert {name: root.attrib[name] for name in ("tests", "failures", "errors")} == {
        "tests": "15",
        "failures": "4",
        "errors": "2",
    }
    assert sum(int(suite.attrib["skipped"]) for suite in root) == 4


def test_a_crash_has_the_tail_of_its_log_without_what_xml_cannot_hold() -> None:
    result = result_of("crashed")
    assert result is not None
    assert result.text is not None
    assert "last words\ufffd\nline\n" in result.text
    assert "\x1b" not in result.text


def test_figures_are_in_the_output_and_a_doubtful_one_has_its_mark() -> None:
    said = cases()[kinds()["doubtful"].name].findtext("system-out") or ""
    assert "p50 12.41? ms" in said
    assert "too noisy to trust" in said
    assert "a stand-in for the vendor's" in (cases()[kinds()["stand-in"].name].findtext("system-out") or "")


def test_time_is_that_of_this_run() -> None:
    assert cases()[kinds()["passed"].name].attrib["time"] == "6.0"
    assert cases()[kinds()["doubtful"].name].attrib["time"] == "0.0"  # an earlier run converted it


def test_names_of_any_kind_come_back() -> None:
    assert kinds()["hostile"].name == f"{HOSTILE}-onnx-float32"
    assert kinds()["hostile"].name in cases()


@given(name=ANY_TEXT, reason=ANY_TEXT, log=ANY_TEXT)
def test_no_text_breaks_the_file(name: str, reason: str, log: str) -> None:
    dead = report(problem=Problem("convert", name, reason, log), status="failed")
    failed = cell(name, "onnx", name, outcome="failed", reason=reason, exit_code=70, report=dead)
    (suite,) = parse(render_junit(matrix(failed)))
    assert suite.attrib["name"] == clean(name)


def test_without_cleaning_a_log_does_break_it() -> None:
    """What the test above guards against is real."""
    element = ET.Element("system-out")
    element.text = "\x1b[31mred"
    with pytest.raises(ET.ParseError):
        parse(ET.tostring(element))


def test_a_folder_that_is_not_there_is_an_output_error(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"junit\.xml"):
        write_junit(everything(), tmp_path / "absent")


def test_it_is_written_whole(tmp_path: Path) -> None:
    path = write_junit(everything(), tmp_path)
    assert path.read_bytes() == render_junit(everything())
    assert [each.name for each in tmp_path.iterdir()] == ["junit.xml"]
