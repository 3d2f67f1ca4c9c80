"""The Case and the Search tab in Chromium: reading, searching, evidence maps, gallery cases, and the form."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from browsing import PHONE, check_one_line, choose, drop, keep, open_form, open_tab, read_an_example, type_in
from PIL import Image
from playwright.sync_api import Page, expect

from tests.benchmarks.app_server import AppServer
from train.data.sources.drawn import draw

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def lesion(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A photo as a phone writes it: rotated by EXIF, with maker and place."""
    path = tmp_path_factory.mktemp("pictures") / "lesion.jpg"
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "a phone of somebody"
    exif.get_ifd(0x8825)[1] = "N"
    draw(99, 6, 320).save(path, exif=exif)
    return path


def test_dropped_image_gives_classes_note_and_similar_cases(page: Page, served: AppServer, lesion: Path) -> None:
    expect(page.get_by_text("Research use only, never a diagnosis.").first).to_be_visible()
    keep(page, "start")
    drop(page, lesion)
    expect(page.locator(".dn-classes li")).to_have_count(8)
    assert page.locator(".dn-share").first.inner_text().endswith("%")
    note = page.get_by_label("Written note")
    assert "Class predicted by the model" in note.input_value()
    expect(page.locator(".dn-rows .dn-hit")).to_have_count(4)
    expect(page.locator(".dn-strip .dn-hit img")).to_have_count(6)
    keep(page, "read")
    kept = [path for path in served.kept_files() if path.name == "lesion.jpg"]
    assert kept and all(b"a phone of somebody" not in path.read_bytes() for path in kept)
    # The same image, read again as another kind, without a second upload.
    expect(page.get_by_text("Read as dermoscopy")).to_be_visible()
    page.get_by_label("Clinical photo").first.check()
    expect(page.get_by_text("Read as a clinical photo")).to_be_visible()
    # And its note looked up, without typing it again.
    page.get_by_role("button", name="Find pictures for this note").click()
    expect(page.locator(".dn-grid .dn-hit")).to_have_count(6)
    assert page.get_by_label("Clinical note, or a few words").input_value() == note.input_value()


def test_refused_file_is_one_line_beside_the_input(page: Page, tmp_path: Path, lesion: Path) -> None:
    wrong = tmp_path / "letter.jpg"
    wrong.write_text("Dear colleague,\n")
    alert = page.locator("#picture-alert [role=alert]")
    drop(page, wrong)
    check_one_line(alert, "letter.jpg is not a picture")
    drop(page, lesion)  # the next file is read as if nothing had happened
    expect(page.locator(".dn-classes li")).to_have_count(8)
    expect(alert).to_have_count(0)
    page.get_by_role("button", name="Remove Image").first.click()
    expect(page.locator(".dn-classes li")).to_have_count(0)
    drop(page, wrong)
    check_one_line(alert, "letter.jpg is not a picture")


def test_class_and_text_are_explained_by_keyboard(page: Page) -> None:
    page.locator(".dn-example").first.focus()
    page.keyboard.press("Enter")
    heading, pressed = page.locator("#evidence h3"), page.locator(".dn-classes [aria-pressed=true]")
    expect(heading).to_have_text(f"Evidence map for {pressed.inner_text()}")
    third = page.locator(".dn-classes button").nth(2)
    third.focus()
    page.keyboard.press("Enter")
    expect(heading).to_have_text(f"Evidence map for {third.inner_text()}")
    expect(third).to_have_attribute("aria-pressed", "true")
    expect(pressed).to_have_count(1)
    words = page.get_by_label("Or show where it fits some words")
    words.fill("blue-gray veil")
    page.keyboard.press("Enter")
    expect(heading).to_have_text("Evidence map for the words")
    words.fill(" ")
    page.keyboard.press("Enter")
    expect(page.locator("#words-alert [role=alert]")).to_contain_text("no text")
    expect(heading).to_have_text("Evidence map for the words")  # the previous map stays


def test_case_found_by_a_note_opens_with_its_evidence_map(page: Page) -> None:
    open_tab(page, "Search by note")
    words = page.get_by_label("Clinical note, or a few words")
    page.locator(".dn-queries button").first.click()
    expect(words).not_to_have_value("")
    expect(page.locator(".dn-grid .dn-hit img")).to_have_count(6)
    words.fill("a lesion with a pigment network")
    page.get_by_label("Show where each picture fits the words").check()
    expect(page.locator(".dn-grid .dn-hit img[alt^='Where the picture']")).to_have_count(6)
    keep(page, "search-maps")
    page.get_by_text("Only some of the gallery").click()
    choose(page, "Class", "melanoma")
    page.get_by_role("button", name="Find pictures", exact=True).click()
    expect(page.locator(".dn-grid .dn-class-name").first).to_have_text("melanoma")
    assert set(page.locator(".dn-grid .dn-class-name").all_inner_texts()) == {"melanoma"}
    page.locator(".dn-grid .dn-open").first.click()
    expect(page.get_by_role("tab", name="Case")).to_have_attribute("aria-selected", "true")
    expect(page.locator("#evidence h3")).to_have_text("Evidence map for the words")
    field = page.locator("#evidence-text input, #evidence-text textarea")
    expect(field).to_have_value("a lesion with a pigment network")
    expect(page.locator(".dn-classes:not(.dn-recall) li")).to_have_count(8)
    keep(page, "opened-case")
    similar = page.locator(".dn-strip .dn-open")
    following = similar.nth(3).get_attribute("data-case")
    similar.nth(3).click()
    expect(similar.first).to_have_attribute("data-case", str(following))


def test_note_is_written_from_the_form_and_a_copied_class_is_stated_as_a_prediction(page: Page) -> None:
    open_form(page)
    type_in(page.get_by_label("Description of the findings").first, "a blue-gray veil")
    page.get_by_label("State age, sex and place in the note", exact=True).check()
    note, write = page.get_by_label("Written note"), page.get_by_role("button", name="Write the note")
    write.click()
    expect(note).to_have_value("This record is of a skin lesion. Noted beside it: a blue-gray veil.")  # no age of 0
    page.get_by_label("Age in years").first.fill("old")
    write.click()
    expect(page.locator("#form-alert [role=alert]")).to_contain_text("age")
    page.get_by_label("Age in years").first.fill("")
    read_an_example(page)
    page.get_by_role("button", name="Use the most likely class").click()
    first = page.locator(".dn-classes [aria-pressed=true]").inner_text()
    expect(page.get_by_label("Diagnosis").first).to_have_value(first)
    write.click()
    expect(note).to_have_value(re.compile("Class predicted by the model.*Noted beside it: a blue-gray veil"))
    expect(page.locator(".dn-origin")).to_contain_text("may be wrong")


def test_without_a_language_model_nothing_can_be_sent(visit: Callable[..., Page], stand_in_url: str) -> None:
    page = visit(stand_in_url)
    open_form(page)
    for strategy in ("M+P1:", "M+P2:", "P3:", "MIX:"):
        choose(page, "Strategy", strategy)
        expect(page.locator("#destination")).to_contain_text("No language model is set up here")
        expect(page.get_by_role("button", name="Write the note")).to_be_disabled()


@pytest.mark.parametrize(("name", "width", "scheme"), [("dark", 1280, "dark"), ("narrow", PHONE, "light")])
def test_every_tab_fits_in_dark_mode_and_on_a_phone(
    visit: Callable[..., Page], served: AppServer, name: str, width: int, scheme: str
) -> None:
    page = visit(served.url, width, scheme)
    read_an_example(page)
    open_form(page)
    choose(page, "Strategy", "P3")
    page.get_by_role("button", name=re.compile("Send to .* and write the note")).click()
    expect(page.locator("#claims .dn-legend")).to_be_visible()
    keep(page, name)
    background = page.evaluate("getComputedStyle(document.querySelector('.dn-card')).backgroundColor")
    assert (background == "rgb(28, 34, 36)") == (scheme == "dark")
    for tab in ("Search by note", "Compare", "Batch", "Model"):
        open_tab(page, tab)
        keep(page, f"{tab.split()[0].lower()}-{name}")
    page.get_by_text("The whole model card").click()
    matrix = page.locator(".dn-confusion").first  # is shown whole, without scrolling
    assert not matrix.evaluate("(table) => table.scrollWidth > table.clientWidth + 1")
