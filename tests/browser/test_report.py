"""report.html as people see it: on a phone, at a desk, in the dark, on paper, by keyboard, without a network."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

import pytest
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys

from edgekit.matrix.wording import clean
from edgekit.report import Report
from tests.browser.window import OFF_THE_SHEET, STICKING_OUT, Window
from tests.gallery import HOSTILE, everything, kinds

PHONE, DESKTOP = (375, 667), (1280, 900)
SIZES = pytest.mark.parametrize("size", [PHONE, DESKTOP], ids=["phone", "desktop"])
SHEET = (1032, 730)  # A4 across, without its margins


def changed(path: Path, folder: Path, old: str, new: str) -> Path:
    """The same page, spoiled."""
    text = path.read_text()
    assert old in text
    made = folder / "spoiled.html"
    made.write_text(text.replace(old, new))
    return made


@SIZES
@pytest.mark.parametrize("fragment", ["", "#all"], ids=["closed", "open"])
def test_nothing_sticks_out_of_the_window(window: Window, constructed: Path, size: tuple[int, int], fragment: str) -> None:
    window.resize(*size)
    window.open(constructed, fragment)
    assert window.ask("return document.documentElement.scrollWidth") <= size[0]
    assert window.ask(STICKING_OUT) == []


@SIZES
def test_a_real_page_fits_too(window: Window, measured: tuple[Path, Report], size: tuple[int, int]) -> None:
    window.resize(*size)
    window.open(measured[0], "#all")
    assert window.ask("return document.documentElement.scrollWidth") <= size[0]
    assert window.ask(STICKING_OUT) == []


def test_that_check_sees_what_sticks_out(window: Window, constructed: Path, tmp_path: Path) -> None:
    window.resize(*PHONE)
    window.open(changed(constructed, tmp_path, "<main>", '<main><p style="width:900px">too wide</p>'))
    assert window.ask("return document.documentElement.scrollWidth") > PHONE[0]
    assert "too wide" in " ".join(window.ask(STICKING_OUT))


@SIZES
def test_the_grid_is_seen_with_a_link_for_every_cell(window: Window, constructed: Path, size: tuple[int, int]) -> None:
    window.resize(*size)
    window.open(constructed)
    links = window.find_all(".grid a")
    assert len(links) == len(everything().cells)
    assert all(link.is_displayed() and link.size["height"] >= 24 and link.size["width"] >= 24 for link in links)  # WCAG 2.5.8
    assert window.open_cells() == []
    first = links[0].rect
    assert 0 <= first["x"] < size[0]
    assert 0 <= first["y"] < size[1]


@SIZES
def test_a_click_opens_one_cell_and_a_link_closes_it(window: Window, constructed: Path, size: tuple[int, int]) -> None:
    window.resize(*size)
    window.open(constructed)
    window.find('.grid a[href="#cell-small-onnx-float16"]').click()
    assert window.open_cells() == ["small-onnx-float16"]
    top = window.ask("return document.querySelector('article:target').getBoundingClientRect().top")
    assert 0 <= top < size[1] / 2
    window.find('.grid a[href="#cell-large-onnx-int8"]').click()
    assert window.open_cells() == ["large-onnx-int8"]
    window.find("article:target .back").click()
    assert window.open_cells() == []


def test_every_link_opens_its_own_cell(window: Window, constructed: Path) -> None:
    window.open(constructed)
    for link in window.find_all(".grid a"):
        window.ask(f"location.hash = {link.get_dom_attribute('href')!r}")
        (name,) = window.open_cells()
        assert name.startswith(" ".join(clean(link.accessible_name.split(" ")[0]).split()))
    assert window.ask("return document.querySelectorAll('article:target').length") == 1


def test_the_keyboard_alone_opens_a_cell(window: Window, constructed: Path) -> None:
    window.open(constructed)
    for _ in range(10):
        ActionChains(window.driver).send_keys(Keys.TAB).perform()
        focused = window.driver.switch_to.active_element
        if (focused.get_dom_attribute("href") or "").startswith("#cell-"):
            break
    assert focused.get_dom_attribute("href") == "#cell-small-onnx-float32"
    assert window.ask("return getComputedStyle(document.activeElement).outlineStyle") == "solid"  # it is seen where one is
    ActionChains(window.driver).send_keys(Keys.ENTER).perform()
    assert window.open_cells() == ["small-onnx-float32"]
    ActionChains(window.driver).send_keys(Keys.TAB).perform()  # focus has gone into the cell
    assert window.ask("return document.activeElement.closest('article')?.id") == "cell-small-onnx-float32"


def test_all_cells_can_be_opened_at_once(window: Window, constructed: Path) -> None:
    window.open(constructed)
    window.find('a[href="#all"]').click()
    assert len(window.open_cells()) == len(everything().cells)


def test_a_real_cell_shows_the_figures_of_its_report(window: Window, measured: tuple[Path, Report]) -> None:
    path, report = measured
    latency, parity, accuracy, times = report.latency, report.parity, report.accuracy, report.operators
    assert latency
    assert parity
    assert accuracy
    assert times
    window.open(path)
    mark = "?" if latency.doubts else ""
    grid = window.find(".grid a").text
    assert f"{parity.worst_sqnr_db:.1f} dB" in grid
    assert f"{latency.p50_ms:.2f}{mark} ms" in grid
    window.find(".grid a").click()
    told = window.find("article:target").text
    expected = [f"{latency.p50_ms:.3f}{mark} ms", f"{latency.p95_ms:.3f}{mark}", f"{accuracy.top1.value:.2%}"]
    expected += [f"{accuracy.count} labelled pictures", f"{report.size_bytes:,}", f"{parity.tolerance.min_sqnr_db:g} dB"]
    expected += [f"onnxruntime {report.versions['onnxruntime']}", latency.machine.processor if latency.machine else "?"]
    assert [each for each in expected if each not in told] == []
    assert all(doubt in told for doubt in latency.doubts)
    bars = {row.find_element("css selector", "th").text: row.text for row in window.find_all("article:target .bars tbody tr")[:5]}
    stem = sum(operator.ms for operator in times.operators if operator.layer == "stem")
    assert f"{stem:.3f}" in bars["stem"]
    assert window.find("article:target svg.plot").size["height"] > 100


@SIZES
def test_it_asks_for_nothing_and_complains_of_nothing(window: Window, constructed: Path, size: tuple[int, int]) -> None:
    window.resize(*size)
    window.open(constructed, "#all")
    assert window.fetched() == [constructed.as_uri()]
    assert window.complaints() == []
    assert window.ask("return document.scripts.length") == 0


def test_its_own_policy_lets_nothing_in_and_that_check_would_see_it(window: Window, constructed: Path, tmp_path: Path) -> None:
    spoiled = changed(constructed, tmp_path, "<main>", '<main><img src="other.png"><script>document.title = "run"</script>')
    window.open(spoiled)
    assert len(window.complaints()) == 2  # the policy refused both
    assert window.driver.title != "run"
    window.open(changed(spoiled, tmp_path, 'http-equiv="Content-Security-Policy"', 'name="none"'))
    assert any(url.endswith("other.png") for url in window.fetched())
    assert window.driver.title == "run"


def test_names_that_are_markup_are_shown_and_not_obeyed(window: Window, constructed: Path) -> None:
    window.open(constructed, "#all")
    # it has text: mypy cannot know
    names = [" ".join(each.get_attribute("textContent").split()) for each in window.find_all(".grid tbody th")]  # type: ignore[union-attr]
    assert " ".join(HOSTILE.split()) in names


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_can_be_read(window: Window, constructed: Path, scheme: str) -> None:
    window.emulate(scheme=scheme)
    window.open(constructed, "#all")
    background = window.ask("return getComputedStyle(document.body).backgroundColor")
    assert (min(map(int, re.findall(r"\d+", background))) > 200) == (scheme == "light")
    assert window.low_contrasts() == []


def test_that_check_sees_pale_text(window: Window, constructed: Path, tmp_path: Path) -> None:
    window.open(changed(constructed, tmp_path, "--muted: #566072", "--muted: #b0b8c4"), "#all")
    assert window.low_contrasts()


def test_an_outcome_is_told_by_word_and_shape_too(window: Window, constructed: Path) -> None:
    window.open(constructed)
    styles = {}
    for link in window.find_all(".grid a"):
        outcome = (link.get_dom_attribute("class") or "").split()[0]
        assert {"converted": "not verified"}.get(outcome, outcome) in link.text
        styles[outcome] = link.value_of_css_property("border-left-style")
    assert len(set(styles.values())) == len(styles) == 4


def test_a_goal_that_is_met_looks_met_in_a_cell_that_failed(window: Window, constructed: Path) -> None:
    window.open(constructed, "#cell-large-onnx-float32")
    words = {each.text: each.value_of_css_property("color") for each in window.find_all("article:target td .word")}
    failed = window.find("article:target > header .word").value_of_css_property("color")
    assert words["missed"] == failed
    assert words["met"] == words["passed"] != failed


def test_a_screen_reader_is_told_where_it_is(window: Window, constructed: Path) -> None:
    window.open(constructed, "#cell-small-onnx-float32")
    assert window.ask("return document.documentElement.lang") == "en"
    link = window.find('.grid a[href="#cell-small-coreml-int8"]')
    assert link.aria_role == "link"
    assert link.accessible_name.startswith("small coreml int8: not verified")
    assert window.find("article:target").accessible_name == "small-onnx-float32"
    plot = window.find("article:target svg.plot")
    assert plot.aria_role in {"image", "img"}
    assert "p50 12.4 ms" in plot.accessible_name
    assert {each.aria_role for each in window.find_all(".grid thead th")} == {"columnheader"}
    assert {each.aria_role for each in window.find_all(".grid tbody th")} == {"rowheader"}
    levels = window.ask("return [...document.querySelectorAll('h1,h2,h3,h4')].map(each => Number(each.tagName[1]))")
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))  # none is left out


def folded(window: Window) -> list[str]:
    """What is in a fold and is not seen."""
    script = (
        "return [...document.querySelectorAll('details > :not(summary)')].filter(e => !e.checkVisibility()).map(e => e.outerHTML)"
    )
    found: list[str] = window.ask(script)
    return found


def test_on_paper_every_cell_and_every_fold_is_open_and_nothing_is_cut(window: Window, constructed: Path) -> None:
    window.resize(*SHEET)
    window.open(constructed)
    assert folded(window)  # on the screen
    window.emulate(media="print", scheme="dark")
    assert len(window.open_cells()) == len(everything().cells)
    assert folded(window) == []
    assert window.ask(OFF_THE_SHEET) == []
    assert window.ask("return getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert window.low_contrasts() == []
    assert {row.value_of_css_property("break-inside") for row in window.find_all("article tr")} == {"avoid"}
    assert {each.value_of_css_property("overflow-x") for each in window.find_all(".scroll")} == {"visible"}


def test_that_check_sees_a_page_that_is_not_made_for_paper(window: Window, constructed: Path, tmp_path: Path) -> None:
    window.resize(*SHEET)
    window.emulate(media="print")
    window.open(changed(constructed, tmp_path, "@media print {", "@media (width < 0px) {"))
    assert window.open_cells() == []
    assert folded(window)


def test_printing_gives_the_pages_of_all_cells(window: Window, constructed: Path, tmp_path: Path) -> None:
    """How many pages there are: no reader of PDFs is here, and the layout is judged above."""
    window.emulate(media="")  # the printer's own
    window.open(constructed)
    whole = len(re.findall(rb"/Type\s*/Page\b", window.print()))
    window.open(changed(constructed, tmp_path, "@media print {", "@media (width < 0px) {"))
    closed = len(re.findall(rb"/Type\s*/Page\b", window.print()))
    assert whole >= len(kinds())
    assert 1 <= closed < 6
