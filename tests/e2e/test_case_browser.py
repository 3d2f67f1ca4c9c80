"""The Case tab in Chromium: evidence maps, gallery cases and predicted classes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from browsing import Served, drop, keep, open_page, type_in
from playwright.sync_api import Browser, expect

from train.data.sources.drawn import draw

pytestmark = pytest.mark.browser
expect.set_options(timeout=60_000)


def test_class_and_text_are_explained_by_keyboard(browser: Browser, served: Served) -> None:
    page, outside = open_page(browser, served)
    page.locator(".dn-example").first.focus()
    page.keyboard.press("Enter")
    heading = page.locator("#evidence h3")
    first = page.locator(".dn-classes [aria-pressed=true]").inner_text()
    expect(heading).to_have_text(f"Evidence map for {first}")
    third = page.locator(".dn-classes button").nth(2)
    third.focus()
    page.keyboard.press("Enter")
    expect(heading).to_have_text(f"Evidence map for {third.inner_text()}")
    expect(third).to_have_attribute("aria-pressed", "true")
    expect(page.locator(".dn-classes [aria-pressed=true]")).to_have_count(1)
    page.get_by_label("Or show where it fits some words").fill("blue-gray veil")
    page.keyboard.press("Enter")
    expect(heading).to_have_text("Evidence map for the words")
    page.get_by_label("Or show where it fits some words").fill(" ")
    page.keyboard.press("Enter")
    expect(page.locator("#words-alert [role=alert]")).to_contain_text("no text")
    expect(heading).to_have_text("Evidence map for the words")  # the map that is there stays
    assert not outside


def test_case_found_by_a_note_opens_with_its_evidence_map(browser: Browser, served: Served) -> None:
    page, outside = open_page(browser, served)
    page.get_by_role("tab", name="Search by note").click()
    words = page.get_by_label("Clinical note, or a few words")
    words.fill("a lesion with a pigment network")
    page.get_by_label("Show where each picture fits the words").check()
    expect(page.locator(".dn-grid .dn-hit img[alt^='Where the picture']")).to_have_count(6)
    keep(page, "search-maps")
    page.get_by_text("Only some of the gallery").click()
    page.get_by_label("Class", exact=True).click()
    page.get_by_role("option", name="melanoma").click()
    page.get_by_role("button", name="Find pictures", exact=True).click()
    expect(page.locator(".dn-grid .dn-class-name").first).to_have_text("melanoma")
    assert set(page.locator(".dn-grid .dn-class-name").all_inner_texts()) == {"melanoma"}
    page.locator(".dn-grid .dn-open").first.click()
    expect(page.get_by_role("tab", name="Case")).to_have_attribute("aria-selected", "true")
    expect(page.locator("#evidence h3")).to_have_text("Evidence map for the words")
    expect(page.locator("#asked-words input, #asked-words textarea")).to_have_value("a lesion with a pigment network")
    expect(page.locator(".dn-classes li")).to_have_count(8)
    keep(page, "opened-case")
    # And from the similar cases there, on to the next.
    before = page.locator(".dn-strip .dn-open").nth(3).get_attribute("data-case")
    page.locator(".dn-strip .dn-open").nth(3).click()
    expect(page.locator(".dn-strip .dn-open").first).to_have_attribute("data-case", str(before))
    assert not outside


def test_copied_class_is_stated_as_a_prediction(browser: Browser, served: Served) -> None:
    page, _ = open_page(browser, served)
    page.locator(".dn-example").first.click()
    expect(page.locator(".dn-classes li")).to_have_count(8)
    page.get_by_text("Write a note from what you know").click()
    page.get_by_role("button", name="Use the most likely class").click()
    first = page.locator(".dn-classes [aria-pressed=true]").inner_text()
    expect(page.get_by_label("Diagnosis")).to_have_value(first)
    type_in(page.get_by_label("Description of the findings"), "a blue-gray veil")
    page.get_by_role("button", name="Write the note").click()
    note = page.get_by_label("Written note")
    expect(note).to_have_value(re.compile("Class predicted by the model.*Noted beside it: a blue-gray veil"))
    expect(page.locator(".dn-origin")).to_contain_text("may be wrong")


def test_refused_file_after_an_image_is_one_line(browser: Browser, served: Served, tmp_path: Path) -> None:
    page, _ = open_page(browser, served)
    good, bad = tmp_path / "good.jpg", tmp_path / "letter.jpg"
    draw(3, 2, 128).save(good)
    bad.write_text("Dear colleague")
    drop(page, good)
    expect(page.locator(".dn-classes li")).to_have_count(8)
    page.get_by_role("button", name="Remove Image").first.click()
    expect(page.locator(".dn-classes li")).to_have_count(0)
    drop(page, bad)
    expect(page.locator("#picture-alert [role=alert]")).to_contain_text("letter.jpg is not a picture")
