"""Accessibility of every tab: axe-core, keyboard, reduced motion."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from browsing import PHONE, type_in
from playwright.sync_api import Locator, Page, expect

pytestmark = pytest.mark.browser

SERIOUS = ("serious", "critical")
LIST = 'role="combobox"'
FOCUSED = """
() => {
  const e = document.activeElement;
  if (!e || e === document.body) return null;
  let around = e, seen = false;
  for (let i = 0; i < 4 && around; i++, around = around.parentElement) {
    const look = getComputedStyle(around);
    seen ||= look.outlineStyle !== 'none' && parseFloat(look.outlineWidth) >= 2;
  }
  return [window.dnStops.indexOf(e), seen, e.outerHTML.slice(0, 120)];
}
"""
STOPS = """
() => {
  const all = document.querySelectorAll('button, input, textarea, select, summary, a[href], [tabindex]');
  const takes = (e) => !e.disabled && e.tabIndex >= 0 && e.checkVisibility({visibilityProperty: true})
    && e.type !== 'file' && !e.closest('details:not([open]) > :not(summary)');
  window.dnStops = [...all].filter(takes);
  document.activeElement.blur();
  return window.dnStops.map((e) => e.type === 'radio' && !e.checked ? '' : e.outerHTML.slice(0, 120));
}
"""
# Waits for animations: the background that shows through a list that fades in would count against its contrast.
STILL = """
() => Promise.allSettled(document.getAnimations()
  .filter((each) => each.effect.getComputedTiming().endTime < Infinity).map((each) => each.finished))
"""
MOVING = """
() => [...document.querySelectorAll('.gradio-container *')].filter((e) => {
  const s = getComputedStyle(e), longest = (times) => Math.max(...times.split(',').map(parseFloat));
  return (s.animationName !== 'none' && longest(s.animationDuration) > 0.02) || longest(s.transitionDuration) > 0.02;
}).length
"""


@pytest.fixture
def page(visit: Callable[..., Page], stand_in_url: str) -> Page:
    return visit(stand_in_url)


def tabs(page: Page) -> Iterator[str]:
    """Open one tab after another, unfold its parts and press an example; yield its name."""
    for tab in page.get_by_role("tab").all():
        tab.click()
        expect(tab).to_have_attribute("aria-selected", "true")
        for folded in visible(
            page.locator("[role=tabpanel] button[aria-expanded=false], button.label-wrap:not(.open)")
        ):
            folded.click()
        for example in visible(page.locator(".dn-example, .dn-queries button"))[:1]:
            example.click()
            expect(page.locator(".dn-hit:visible").first).to_be_visible()
        page.wait_for_timeout(500)  # what folds open does so slowly
        yield tab.inner_text()


def visible(found: Locator) -> list[Locator]:
    return [each for each in found.all() if each.is_visible()]


def serious(page: Page) -> dict[str, list[Any]]:
    """Return the serious findings of axe-core by rule."""
    page.evaluate(STILL)
    found = Axe().run(page).response
    assert len(found["passes"]) > 5, "axe-core looked at nothing"
    return {
        each["id"]: [(node["target"], node["html"][:200]) for node in each["nodes"]]
        for each in found["violations"]
        if each["impact"] in SERIOUS
    }


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", PHONE)])
def test_every_tab_passes_axe_and_keyboard(
    visit: Callable[..., Page], stand_in_url: str, scheme: str, width: int
) -> None:
    page = visit(stand_in_url, width, scheme)
    seen = []
    for name in tabs(page):
        seen.append(name)
        assert serious(page) == {}, name
        check_walk(page, name)
    assert len(seen) >= 3


def check_walk(page: Page, name: str) -> None:
    """Check that the Tab key reaches every control, from top to bottom, with a visible focus."""
    stops = page.evaluate(STOPS)
    page.mouse.click(2, 2)  # from the top of the page
    reached: list[int] = []
    left = ""
    for _ in range(2 * len(stops)):
        page.keyboard.press("Tab")
        focused = page.evaluate(FOCUSED)
        if focused is None and LIST not in left:
            break
        # Gradio's list of choices, where it is long enough to scroll, catches one Tab and goes: the next one goes on.
        place, seen, left = focused or (None, True, "")
        assert seen, f"{name}: nothing shows that the keyboard is at {left}"
        reached += [] if place is None else [place]
        page.wait_for_timeout(300 if LIST in left else 0)  # it opens slower than a test types
    missed = [part for place, part in enumerate(stops) if part and place not in reached]
    assert reached == sorted(reached) and not missed, f"{name}: {reached} of {len(stops)}, not {missed}"


def test_axe_finds_real_errors(page: Page) -> None:
    page.evaluate(
        "document.querySelector('.dn-foot').innerHTML = '<button></button><span style=color:#eee>pale</span>'"
    )
    assert set(serious(page)) == {"button-name", "color-contrast"}


def test_open_list_and_error_pass_axe(page: Page) -> None:
    page.get_by_text("Write a note from what you know").click()
    type_in(page.get_by_label("Age in years"), "old")
    page.get_by_role("button", name="Write the note").click()
    expect(page.locator("#form-alert [role=alert]")).to_be_visible()
    page.get_by_label("Strategy", exact=True).click()
    expect(page.get_by_role("option", name="P3:")).to_be_visible()
    assert serious(page) == {}


def test_image_is_read_and_note_searched_by_keyboard(page: Page) -> None:
    page.locator(".dn-example").first.focus()
    page.keyboard.press("Enter")
    expect(page.locator(".dn-classes li")).to_have_count(8)
    page.get_by_label("Clinical photo").focus()
    page.keyboard.press("Space")
    expect(page.get_by_text("Read as a clinical photo")).to_be_visible()
    page.locator("#note-form button").first.focus()
    page.keyboard.press("Space")
    expect(page.get_by_label("Age in years")).to_be_visible()
    page.get_by_label("Strategy", exact=True).focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.locator("#destination")).to_contain_text("No language model is set up here")
    page.get_by_role("tab", name="Search by note").focus()
    page.keyboard.press("Enter")
    page.locator(".dn-queries button").first.focus()
    page.keyboard.press("Space")
    expect(page.locator(".dn-grid .dn-hit")).to_have_count(6)


def test_reduced_motion_is_respected(page: Page) -> None:
    assert page.evaluate(MOVING) > 0
    page.emulate_media(reduced_motion="reduce")
    assert [(name, page.evaluate(MOVING)) for name in tabs(page) if page.evaluate(MOVING)] == []
