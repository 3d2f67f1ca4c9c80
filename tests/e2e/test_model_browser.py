"""The Model tab in Chromium: figures of held-out sets, and another model for one visitor alone."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from browsing import STARTER_METRICS, check_one_line, keep, open_tab, read_an_example
from playwright.sync_api import Locator, Page, expect

from dermnote.app.loaded_models import KEPT
from dermnote.hub import push
from dermnote.hub.manifest import write_manifest
from tests.benchmarks.app_server import AppServer
from tests.micro_bundle import make_bundle
from tests.servers.hub_server import WRITE_TOKEN, Hub

pytestmark = pytest.mark.browser
SECOND, HOSTILE = "org/second", "org/hostile"
OTHERS = [f"org/other{number}" for number in range(KEPT)]
CARD = "# Hostile\n\n![spy](https://tracker.example/1.png)<img src=https://tracker.example/2.png onerror=alert(1)>\n"
NASTY = "<img src=https://tracker.example/3.png onerror=alert(2)>"
BACK = "Back to the first model"


@pytest.fixture(scope="module", autouse=True)
def _published(hub: Hub, tmp_path_factory: pytest.TempPathFactory) -> None:
    """A small bundle on the Hub, the same under other names, and one with hostile card and figures."""
    folder = make_bundle(tmp_path_factory.mktemp("second") / "bundle", seed=1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HF_ENDPOINT", hub.url)
        for name in (SECOND, *OTHERS):
            push(folder, name, token=WRITE_TOKEN)
        (folder / "README.md").write_text(f"---\nlicense: cc-by-4.0\ntags:\n- dermnote\n---\n{CARD}", encoding="utf-8")
        groups = {NASTY: {"values": {NASTY: {"n_cases": 30, "kappa": 0.5}}}}
        block = {"n_cases": "many", "classification": {"accuracy": 0.5, "kappa": NASTY}, "groups": groups}
        metrics = {"classnames": [NASTY], "splits": {NASTY: {NASTY: block}}}
        (folder / "metrics.json").write_text(json.dumps(metrics), encoding="utf-8")
        write_manifest(folder)
        push(folder, HOSTILE, token=WRITE_TOKEN)


def held_out(source: str) -> str:
    """Return the beginning of the sentence on a held-out set of the shown figures."""
    block = json.loads(STARTER_METRICS.read_text())["splits"]["test"][source]
    return f"On {block['n_cases']} held-out images of {block['n_groups']} patients or lesions"


def load(page: Page, name: str) -> None:
    page.locator("#model-switch").get_by_role("textbox").fill(name)
    page.get_by_role("button", name="Load this model").click()


def switch(page: Page, name: str) -> None:
    open_tab(page, "Model")
    load(page, name)
    expect(page.locator("#model-status")).to_contain_text(f"{name} @ ")
    expect(page.locator("#model-status")).to_contain_text("answers you now")
    expect(page.locator(".dn-model")).to_contain_text(name)


def first_similar(page: Page) -> str:
    """Return the similar case of the first example."""
    read_an_example(page)
    return page.locator(".dn-strip .dn-where").first.inner_text()


def back_button(page: Page) -> Locator:
    return page.get_by_role("button", name=BACK)


def test_figures_of_a_held_out_set_are_chosen_without_a_request(page: Page) -> None:
    open_tab(page, "Model")
    first, drawn = page.get_by_text(held_out("all")), page.get_by_text(held_out("drawn"))
    expect(first).to_be_visible()
    expect(drawn).to_be_hidden()
    requests: list[str] = []
    page.on("request", lambda sent: requests.append(sent.url))
    choice = page.get_by_label("Held-out images")
    choice.select_option(label=choice.locator("option", has_text="test, drawn").inner_text())
    expect(drawn).to_be_visible()
    expect(first).to_be_hidden()
    expect(page.get_by_role("img", name="Reliability")).to_have_count(1)
    page.get_by_text("Reliability as a table").locator("visible=true").click()
    expect(page.get_by_role("region", name="Reliability")).to_be_visible()
    keep(page, "model")
    assert not requests


def test_another_model_answers_one_visitor_on_every_tab_and_the_first_comes_back(
    visit: Callable[..., Page], served: AppServer
) -> None:
    page, other = visit(served.url), visit(served.url)
    before = first_similar(other)
    read_an_example(page)
    switch(page, SECOND)
    keep(page, "switched")
    expect(page.locator(".dn-facts").first).to_contain_text(SECOND)
    expect(page.get_by_text("Nothing was measured for this bundle")).to_be_visible()
    expect(page.locator(".dn-code")).to_contain_text(f'from_pretrained("{SECOND}", revision=')
    open_tab(page, "Case")
    expect(page.get_by_text("Nothing read yet").first).to_be_visible()  # the previous model's answers are gone
    assert first_similar(page) != before == first_similar(other)
    expect(other.locator(".dn-model")).to_contain_text("mine")
    open_tab(page, "Search by note")
    page.locator(".dn-queries button").first.click()
    expect(page.locator(".dn-grid .dn-hit")).to_have_count(6)
    open_tab(page, "Model")
    back_button(page).click()
    expect(page.locator(".dn-model")).not_to_contain_text(SECOND)
    expect(page.locator("#model-status")).to_contain_text("The first model answers you: mine.")
    expect(back_button(page)).to_be_hidden()
    expect(page.get_by_text(held_out("all"))).to_be_visible()


def test_model_that_cannot_be_loaded_is_one_line_beside_the_field(page: Page) -> None:
    open_tab(page, "Model")
    for name, message in {
        "org/unknown": "org/unknown is not on the Hub",
        f"{SECOND}@v9": "has no revision 'v9'",
        "/no/such/folder": "There is no folder",
        "": "No model is named yet",
    }.items():
        load(page, name)
        check_one_line(page.locator("#model-alert [role=alert]"), message)
        expect(page.locator("#model-status")).to_contain_text("The first model answers you")
    expect(page.locator(".dn-model")).to_contain_text("mine")
    expect(back_button(page)).to_be_hidden()


def test_nothing_in_a_hostile_bundle_runs_or_is_fetched(page: Page) -> None:
    switch(page, HOSTILE)
    page.get_by_text("The whole model card").click()
    expect(page.get_by_text("[image: spy]")).to_be_visible()
    expect(page.locator(".dn-measured").get_by_text(NASTY).first).to_be_visible()
    page.wait_for_timeout(500)  # the fixture checks dialogs and requests


def test_unloaded_model_that_cannot_be_loaded_again_is_one_line_on_another_tab(
    visit: Callable[..., Page], served: AppServer, hub: Hub
) -> None:
    page = visit(served.url)
    switch(page, SECOND)
    for other in OTHERS:
        switch(visit(served.url), other)
    second = hub.store.repos.pop(("models", SECOND))
    open_tab(page, "Case")
    page.locator(".dn-example").first.click()
    line = page.get_by_test_id("toast-body")
    expect(line).to_contain_text("cannot be loaded again")
    expect(line).to_contain_text("Go back to the first model on the Model tab.")
    hub.store.repos["models", SECOND] = second
    assert first_similar(page)  # it is loaded again
