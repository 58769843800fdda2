from __future__ import annotations

import html
import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from edgekit.errors import OutputError
from edgekit.matrix.summary import MAX_BYTES, escape, render_summary, write_summary
from edgekit.matrix.wording import clean, sentence
from tests.gallery import HOSTILE, cell, everything, kinds, matrix

ANY_TEXT = st.text(st.characters(codec=None, exclude_categories=()), max_size=40)


def rendered(text: str) -> str:
    """As HTML, by a parser of CommonMark with GitHub's tables and strikethrough."""
    made: str = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).render(text)
    return made


def seen(text: str) -> str:
    """What a reader sees of a piece of HTML."""
    return html.unescape(re.sub(r"<[^>]*>", "", text)).strip()


@pytest.fixture(autouse=True)
def _outside_of_a_workflow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)


def test_a_row_for_each_model_and_a_column_for_each_target_and_precision() -> None:
    rows = re.findall(r"<tr>(.*?)</tr>", rendered(render_summary(everything())), re.DOTALL)
    table = [[seen(text.replace("<br>", " ")) for text in re.findall(r"<t[hd].*?>(.*?)</t[hd]>", row, re.DOTALL)] for row in rows]
    assert table[0][:4] == ["model", "onnx float32", "onnx int8", "onnx float16"]
    assert table[1][:3] == ["small", "✅ passed", "✅ passed"]
    assert table[1][5] == "⚠️ not verified"
    assert table[2][1] == "❌ failed"
    assert table[2][-1] == "⏭️ skipped"
    assert table[3][0] == " ".join(HOSTILE.split())
    assert len({len(row) for row in table}) == 1


def test_reasons_of_all_that_did_not_pass_are_there_and_of_no_other() -> None:
    text = seen(rendered(render_summary(everything())))
    for kind, each in kinds().items():
        told = f"{' '.join(each.name.split())}: {' '.join(each.reason.split()) or 'no reason was recorded'}"
        assert (told in text) == (each.outcome != "passed"), kind


def test_few_reasons_are_open_and_many_are_folded() -> None:
    assert "<details>" not in render_summary(matrix(kinds()["wrong"], kinds()["passed"]))
    assert "<details>" in render_summary(everything())


@pytest.mark.parametrize(
    ("chosen", "said"),
    [
        (("passed",), "The one cell passed."),
        (("passed", "int8"), "All 2 cells passed."),
        (("passed", "wrong"), "1 of 2 cells failed, 1 passed."),
        (("passed", "not verified"), "1 of 2 cells is not verified, 1 passed."),
        (("skipped", "left out"), "2 of 2 cells were skipped."),
        ((), "There was nothing to do: no cell was chosen."),
    ],
)
def test_the_headline_says_no_more_than_is_true(chosen: tuple[str, ...], said: str) -> None:
    made = matrix(*(kinds()[kind] for kind in chosen))
    assert sentence(made) == said
    assert f"**{said}**" in render_summary(made)


@given(ANY_TEXT)
def test_any_text_is_shown_as_it_is_and_stays_in_its_place(text: str) -> None:
    told = rendered(f"| a | b |\n| - | - |\n| x{escape(text)}x | second |\n")
    first, second = re.findall(r"<td>(.*?)</td>", told, re.DOTALL)
    assert second == "second"
    assert seen(first) == f"x{' '.join(clean(text).split())}x"
    assert set(re.findall(r"<(\w+)", first)) <= {"span"}


def test_that_check_sees_a_pipe_that_is_not_escaped() -> None:
    assert re.findall(r"<td>(.*?)</td>", rendered("| a | b |\n| - | - |\n| x|x | second |\n")) == ["x", "x"]


def test_there_are_no_links() -> None:
    failed = cell("small", "onnx", "int8", outcome="failed", reason="see https://example.org and [this](x), @me", exit_code=1)
    text = render_summary(matrix(failed))
    assert "<a " not in rendered(text)
    assert "://" not in text
    assert "@me" not in text


@pytest.mark.parametrize("max_bytes", [3000, 10_000, MAX_BYTES])
def test_what_does_not_fit_is_left_out_and_said(max_bytes: int) -> None:
    failed = cell("small", "onnx", "int8", outcome="failed", reason="because | " * 200, exit_code=1)
    many = [replace(failed, model=f"model {i}", name=f"cell {i}") for i in range(4000)]
    text = render_summary(matrix(*many), max_bytes)
    assert len(text.encode()) <= max_bytes
    assert "have all 4000 cells" in text
    assert "4000 of 4000 cells failed" in text


def test_a_step_summary_gets_it_behind_what_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = tmp_path / "summary"
    place.write_text("before\n")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(place))
    path = write_summary(everything(), tmp_path)
    assert place.read_text() == f"before\n\n{path.read_text()}"


def test_a_step_summary_never_grows_past_the_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = tmp_path / "summary"
    place.write_bytes(b"x" * (MAX_BYTES - 2500))
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(place))
    write_summary(everything(), tmp_path)
    assert MAX_BYTES - 2500 < place.stat().st_size <= MAX_BYTES


def test_outside_of_a_workflow_only_the_file_is_written(tmp_path: Path) -> None:
    write_summary(everything(), tmp_path)
    assert [each.name for each in tmp_path.iterdir()] == ["matrix.md"]


def test_what_cannot_be_written_is_an_output_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(OutputError, match=r"matrix\.md"):
        write_summary(everything(), tmp_path / "absent")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path))  # a folder
    with pytest.raises(OutputError, match="GITHUB_STEP_SUMMARY"):
        write_summary(everything(), tmp_path)
