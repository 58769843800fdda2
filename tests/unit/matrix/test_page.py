from __future__ import annotations

import functools
import re
import time
from dataclasses import dataclass, field, replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekit.errors import OutputError
from edgekit.matrix.page import render_page, write_page
from edgekit.matrix.page.plot import BOTTOM, LEFT, RIGHT, TOP, draw
from edgekit.matrix.record import MatrixReport
from edgekit.operators import OperatorTime, OperatorTimes
from tests.gallery import HOSTILE, cell, everything, expectations, kinds, latency, matrix, report

VOID = {"wbr", "meta", "link", "path", "rect", "use", "br"}


@dataclass
class Page(HTMLParser):
    """What is in a page, as far as these tests ask."""

    tags: list[str] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    texts: dict[str, str] = field(default_factory=dict)
    unbalanced: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()
        self._open: list[str] = []
        self._article = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.tags.append(tag)
        self.ids += [found["id"] or ""] if "id" in found else []
        self.links += [found[name] or "" for name in ("href", "src", "srcset", "action", "data") if name in found]
        if tag not in VOID:
            self._open.append(tag)
        if tag == "article":
            self._article = found["id"] or ""

    def handle_endtag(self, tag: str) -> None:
        if tag in VOID:
            return
        if not self._open or self._open.pop() != tag:
            self.unbalanced.append(tag)
        if tag == "article":
            self._article = ""

    def handle_data(self, data: str) -> None:
        self.texts[self._article] = f"{self.texts.get(self._article, '')} {data}"


def read(html: str) -> Page:
    page = Page()
    page.feed(html)
    page.close()
    return page


def article(kind: str) -> str:
    """The text of one cell's part, white space made plain."""
    return " ".join(page().texts[f"cell-{kinds()[kind].name}"].split())


def full(cells: int) -> MatrixReport:
    """A matrix in which every cell has as much as a large network gives."""
    layers = [OperatorTime(f"op {i}", f"Kind{i % 9}", 0.1, f"blocks.{i // 9}.part{i % 9 // 3}") for i in range(3 * 66)]
    profile = replace(expectations(), operations=expectations().operations * 30)
    timed = report(operators=OperatorTimes(20, tuple(layers)))
    planned = report(static_profile=profile, operators=None, latency=None, more_latencies=())
    return matrix(
        *(cell(f"m{i // 12}", f"t{i % 4}", f"p{i % 12 // 4}", report=timed if i % 4 else planned) for i in range(cells))
    )


@functools.cache
def page() -> Page:
    return read(render_page(everything()))


def test_it_is_well_formed() -> None:
    assert not page().unbalanced
    assert len(page().ids) == len(set(page().ids))


def test_nothing_comes_from_elsewhere() -> None:
    assert [link for link in page().links if not link.startswith("#")] == ["data:,"]
    assert not {"script", "img", "iframe", "object", "embed", "form"} & set(page().tags)
    assert not re.search(r"url\(|@import|\bon\w+=", render_page(matrix(kinds()["passed"])))


def test_that_check_sees_a_link() -> None:
    assert [link for link in read('<a href="https://example.org"></a>').links if not link.startswith("#")]


def test_every_link_leads_somewhere() -> None:
    assert {link[1:] for link in page().links if link.startswith("#")} <= set(page().ids)


def test_whatever_a_record_holds_is_text() -> None:
    assert "b" in page().tags  # ours
    assert "<b>g</b>" not in render_page(everything())
    assert all(
        HOSTILE.split("\n")[0] in " ".join(page().texts[where].split()) for where in page().texts if where.startswith("cell:")
    )
    assert any(where.startswith("cell:") for where in page().texts)


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        (
            "passed",
            ["SQNR 124.5 dB", "p50 12.41 ms", "size 5.12 MB", "dog, 124.5 dB", "a note on how to read this", "blocks.0 4.500"],
        ),
        ("passed", ["71.20%", "(68.32% to 73.92%)", "0.40 points", "at least 85 dB", "2 threads, 100 inferences", "5,000,000"]),
        ("int8", ["28.4 dB SQNR against the trained network"]),
        (
            "doubtful",
            ["12.415? ms", "Too noisy to trust: other processes kept 1.0 of 2 cores busy", "Converted by an earlier run"],
        ),
        (
            "stand-in",
            ["reference runtime, not the vendor's", "Not measured: the time of a reference runtime", "Neural Engine", "90.9%"],
        ),
        ("not verified", ["not verified", "This is no pass", "Core ML runs on macOS alone", "none ran the artifact"]),
        ("not judged", ["max_top1_drop", "not judged", "no accuracy was counted"]),
        ("skipped", ["skipped", "pip install 'edgekit[openvino]'", "there was not even an attempt"]),
        ("goal missed", ["failed", "max_p95_ms", "at most 5 ms", "13.9 ms", "missed"]),
        ("wrong", ["logits: 20.0 dB SQNR on dog is below the limit of 85.0 dB"]),
        ("crashed", ["killed by signal 9", "During convert , EdgekitError", "last words"]),
        ("not a number", ["10 of 10 values are NaN", "SQNR -,"]),
        ("empty", ["no reason was recorded"]),
        ("infinite", ["standard deviation -"]),
    ],
)
def test_a_cell_tells_what_its_record_holds(kind: str, said: list[str]) -> None:
    told = article(kind)
    assert [each for each in said if each not in told] == []


def test_a_cell_tells_nothing_of_another() -> None:
    assert "killed by signal 9" not in article("passed")
    assert "not the vendor's" not in article("passed")
    assert "This is no pass" not in article("passed")
    assert "Too noisy" not in article("passed")


def test_the_verdict_is_that_of_the_whole() -> None:
    assert '<h1 class="verdict failed">' in render_page(everything())
    assert '<h1 class="verdict passed">' in render_page(matrix(kinds()["passed"], kinds()["left out"]))
    assert '<h1 class="verdict skipped">' in render_page(matrix(kinds()["passed"], kinds()["skipped"]))
    assert '<h1 class="verdict converted">' in render_page(matrix(kinds()["passed"], kinds()["not verified"]))
    assert "There was nothing to do" in render_page(matrix())


def test_control_characters_of_a_log_are_gone() -> None:
    html = render_page(everything())
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f]", html)
    assert "last words\ufffd" in html


def test_a_large_matrix_stays_small_and_is_made_at_once() -> None:
    render_page(full(1))  # the template is read once
    start = time.process_time()
    small = render_page(full(36))
    assert time.process_time() - start < 1.5  # 0.4 s where nothing else runs
    assert len(small.encode()) < 1_000_000
    assert len(render_page(full(72)).encode()) < 2_000_000


def test_a_million_samples_make_the_same_plot() -> None:
    few, many = latency(samples=100), latency(samples=100_000)
    assert len(draw(many).blocks) <= 40
    assert len(draw(few).blocks) >= 3


def test_a_histogram_counts_every_sample() -> None:
    plot = draw(latency())
    counted = sum(round(block.height / (BOTTOM - TOP) * plot.most) for block in plot.blocks)
    assert counted + plot.beyond == len(plot.latency.samples_ns)


def test_what_is_far_off_is_counted_and_not_drawn() -> None:
    usual = latency()
    plot = draw(replace(usual, samples_ns=(*usual.samples_ns, 10**12)))
    assert plot.beyond >= 1
    assert plot.slowest_ms == 1e6
    assert f"{plot.beyond} slower" in render_page(matrix(cell("m", "t", "p", report=report(latency=plot.latency))))


def test_percentiles_stand_in_order_and_none_hides_another() -> None:
    marks = draw(latency()).marks
    assert [mark.name for mark in marks] == ["p50", "p90", "p95", "p99"]
    assert [mark.x for mark in marks] == sorted(mark.x for mark in marks)
    assert len({mark.label_y for mark in marks}) == 4


def test_without_samples_there_is_no_plot_and_the_figures_stay() -> None:
    html = render_page(matrix(cell("m", "t", "p", report=report(latency=replace(latency(), samples_ns=()), more_latencies=()))))
    assert '<svg class="plot"' not in html
    assert "12.415 ms" in html


@given(st.lists(st.integers(0, 10**12), min_size=1, max_size=60))
def test_any_samples_stay_within_the_drawing(samples_ns: list[int]) -> None:
    plot = draw(replace(latency(), samples_ns=tuple(samples_ns)))
    assert plot.blocks
    for block in plot.blocks:
        assert LEFT - 1e-6 <= block.x <= block.x + block.width <= RIGHT + 1e-6
        assert TOP - 1e-6 <= block.y <= BOTTOM
        assert block.height > 0
    for mark in plot.marks:
        assert LEFT - 1e-6 <= mark.x <= RIGHT + 1e-6
    assert all(LEFT - 1e-6 <= tick.x <= RIGHT + 1e-6 for tick in plot.ticks)
    assert len({tick.label for tick in plot.ticks}) == len(plot.ticks) <= 6


def test_a_folder_that_is_not_there_is_an_output_error(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"report\.html"):
        write_page(everything(), tmp_path / "absent")


def test_it_is_written_whole(tmp_path: Path) -> None:
    path = write_page(everything(), tmp_path)
    assert path.read_text() == render_page(everything())
    assert [each.name for each in tmp_path.iterdir()] == ["report.html"]
