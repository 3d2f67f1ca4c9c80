"""Notes by a language model in Chromium: the form of the Case tab, and the Compare tab."""

from __future__ import annotations

import json
import re
import threading
from typing import Any

import pytest
from browsing import (
    DRAWING_MS,
    OWNERS_KEY,
    check_one_line,
    choose,
    download_json,
    keep,
    open_form,
    open_tab,
    read_an_example,
    type_in,
)
from playwright.sync_api import Locator, Page, expect
from standin import P3Held, requests_image_only

from tests.servers.llm_server import LlmServer

pytestmark = pytest.mark.browser
WRONG = {
    "report": "A symmetric lesion of a 30-year-old. ${1+1} {{value}} <b>No blue-gray areas.</b>",
    "stated_class": "melanocytic nevus",
    "stated_malignancy": "benign",
}
SEND = re.compile(r"Send to 127\.0\.0\.1:\d+ and compare")
SEND_ONE = re.compile(r"Send to 127\.0\.0\.1:\d+ and write the note")
NOTE_FILE = ("Download note and audit", "dermnote-note.json")


def wrong(body: dict[str, Any]) -> Any:
    return {"name": "says", "text": json.dumps(WRONG)} if requests_image_only(body) else None


# The form of the Case tab.


@pytest.fixture
def case(page: Page, llm: LlmServer) -> Page:
    """A page with an example read, and the form open for P3."""
    read_an_example(page)
    open_form(page)
    choose(page, "Strategy", "P3")
    return page


def test_note_is_requested_on_a_click_and_shows_its_claims(case: Page, llm: LlmServer) -> None:
    choose(case, "Diagnosis", "melanoma")
    destination = case.locator("#destination")
    expect(destination).to_contain_text("Sends the picture alone to 127.0.0.1")
    expect(destination).to_contain_text("some-model")
    llm.rule = wrong
    send = case.get_by_role("button", name=SEND_ONE)
    expect(send).to_be_enabled()
    assert not llm.requests  # choosing sends nothing
    send.click()
    expect(case.locator("#claims mark.dn-claim-contradicted").first).to_be_visible()
    expect(case.locator("#claims .dn-outcome")).to_contain_text("contradict the record: diagnosis, malignancy.")
    expect(case.locator("#claims .dn-legend li").first).to_contain_text("contradicted")
    expect(case.locator("#claims .dn-marked")).to_contain_text("${1+1} {{value}} <b>")
    assert len(llm.requests) == 1 and OWNERS_KEY not in case.content()
    keep(case, "claims")


def test_note_is_downloaded_and_an_edit_is_never_shown_as_checked(case: Page) -> None:
    choose(case, "Diagnosis", "melanoma")
    choose(case, "Strategy", "M: ")
    case.get_by_role("button", name="Write the note").click()
    expect(case.locator("#claims .dn-outcome")).to_contain_text("No claim contradicts")
    note = case.get_by_label("Written note")
    case.context.grant_permissions(["clipboard-read", "clipboard-write"])
    case.get_by_role("button", name="Copy the note").click()
    case.wait_for_function("async (text) => await navigator.clipboard.readText() === text", arg=note.input_value())
    record = download_json(case, *NOTE_FILE)
    assert record["strategy"] == "m" and record["record"] == {"label": "melanoma"} and not record["edited_by_hand"]
    assert record["audit"]["contradicted"] is False
    assert record["caution"] == "Research use only, never a diagnosis."
    note.fill("This record is of a skin lesion, diagnosed as a benign nevus.")
    expect(case.locator(".dn-edited")).to_be_visible()
    expect(case.locator("#claims .dn-marked")).to_be_hidden()
    edited = download_json(case, *NOTE_FILE)
    assert edited["text"] == note.input_value() and edited["edited_by_hand"] and edited["audit"] is None
    case.get_by_role("button", name="Check the edited note").click()
    expect(case.locator("#claims .dn-outcome")).to_contain_text(re.compile("contradicts? the record"))
    assert download_json(case, *NOTE_FILE)["audit"]["contradicted"] is True
    expect(case.get_by_role("button", name="Check the edited note")).to_be_hidden()


def test_refused_key_is_one_line_beside_the_form(case: Page, llm: LlmServer) -> None:
    llm.script(["401"])
    case.get_by_role("button", name=SEND_ONE).click()
    check_one_line(case.locator("#form-alert [role=alert]"), "OPENAI_API_KEY")
    expect(case.get_by_label("Written note")).not_to_have_value("")  # the previous note stays


def test_pending_note_never_arrives_under_another_image(case: Page, llm: LlmServer) -> None:
    sent, go_on = threading.Event(), threading.Event()

    def hold(_: dict[str, Any]) -> None:
        sent.set()
        go_on.wait(60)

    llm.rule = hold
    try:
        case.get_by_role("button", name=SEND_ONE).click()
        assert sent.wait(60)
        shown = case.locator("#read-column img").first
        before = shown.get_attribute("src") or ""
        case.locator(".dn-example").nth(1).click()
        expect(shown).not_to_have_attribute("src", before)
    finally:
        go_on.set()
    case.wait_for_timeout(1500)
    expect(case.get_by_label("Written note")).to_have_value(re.compile("^Class predicted by the model"))


# The Compare tab.


def card(page: Page, strategy: str) -> Locator:
    return page.locator(f'[data-strategy="{strategy}"]')


def copy_an_example(page: Page) -> Locator:
    """Copy an example to the Compare tab and fill in a record; return the panel."""
    read_an_example(page)
    open_tab(page, "Compare")
    page.get_by_role("button", name="Copy picture and fields").click()
    panel = page.get_by_role("tabpanel").filter(has=page.locator("#compare-cards"))
    expect(panel.locator('img[src*="/file="]')).to_be_visible()
    panel.get_by_label("Diagnosis", exact=True).click()
    page.get_by_role("option", name="melanoma").click()
    type_in(panel.get_by_label("Age in years"), "61")
    expect(card(page, "m").locator(".dn-marked")).to_contain_text("melanoma")  # written at once
    return panel


def test_one_press_requests_all_strategies_and_shows_their_claims(page: Page, llm: LlmServer) -> None:
    llm.rule = wrong
    copy_an_example(page)
    expect(card(page, "p3")).to_contain_text("the picture alone to 127.0.0.1")
    assert not llm.requests  # looking, choosing and filling in send nothing
    page.get_by_role("button", name=SEND).click()
    expect(card(page, "p3").locator(".dn-outcome")).to_contain_text("contradict the record: age, diagnosis, malignancy")
    expect(card(page, "p3").locator("mark.dn-claim-contradicted").last).to_contain_text("benign")
    expect(card(page, "p3").locator(".dn-marked")).to_contain_text("${1+1} {{value}} <b>No")
    for each in ("m+p1", "m+p2", "mix"):
        expect(card(page, each).locator(".dn-marked")).to_be_visible()
    expect(page.locator("#compare-status")).to_contain_text("The notes of the language model are below")
    rows = page.locator("#compare-summary tbody tr")
    expect(rows).to_have_count(5)
    expect(rows.nth(3)).to_contain_text("3")
    assert len(llm.chats) == 3 and OWNERS_KEY not in page.content()
    keep(page, "compare")
    saved = download_json(page, "Download notes and audits", "dermnote-comparison.json")
    assert [each["strategy"] for each in saved["notes"]] == ["m", "m+p1", "m+p2", "p3", "mix"]
    assert saved["notes"][3]["audit"]["contradicted"] and saved["notes"][3]["record"]["age"] == 61


def test_cards_fill_one_by_one_and_stay_after_a_stop(page: Page, llm: LlmServer) -> None:
    copy_an_example(page)
    send, stop = page.get_by_role("button", name=SEND), page.get_by_role("button", name="Stop", exact=True)
    status = page.locator("#compare-status")
    expect(stop).to_be_disabled()
    with P3Held() as held:
        llm.rule = held
        send.click()
        expect(card(page, "mix").locator(".dn-marked")).to_be_visible()
        expect(card(page, "p3")).to_contain_text("Waiting for the answer.")
        expect(status).to_contain_text("3 of 4 notes")
        expect(send).to_be_disabled()
        stop.click()
        expect(status).to_contain_text("Stopped.")
        expect(send).to_be_enabled()
    page.wait_for_timeout(1500)  # the answer arrives, and is not shown
    expect(status).to_contain_text("Stopped.")
    expect(card(page, "p3")).to_contain_text("Sends the picture")
    expect(card(page, "mix").locator(".dn-marked")).to_be_visible()


def test_another_image_ends_the_run_and_drops_its_notes(page: Page, llm: LlmServer) -> None:
    copy_an_example(page)
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


def test_errors_are_one_line_in_their_place(page: Page, llm: LlmServer) -> None:
    llm.rule = lambda body: "401" if requests_image_only(body) else None
    alert = page.locator("#compare-alert [role=alert]")
    open_tab(page, "Compare")
    page.wait_for_timeout(2 * DRAWING_MS)
    page.get_by_role("button", name=SEND).click()
    expect(alert).to_contain_text("There is no picture yet.")
    page.wait_for_timeout(2 * DRAWING_MS)
    expect(alert).to_be_visible()  # and it stays
    assert not llm.requests
    panel = copy_an_example(page)
    page.get_by_role("button", name=SEND).click()
    check_one_line(card(page, "p3").locator("[role=alert]"), "OPENAI_API_KEY")
    expect(card(page, "m+p2").locator(".dn-marked")).to_be_visible()
    type_in(panel.get_by_label("Age in years"), "old")
    expect(alert).to_contain_text("not a number of years")
    type_in(panel.get_by_label("Age in years"), "62")
    expect(alert).to_have_count(0)
    expect(page.locator("#compare-status")).to_contain_text("changed since")
    panel.locator("#compare-kind").get_by_text("Clinical photo").click()  # has the effect of another image
    expect(card(page, "m+p2")).to_contain_text("Sends the whole picture")
    expect(card(page, "m").locator(".dn-marked")).to_be_visible()
