"""The Model tab as a visitor meets it: figures to choose among, and another model for this visitor alone."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from browsing import Served, keep, open_page, serving
from playwright.sync_api import Browser, Locator, Page, expect

from dermnote.app.loaded_models import KEPT
from dermnote.hub import push
from dermnote.hub.manifest import write_manifest
from tests.micro_bundle import make_bundle
from tests.servers.hub_server import WRITE_TOKEN, Hub, running_hub

pytestmark = pytest.mark.browser
expect.set_options(timeout=60_000)
STARTER = Path(__file__).parents[2] / "dermnote" / "starter"
SECOND, FOREIGN = "org/second", "org/foreign"
OTHERS = [f"org/other{number}" for number in range(KEPT)]
CARD = "# Foreign\n\n![spy](https://tracker.example/1.png)<img src=https://tracker.example/2.png onerror=alert(1)>\n"
NASTY = "<img src=https://tracker.example/3.png onerror=alert(2)>"


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small bundle with the starter's figures."""
    folder = make_bundle(tmp_path_factory.mktemp("first") / "mine")
    (folder / "metrics.json").write_bytes((STARTER / "metrics.json").read_bytes())
    write_manifest(folder)
    return folder


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    """A Hub with a small bundle, the same under other names, and one whose words somebody hostile wrote."""
    folder = make_bundle(tmp_path_factory.mktemp("second") / "bundle", seed=1)
    with running_hub() as running, pytest.MonkeyPatch.context() as patch:
        patch.setenv("HF_ENDPOINT", running.url)
        for name in (SECOND, *OTHERS):
            push(folder, name, token=WRITE_TOKEN)
        (folder / "README.md").write_text(f"---\nlicense: cc-by-4.0\ntags:\n- dermnote\n---\n{CARD}", encoding="utf-8")
        groups = {NASTY: {"values": {NASTY: {"n_cases": 30, "kappa": 0.5}}}}
        block = {"n_cases": "many", "classification": {"accuracy": 0.5, "kappa": NASTY}, "groups": groups}
        metrics = {"classnames": [NASTY], "splits": {NASTY: {NASTY: block}}}
        (folder / "metrics.json").write_text(json.dumps(metrics), encoding="utf-8")
        write_manifest(folder)
        push(folder, FOREIGN, token=WRITE_TOKEN)
        yield running


@pytest.fixture(scope="module")
def served(first: Path, hub: Hub, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    work = tmp_path_factory.mktemp("app")
    settings = {"HF_ENDPOINT": hub.url, "HF_HUB_CACHE": str(work / "cache"), "HF_HUB_OFFLINE": "0"}
    with serving(first, work, **settings) as served:
        yield served


def field(page: Page) -> Locator:
    return page.locator("#model-switch").get_by_role("textbox")


def open_model_tab(page: Page) -> None:
    page.get_by_role("tab", name="Model", exact=True).click()
    expect(field(page)).to_be_visible()


def load(page: Page, name: str) -> None:
    field(page).fill(name)
    page.get_by_role("button", name="Load this model").click()


def switch(page: Page, name: str) -> None:
    open_model_tab(page)
    load(page, name)
    expect(page.locator("#model-status")).to_contain_text(f"{name} @ ")
    expect(page.locator("#model-status")).to_contain_text("answers you now")
    expect(page.locator(".dn-model")).to_contain_text(name)


def read_an_example(page: Page) -> str:
    """Reads the first example; the cases found, as they are named."""
    page.get_by_role("tab", name="Case", exact=True).click()
    page.locator(".dn-example").first.click()
    expect(page.locator(".dn-classes:not(.dn-recall) li")).to_have_count(8)
    return page.locator(".dn-strip .dn-where").first.inner_text()


def test_the_figures_of_a_held_out_set_are_chosen_without_asking_the_server(browser: Browser, served: Served) -> None:
    page, outside = open_page(browser, served)
    open_model_tab(page)
    expect(page.get_by_text("On 928 held-out images of 824 patients or lesions")).to_be_visible()
    drawn = page.get_by_text("On 360 held-out images of 360 patients or lesions")
    expect(drawn).to_be_hidden()
    asked: list[str] = []
    page.on("request", lambda sent: asked.append(sent.url))
    page.get_by_label("Held-out images").select_option(label="test, drawn (360 images)")
    expect(drawn).to_be_visible()
    expect(page.get_by_text("On 928 held-out images of 824")).to_be_hidden()
    expect(page.get_by_role("img", name="Reliability")).to_have_count(1)
    page.get_by_text("Reliability as a table").locator("visible=true").click()
    expect(page.get_by_role("region", name="Reliability")).to_be_visible()
    keep(page, "model")
    assert not asked and not outside


@pytest.mark.parametrize(
    ("name", "width", "scheme"),
    [("model-dark", 1280, "dark"), ("model-narrow", 390, "light")],
)
def test_the_tab_holds_in_the_dark_and_on_a_phone(
    browser: Browser, served: Served, name: str, width: int, scheme: str
) -> None:
    page, outside = open_page(browser, served, width, scheme)
    open_model_tab(page)
    page.get_by_text("The whole model card").click()
    keep(page, name)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    cut = "(table) => table.scrollWidth > table.clientWidth + 1"
    assert not page.locator(".dn-confusion").first.evaluate(cut)  # a matrix that must be scrolled is not seen whole
    assert not outside


def test_another_model_answers_on_every_tab_and_the_first_comes_back(browser: Browser, served: Served) -> None:
    page, outside = open_page(browser, served)
    read_an_example(page)
    switch(page, SECOND)
    keep(page, "switched")
    expect(page.locator(".dn-facts").first).to_contain_text(SECOND)
    expect(page.get_by_text("Nothing was measured for this bundle")).to_be_visible()
    expect(page.locator(".dn-code")).to_contain_text(f'from_pretrained("{SECOND}", revision=')
    page.get_by_role("tab", name="Case", exact=True).click()
    expect(page.get_by_text("Nothing read yet")).to_be_visible()  # what the model before said is gone
    read_an_example(page)
    page.get_by_role("tab", name="Search by note").click()
    page.locator(".dn-queries button").first.click()
    expect(page.locator(".dn-grid .dn-hit")).to_have_count(6)
    page.get_by_role("tab", name="Model", exact=True).click()
    page.get_by_role("button", name="Back to the first model").click()
    expect(page.locator(".dn-model")).not_to_contain_text(SECOND)
    expect(page.locator("#model-status")).to_contain_text("The first model answers you: mine.")
    expect(page.get_by_role("button", name="Back to the first model")).to_be_hidden()
    expect(page.get_by_text("On 928 held-out images of 824")).to_be_visible()
    assert not outside


def test_what_cannot_be_loaded_is_one_line_beside_the_field(browser: Browser, served: Served) -> None:
    page, _ = open_page(browser, served)
    open_model_tab(page)
    alert = page.locator("#model-alert [role=alert]")
    for name, said in {
        "org/unknown": "org/unknown is not on the Hub",
        f"{SECOND}@v9": "has no revision 'v9'",
        "/no/such/folder": "There is no folder",
        "": "No model is named yet",
    }.items():
        load(page, name)
        expect(alert).to_contain_text(said)
        assert "\n" not in alert.inner_text() and "Traceback" not in alert.inner_text()
        expect(page.locator("#model-status")).to_contain_text("The first model answers you")
    expect(page.locator(".dn-model")).to_contain_text("mine")
    expect(page.get_by_role("button", name="Back to the first model")).to_be_hidden()


def test_one_visitor_s_model_leaves_the_other_s_as_it_is(browser: Browser, served: Served) -> None:
    one, _ = open_page(browser, served)
    other, _ = open_page(browser, served)
    before = read_an_example(other)
    switch(one, SECOND)
    expect(other.locator(".dn-model")).to_contain_text("mine")
    assert read_an_example(one)
    assert read_an_example(other) == before
    assert other.get_by_label("Written note").input_value() != ""


def test_nothing_of_a_foreign_bundle_s_words_runs_or_is_fetched(browser: Browser, served: Served) -> None:
    page, outside = open_page(browser, served)
    page.on("dialog", lambda dialog: outside.append(dialog.message))
    switch(page, FOREIGN)
    page.get_by_text("The whole model card").click()
    expect(page.get_by_text("[image: spy]")).to_be_visible()
    expect(page.locator(".dn-measured").get_by_text(NASTY).first).to_be_visible()
    page.wait_for_timeout(500)
    assert not outside


def test_a_model_that_went_and_cannot_come_back_is_one_line_on_another_tab(
    browser: Browser, served: Served, hub: Hub
) -> None:
    page, _ = open_page(browser, served)
    switch(page, SECOND)
    for other in OTHERS:
        rival, _ = open_page(browser, served)
        switch(rival, other)
    second = hub.store.repos.pop(("models", SECOND))
    page.get_by_role("tab", name="Case", exact=True).click()
    page.locator(".dn-example").first.click()
    line = page.get_by_test_id("toast-body")
    expect(line).to_contain_text("cannot be loaded again")
    expect(line).to_contain_text("Go back to the first model on the Model tab.")
    hub.store.repos["models", SECOND] = second
    assert read_an_example(page)  # it is loaded again


def test_the_server_looked_up_nobody_but_the_hub(served: Served) -> None:
    """Runs last: what all of the above made the server ask the network for."""
    asked = set(served.lookups.read_text().split()) if served.lookups.exists() else set()
    assert asked <= {"127.0.0.1", "localhost", "None", "0.0.0.0"}, asked
