"""A note by a language model in Chromium: recipient, claims, editing and download."""

from __future__ import annotations

import json
import re
import threading
from contextlib import suppress
from typing import Any

import pytest
from browsing import OWNERS_KEY, Served, keep, open_page
from playwright.sync_api import Browser, Locator, Page, expect

from tests.servers.llm_server import LlmServer

pytestmark = pytest.mark.browser
expect.set_options(timeout=60_000)
REPORT = {
    "report": "A symmetric lesion with a sharp border. ${1+1} {{value}} <b>No blue-gray areas.</b>",
    "stated_class": "melanocytic nevus",
    "stated_malignancy": "benign",
}


def choose(page: Page, label: str, option: str) -> None:
    page.get_by_label(label, exact=True).click()
    page.get_by_role("option", name=option).click()


def read_an_example(page: Page) -> None:
    page.locator(".dn-example").first.click()
    expect(page.locator(".dn-classes li")).to_have_count(8)
    page.get_by_text("Write a note from what you know").click()


def downloaded(page: Page) -> dict[str, Any]:
    with page.expect_download() as coming:
        page.get_by_role("button", name="Download note and audit").click()
    assert coming.value.suggested_filename == "dermnote-note.json"
    return json.loads(coming.value.path().read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("name", "width", "scheme"),
    [("claims", 1280, "light"), ("claims-dark", 1280, "dark"), ("claims-narrow", 390, "light")],
)
def test_note_is_requested_on_a_click_and_shows_its_claims(
    browser: Browser, asking: Served, llm: LlmServer, name: str, width: int, scheme: str
) -> None:
    page, outside = open_page(browser, asking, width, scheme)
    read_an_example(page)
    choose(page, "Diagnosis", "melanoma")
    choose(page, "Strategy", "P3")
    destination = page.locator("#destination")
    expect(destination).to_contain_text("Sends the picture alone to 127.0.0.1")
    expect(destination).to_contain_text("some-model")
    before = len(llm.requests)
    llm.script([{"name": "says", "text": json.dumps(REPORT)}])
    send = page.get_by_role("button", name=re.compile(r"Send to 127\.0\.0\.1:\d+ and write the note"))
    expect(send).to_be_enabled()
    assert len(llm.requests) == before  # choosing sends nothing
    press(page, send)
    expect(page.locator("#claims mark.dn-claim-contradicted").first).to_contain_text("melanocytic nevus")
    expect(page.locator("#claims .dn-outcome")).to_contain_text("contradict the record: diagnosis, malignancy.")
    expect(page.locator("#claims .dn-legend li").first).to_contain_text("contradicted")
    expect(page.locator("#claims .dn-marked")).to_contain_text("${1+1} {{value}} <b>")
    assert len(llm.requests) == before + 1
    keep(page, name)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert OWNERS_KEY not in page.content() and not outside


def press(page: Page, send: Locator) -> None:
    """Presses until the note is there: now and then the first press on a fresh page is never answered."""
    for _ in range(3):
        send.click()
        with suppress(AssertionError):
            expect(page.locator("#claims .dn-outcome strong")).not_to_be_empty(timeout=15_000)
            return


def test_note_is_downloaded_and_an_edit_is_never_shown_as_checked(
    browser: Browser, asking: Served, llm: LlmServer
) -> None:
    page, outside = open_page(browser, asking)
    read_an_example(page)
    choose(page, "Diagnosis", "melanoma")
    page.get_by_role("button", name="Write the note").click()
    expect(page.locator("#claims .dn-outcome")).to_contain_text("No claim contradicts")
    note = page.get_by_label("Written note")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="Copy the note").click()
    page.wait_for_function("async (text) => await navigator.clipboard.readText() === text", arg=note.input_value())
    record = downloaded(page)
    assert record["strategy"] == "m" and record["record"] == {"label": "melanoma"} and not record["edited_by_hand"]
    assert record["audit"]["contradicted"] is False
    assert record["caution"] == "Research use only, never a diagnosis."
    note.fill("This record is of a skin lesion, diagnosed as a benign nevus.")
    expect(page.locator(".dn-edited")).to_be_visible()
    expect(page.locator("#claims .dn-marked")).to_be_hidden()
    edited = downloaded(page)
    assert edited["text"] == note.input_value() and edited["edited_by_hand"] and edited["audit"] is None
    page.get_by_role("button", name="Check the edited note").click()
    expect(page.locator("#claims .dn-outcome")).to_contain_text("contradict")
    assert downloaded(page)["audit"]["contradicted"] is True
    expect(page.get_by_role("button", name="Check the edited note")).to_be_hidden()
    assert not outside


def test_refused_key_is_one_line_beside_the_form(browser: Browser, asking: Served, llm: LlmServer) -> None:
    page, _ = open_page(browser, asking)
    read_an_example(page)
    choose(page, "Strategy", "P3")
    llm.script(["401"])
    page.get_by_role("button", name=re.compile("Send to")).click()
    expect(page.locator("#form-alert [role=alert]")).to_contain_text("OPENAI_API_KEY")
    expect(page.get_by_label("Written note")).not_to_have_value("")  # what was there stays


def test_pending_note_never_arrives_under_another_image(browser: Browser, asking: Served, llm: LlmServer) -> None:
    page, _ = open_page(browser, asking)
    read_an_example(page)
    choose(page, "Strategy", "P3")
    come, go_on = threading.Event(), threading.Event()

    def hold(_: dict[str, Any]) -> None:
        come.set()
        go_on.wait(60)

    llm.rule = hold
    try:
        page.get_by_role("button", name=re.compile("Send to")).click()
        assert come.wait(60)
        shown = page.locator("#read-column img").first
        before = shown.get_attribute("src") or ""
        page.locator(".dn-example").nth(1).click()
        expect(shown).not_to_have_attribute("src", before)
    finally:
        go_on.set()
    page.wait_for_timeout(1500)
    expect(page.get_by_label("Written note")).to_have_value(re.compile("^Class predicted by the model"))


def test_server_looked_up_no_other_machine(asking: Served) -> None:
    """Runs last, on the look-ups of all tests above."""
    assert not asking.foreign_hosts()
