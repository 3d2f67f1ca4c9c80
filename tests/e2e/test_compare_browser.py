"""The Compare tab in Chromium: requests, cards, stop and download."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from browsing import DRAWING_MS, OWNERS_KEY, Served, keep, open_page, type_in
from playwright.sync_api import Browser, Locator, Page, expect

from tests.held import P3Held, requests_image_only
from tests.servers.llm_server import LlmServer

pytestmark = pytest.mark.browser
expect.set_options(timeout=60_000)
WRONG = {
    "report": "A symmetric lesion of a 30-year-old. ${1+1} <b>No blue-gray areas.</b>",
    "stated_class": "melanocytic nevus",
    "stated_malignancy": "benign",
}
SEND = re.compile(r"Send to 127\.0\.0\.1:\d+ and compare")


def wrong(body: dict[str, Any]) -> Any:
    return {"name": "says", "text": json.dumps(WRONG)} if requests_image_only(body) else None


def card(page: Page, strategy: str) -> Locator:
    return page.locator(f'[data-strategy="{strategy}"]')


def open_tab(page: Page, name: str) -> None:
    tab = page.get_by_role("tab", name=name)
    if not tab.is_visible():  # a narrow page folds the last ones away
        page.get_by_role("button", name="More tabs").click()
        tab = page.locator(".overflow-dropdown button").filter(has_text=name)
    tab.click()


def take_an_example_over(page: Page) -> None:
    """Reads an example on the first tab, and takes it over; then fills in what is known of it."""
    page.locator(".dn-example").first.click()
    expect(page.locator(".dn-classes li")).to_have_count(8)
    open_tab(page, "Compare")
    page.get_by_role("button", name="Copy picture and fields").click()
    panel = page.get_by_role("tabpanel").filter(has=page.locator("#compare-cards"))
    expect(panel.locator('img[src*="/file="]')).to_be_visible()
    panel.get_by_label("Diagnosis", exact=True).click()
    page.get_by_role("option", name="melanoma").click()
    type_in(panel.get_by_label("Age in years"), "61")
    expect(card(page, "m").locator(".dn-marked")).to_contain_text("melanoma")  # written at once


@pytest.mark.parametrize(
    ("name", "width", "scheme"),
    [("compare", 1280, "light"), ("compare-narrow-dark", 390, "dark")],
)
def test_one_press_requests_all_strategies_and_shows_their_claims(
    browser: Browser, asking: Served, llm: LlmServer, name: str, width: int, scheme: str
) -> None:
    llm.rule = wrong
    page, outside = open_page(browser, asking, width, scheme)
    take_an_example_over(page)
    expect(card(page, "p3")).to_contain_text("the picture alone to 127.0.0.1")
    assert not llm.requests  # looking, choosing and filling in send nothing
    page.get_by_role("button", name=SEND).click()
    expect(card(page, "p3").locator(".dn-outcome")).to_contain_text("contradict the record: age, diagnosis, malignancy")
    expect(card(page, "p3").locator("mark.dn-claim-contradicted").last).to_contain_text("benign")
    expect(card(page, "p3").locator(".dn-marked")).to_contain_text("${1+1} <b>No")
    for each in ("m+p1", "m+p2", "mix"):
        expect(card(page, each).locator(".dn-marked")).to_be_visible()
    expect(page.locator("#compare-status")).to_contain_text("The notes of the language model are below")
    rows = page.locator("#compare-summary tbody tr")
    expect(rows).to_have_count(5)
    expect(rows.nth(3)).to_contain_text("3")
    assert len(llm.chats) == 3
    keep(page, name)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert OWNERS_KEY not in page.content() and not outside
    with page.expect_download() as coming:
        page.get_by_role("button", name="Download notes and audits").click()
    assert coming.value.suggested_filename == "dermnote-comparison.json"
    saved = json.loads(coming.value.path().read_text(encoding="utf-8"))
    assert [each["strategy"] for each in saved["notes"]] == ["m", "m+p1", "m+p2", "p3", "mix"]
    assert saved["notes"][3]["audit"]["contradicted"] and saved["notes"][3]["record"]["age"] == 61


def test_cards_fill_one_by_one_and_stay_after_a_stop(browser: Browser, asking: Served, llm: LlmServer) -> None:
    page, _ = open_page(browser, asking)
    take_an_example_over(page)
    send, stop = page.get_by_role("button", name=SEND), page.get_by_role("button", name="Stop", exact=True)
    expect(stop).to_be_disabled()
    with P3Held() as held:
        llm.rule = held
        send.click()
        expect(card(page, "mix").locator(".dn-marked")).to_be_visible()
        expect(card(page, "p3")).to_contain_text("Waiting for the answer.")
        expect(page.locator("#compare-status")).to_contain_text("3 of 4 notes")
        expect(send).to_be_disabled()
        stop.click()
        expect(page.locator("#compare-status")).to_contain_text("Stopped.")
        expect(send).to_be_enabled()
    page.wait_for_timeout(1500)  # the answer comes, and nobody waits for it any more
    expect(page.locator("#compare-status")).to_contain_text("Stopped.")
    expect(card(page, "p3")).to_contain_text("Sends the picture")
    expect(card(page, "mix").locator(".dn-marked")).to_be_visible()
    open_tab(page, "Search by note")
    page.get_by_label("Clinical note").fill("a dark spot")
    page.get_by_role("button", name="Find pictures").click()
    expect(page.locator(".dn-grid .dn-hit").first).to_be_visible()  # stopping holds nobody else up


def test_another_image_ends_the_run_and_drops_its_notes(browser: Browser, asking: Served, llm: LlmServer) -> None:
    page, _ = open_page(browser, asking)
    take_an_example_over(page)
    with P3Held() as held:
        llm.rule = held
        page.get_by_role("button", name=SEND).click()
        expect(card(page, "mix").locator(".dn-marked")).to_be_visible()
        page.get_by_role("button", name="Copy picture and fields").click()
        expect(card(page, "mix")).to_contain_text("Sends nothing of its own")
    page.wait_for_timeout(1500)
    for each in ("m+p1", "m+p2", "p3"):
        expect(card(page, each)).to_contain_text("Sends the picture")
    expect(page.get_by_role("button", name=SEND)).to_be_enabled()


def test_errors_are_one_line_in_their_place(browser: Browser, asking: Served, llm: LlmServer) -> None:
    llm.rule = lambda body: "401" if requests_image_only(body) else None
    page, _ = open_page(browser, asking)
    open_tab(page, "Compare")
    page.wait_for_timeout(2 * DRAWING_MS)
    page.get_by_role("button", name=SEND).click()
    expect(page.locator("#compare-alert [role=alert]")).to_contain_text("There is no picture yet.")
    page.wait_for_timeout(2 * DRAWING_MS)
    expect(page.locator("#compare-alert [role=alert]")).to_be_visible()  # and it stays
    assert not llm.requests
    open_tab(page, "Case")
    take_an_example_over(page)
    page.get_by_role("button", name=SEND).click()
    expect(card(page, "p3").locator("[role=alert]")).to_contain_text("OPENAI_API_KEY")
    expect(card(page, "m+p2").locator(".dn-marked")).to_be_visible()
    panel = page.get_by_role("tabpanel").filter(has=page.locator("#compare-cards"))
    type_in(panel.get_by_label("Age in years"), "old")
    expect(page.locator("#compare-alert [role=alert]")).to_contain_text("not a number of years")
    type_in(panel.get_by_label("Age in years"), "62")
    expect(page.locator("#compare-alert [role=alert]")).to_have_count(0)
    expect(page.locator("#compare-status")).to_contain_text("changed since")
    panel.locator("#compare-kind").get_by_text("Clinical photo").click()  # as good as another picture
    expect(card(page, "m+p2")).to_contain_text("Sends the whole picture")
    expect(card(page, "m").locator(".dn-marked")).to_be_visible()
