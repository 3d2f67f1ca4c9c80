"""Actions of a visitor in Chromium that several browser tests share."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from playwright.sync_api import Locator, Page, expect

from tests.places import REPOSITORY

STARTER_METRICS = REPOSITORY / "dermnote" / "starter" / "metrics.json"
SCREENSHOTS = REPOSITORY / "screenshots"
OWNERS_KEY = "sk-the-owners-own-key"  # of the language model
DRAWING_MS = 500  # Gradio draws unfolded parts a moment before they work; nobody is as fast as a test
PHONE = 390  # width in pixels
expect.set_options(timeout=60_000)


def drop(page: Page, *paths: Path, field: str = "") -> None:
    page.locator(f"{field} input[type=file]").first.set_input_files(list(map(str, paths)))


def open_tab(page: Page, name: str) -> None:
    tab = page.get_by_role("tab", name=name, exact=True)
    if not tab.is_visible():  # a narrow page folds the last ones away
        page.locator(".overflow-menu > button").click()
        tab = page.locator(".overflow-dropdown button").filter(has_text=name)
    tab.click()


def read_an_example(page: Page, number: int = 0) -> None:
    open_tab(page, "Case")
    page.locator(".dn-example").nth(number).click()
    expect(page.locator(".dn-classes:not(.dn-recall) li")).to_have_count(8)


def open_form(page: Page) -> None:
    page.get_by_text("Write a note from what you know").click()


def choose(panel: Page | Locator, label: str, option: str) -> None:
    panel.get_by_label(label, exact=True).click()
    panel.get_by_role("option", name=option).click()


def type_in(field: Locator, text: str) -> None:
    """Type again until the text stays: Gradio draws an unfolded field a moment before it keeps its text."""
    for _ in range(10):
        field.fill(text)
        field.page.wait_for_timeout(DRAWING_MS)
        if field.input_value() == text:
            break
    expect(field).to_have_value(text)


def download(page: Page, button: str, name: str) -> str:
    with page.expect_download() as expected:
        page.get_by_role("button", name=button).click()
    assert expected.value.suggested_filename == name
    return Path(expected.value.path()).read_text(encoding="utf-8")


def download_json(page: Page, button: str, name: str) -> Any:
    return json.loads(download(page, button, name))


def check_one_line(alert: Locator, text: str) -> None:
    expect(alert).to_contain_text(text)
    line = alert.inner_text()
    assert "\n" not in line and "Traceback" not in line and "/tmp" not in line


def keep(page: Page, name: str) -> None:
    """Save a screenshot; check that the page needs no horizontal scrolling."""
    SCREENSHOTS.mkdir(exist_ok=True)
    page.wait_for_timeout(400)  # bars grow in
    page.screenshot(path=SCREENSHOTS / f"{name}.png", full_page=True)
    assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0
