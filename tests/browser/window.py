"""What the tests ask a browser for: sizes, media, what was fetched, what sticks out, how strong the contrast is."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement

# Elements wider than the window that no box of their own lets scroll.
STICKING_OUT = """
const width = document.documentElement.clientWidth;
return [...document.querySelectorAll('body *')].filter(element => {
  const box = element.getBoundingClientRect();
  return box.width > 0 && box.right > width + 1 && !element.closest('.hidden, .symbols')
    && !(element.closest('.scroll, pre') && !element.matches('.scroll, pre'));
}).map(element => element.tagName + '.' + element.getAttribute('class') + ' ' + element.textContent.slice(0, 40));
"""
# What stands on paper outside of the sheet: nothing scrolls there.
OFF_THE_SHEET = """
const width = document.documentElement.clientWidth;
return [...document.querySelectorAll('main th, main td, main p, main li, main dd, main svg, main pre')].filter(element => {
  const box = element.getBoundingClientRect();
  return box.width > 0 && box.right > width + 1 && !element.closest('.hidden, .symbols');
}).map(element => element.tagName + ' ' + element.textContent.slice(0, 40));
"""
# WCAG 2.2, 1.4.3: of every text that is seen, the ratio of its luminance to that of the nearest opaque background.
CONTRASTS = """
const luminance = colour => {
  const [r, g, b] = colour.match(/[\\d.]+/g).slice(0, 3).map(Number).map(v => v / 255)
    .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const behind = element => {
  for (; element; element = element.parentElement) {
    const colour = getComputedStyle(element).backgroundColor;
    if (!/, 0\\)$/.test(colour)) return colour;
  }
  return 'rgb(255, 255, 255)';
};
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
const found = [];
while (walker.nextNode()) {
  const text = walker.currentNode.textContent.trim(), element = walker.currentNode.parentElement;
  if (!text || element.closest('.hidden, .skip, style') || !element.getClientRects().length) continue;
  const style = getComputedStyle(element), colour = element.closest('svg') ? style.fill : style.color;
  const [a, b] = [luminance(colour), luminance(behind(element))].sort((x, y) => y - x);
  found.push([(a + 0.05) / (b + 0.05), text.slice(0, 40)]);
}
return found;
"""


class Window:
    """A browser's one window."""

    def __init__(self, driver: Chrome) -> None:
        self.driver = driver

    def resize(self, width: int, height: int) -> None:
        """Be so large, in CSS pixels; below 600 be a phone."""
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)

    def emulate(self, *, media: str = "screen", scheme: str = "light") -> None:
        """Be a screen or paper, in light or dark colours; with no media, whichever the page is for at the time."""
        features = [{"name": "prefers-color-scheme", "value": scheme}, {"name": "prefers-reduced-motion", "value": "reduce"}]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": media, "features": features})

    def open(self, path: Path, fragment: str = "") -> None:
        """Load a file afresh; what was logged before is forgotten."""
        self.driver.get("about:blank")
        for kind in ("browser", "performance"):
            self.driver.get_log(kind)  # type: ignore[no-untyped-call]  # selenium types it not
        self.driver.get(f"{path.as_uri()}{fragment}")

    def fetched(self) -> list[str]:
        """Addresses that were asked for since the file was opened."""
        # likewise: mypy cannot know
        messages = [json.loads(each["message"])["message"] for each in self.driver.get_log("performance")]  # type: ignore[no-untyped-call]
        sent = [each["params"]["request"]["url"] for each in messages if each["method"] == "Network.requestWillBeSent"]
        return [url for url in sent if not url.startswith("data:")]

    def complaints(self) -> list[str]:
        """What the browser's console says."""
        return [each["message"] for each in self.driver.get_log("browser")]  # type: ignore[no-untyped-call]  # likewise

    def ask(self, script: str) -> Any:
        """Run a function's body in the page."""
        return self.driver.execute_script(script)

    def low_contrasts(self, least: float = 4.5) -> list[tuple[float, str]]:
        """Texts that are hard to read: below WCAG's level AA."""
        found: Sequence[tuple[float, str]] = self.ask(CONTRASTS)
        assert len(found) > 20  # there was something to look at
        return [(ratio, text) for ratio, text in found if ratio < least]

    def find(self, selector: str) -> WebElement:
        """The first element."""
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def find_all(self, selector: str) -> list[WebElement]:
        """Every such element."""
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def open_cells(self) -> list[str]:
        """Names of the cells whose parts are seen."""
        return [each.find_element(By.TAG_NAME, "h3").text for each in self.find_all("article.cell") if each.is_displayed()]

    def print(self) -> bytes:
        """The page as a PDF."""
        made = self.driver.execute_cdp_cmd("Page.printToPDF", {"preferCSSPageSize": True, "printBackground": False})
        return base64.b64decode(made["data"])
