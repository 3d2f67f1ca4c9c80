"""Start of the app as on a visitor's machine, and Chromium."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright

from tests.benchmarks.app_server import AppServer
from tests.places import REPOSITORY, find_chromium

SCREENSHOTS = REPOSITORY / "screenshots"
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
OWNERS_KEY = "sk-the-owners-own-key"  # of the apps with a language model
DRAWING_MS = 500  # Gradio draws unfolded parts a moment before they work; nobody is as fast as a test
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


@dataclass(frozen=True)
class Served:
    """A running app: its address, the file of host names it looked up, and its folder of uploads."""

    url: str
    lookups: Path = Path()
    uploads: Path = Path()

    def foreign_hosts(self) -> set[str]:
        """Return the looked-up host names of other machines."""
        return set(self.lookups.read_text().split() if self.lookups.exists() else []) - OWN_MACHINE


@contextmanager
def serving(bundle: Path, work: Path, **settings: str) -> Iterator[Served]:
    """Run `python app.py` on a bundle until the block ends; `settings` are environment variables."""
    (work / "sitecustomize.py").write_text(AUDIT_HOOK)
    lookups = work / "lookups.txt"
    paths = {"DERMNOTE_MODEL": str(bundle), "PYTHONPATH": str(work), "LOOKUPS": str(lookups)}
    server = AppServer(work, **paths, **settings)
    server.start()
    try:
        yield Served(server.url, lookups, server.uploads)
    finally:
        server.process.terminate()
        server.process.wait(timeout=20)
    assert "Traceback" not in server.log()


@contextmanager
def chromium() -> Iterator[Browser]:
    """Run a headless browser."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=list(FLAGS))
        yield browser
        browser.close()


def close_pages(browser: Browser) -> None:
    """Close all pages: each holds connections to the app, and a browser keeps only a few to one address."""
    for context in browser.contexts:
        context.close()


def open_page(browser: Browser, served: Served, width: int = 1280, scheme: str = "light") -> tuple[Page, list[str]]:
    """Return a new page, and the list of its requests to other servers."""
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)  # type: ignore[arg-type]
    page, outside = context.new_page(), []
    page.on("request", lambda sent: sent.url.startswith((served.url, "data:", "blob:")) or outside.append(sent.url))
    page.set_default_timeout(60_000)
    page.goto(served.url)
    expect(page.get_by_role("heading", name="DermNote", level=1)).to_be_visible()
    expect(page.locator("html[data-wired]")).to_be_attached()  # its buttons work
    return page, outside


def drop(page: Page, path: Path) -> None:
    page.locator("input[type=file]").first.set_input_files(str(path))


def type_in(field: Locator, text: str) -> None:
    """Type again until the text stays: Gradio draws an unfolded field a moment before it keeps its text."""
    for _ in range(10):
        field.fill(text)
        field.page.wait_for_timeout(DRAWING_MS)
        if field.input_value() == text:
            break
    expect(field).to_have_value(text)


def keep(page: Page, name: str) -> None:
    SCREENSHOTS.mkdir(exist_ok=True)
    page.wait_for_timeout(400)  # bars grow in
    page.screenshot(path=SCREENSHOTS / f"{name}.png", full_page=True)
