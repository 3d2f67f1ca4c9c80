"""One Chromium and two apps for all browser tests: `python app.py` with an LLM and a Hub, and a stand-in without."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from browsing import OWNERS_KEY, STARTER_METRICS
from playwright.sync_api import Browser, Page, expect, sync_playwright
from standin import launched

from dermnote.hub.manifest import write_manifest
from tests.benchmarks.app_server import AppServer
from tests.places import find_chromium
from tests.servers.hub_server import Hub, running_hub
from tests.servers.llm_server import LlmServer

FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
# Records every host name that the server looks up; Python imports `sitecustomize` at start.
AUDIT_HOOK = """
import os, sys
def record(event, arguments):
    if event == "socket.getaddrinfo":
        with open(os.environ["LOOKUPS"], "a") as stream:
            stream.write(f"{arguments[0]}\\n")
sys.addaudithook(record)
"""
OWN_MACHINE = {"127.0.0.1", "localhost", "None", "0.0.0.0"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run these tests last: from the start of the browser on, Playwright's event loop runs in this thread."""
    folder = Path(__file__).parent
    items.sort(key=lambda item: folder in item.path.parents)
    for item in items:
        if folder in item.path.parents:
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="session")
def hub() -> Iterator[Hub]:
    with running_hub() as running:
        yield running


@pytest.fixture(scope="session")
def served(
    bundle_folder: Path, shared_llm: LlmServer, hub: Hub, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[AppServer]:
    """The app with a trained tiny model, the starter's figures, a language model and a Hub."""
    work = tmp_path_factory.mktemp("served")
    (work / "sitecustomize.py").write_text(AUDIT_HOOK)
    model, lookups = work / "mine", work / "lookups.txt"
    shutil.copytree(bundle_folder, model)
    shutil.copy(STARTER_METRICS, model / "metrics.json")
    write_manifest(model)
    paths = {"DERMNOTE_MODEL": str(model), "PYTHONPATH": str(work), "LOOKUPS": str(lookups)}
    llm = {"OPENAI_BASE_URL": shared_llm.url, "OPENAI_API_KEY": OWNERS_KEY, "DERMNOTE_LLM": "some-model"}
    hub_client = {"HF_ENDPOINT": hub.url, "HF_HUB_CACHE": str(work / "cache"), "HF_HUB_OFFLINE": "0"}
    server = AppServer(work, **paths, **llm, **hub_client)
    server.start()
    try:
        yield server
    finally:
        server.process.terminate()
        server.process.wait(timeout=20)
    assert "Traceback" not in server.log()
    assert set(lookups.read_text().split() if lookups.exists() else []) <= OWN_MACHINE


@pytest.fixture(scope="session")
def stand_in_url() -> Iterator[str]:
    """An app in this process, whose model answers at once."""
    with launched() as url:
        yield url


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=list(FLAGS))
        yield browser
        browser.close()


@pytest.fixture
def visit(browser: Browser) -> Iterator[Callable[..., Page]]:
    """A function that opens a page of an app; no page may send a request to another server."""
    outside: list[str] = []

    def open_page(url: str, width: int = 1280, scheme: str = "light") -> Page:
        context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)  # type: ignore[arg-type]
        page = context.new_page()
        page.on("request", lambda sent: sent.url.startswith((url, "data:", "blob:")) or outside.append(sent.url))
        page.on("dialog", lambda dialog: outside.append(dialog.message))
        page.set_default_timeout(60_000)
        page.goto(url)
        expect(page.get_by_role("heading", name="DermNote", level=1)).to_be_visible()
        expect(page.locator("html[data-wired]")).to_be_attached()  # its buttons work
        return page

    yield open_page
    for context in browser.contexts:  # each holds connections, and a browser keeps only a few to one address
        context.close()
    assert not outside


@pytest.fixture
def page(visit: Callable[..., Page], served: AppServer) -> Page:
    return visit(served.url)
