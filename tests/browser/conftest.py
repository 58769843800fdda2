"""report.html in a real Chromium. Without one these tests are skipped; where EDGEKIT_REQUIRE_BROWSER is set they fail."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service

from edgekit.document import read_json
from edgekit.matrix.page import write_page
from edgekit.matrix.record import CellResult
from edgekit.report import FILE_NAME, Report
from tests.browser.window import Window
from tests.e2e.conftest import run_cli
from tests.gallery import everything, matrix

BROWSERS = ("chromium", "chromium-browser", "google-chrome")


def _executable(*names: str) -> str:
    found = next((path for name in names if (path := shutil.which(name))), None)
    if found is None:
        message = f"no {names[0]} here: Debian's packages chromium and chromium-driver have it"
        if os.environ.get("EDGEKIT_REQUIRE_BROWSER"):
            pytest.fail(message)
        pytest.skip(message)
    return found


@pytest.fixture(scope="session")
def driver() -> Iterator[webdriver.Chrome]:
    """One browser for all tests."""
    options = Options()
    options.binary_location = _executable(*BROWSERS)
    flags = ["--headless=new", "--disable-dev-shm-usage", "--disable-gpu", "--hide-scrollbars", "--disable-background-networking"]
    if os.geteuid() == 0:
        flags.append("--no-sandbox")  # Chromium's sandbox refuses root, as which CI runs
    for flag in flags:
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    chrome = webdriver.Chrome(options=options, service=Service(_executable("chromedriver")))
    yield chrome
    chrome.quit()


@pytest.fixture
def window(driver: webdriver.Chrome) -> Window:
    """The browser as a desktop has it, in light colours, on screen."""
    opened = Window(driver)
    opened.resize(1280, 900)
    opened.emulate()
    return opened


@pytest.fixture(scope="session")
def constructed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a cell of every kind."""
    return write_page(everything(), tmp_path_factory.mktemp("constructed"))


@pytest.fixture(scope="session")
def measured(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Report]:
    """The page of a real conversion, and its report."""
    folder = tmp_path_factory.mktemp("measured")
    done = run_cli("convert", "-t", "onnx", "-p", "float32", "--evaluation", "digits", "-o", folder, "-q")
    assert done.code == 0, done.stderr
    report = read_json(folder / "digits-onnx-float32" / FILE_NAME, Report)
    cell = CellResult("digits-onnx-float32", "digits", None, "onnx", "float32", "", "passed", "", 0, False, (), report)
    return write_page(matrix(cell), folder), report
