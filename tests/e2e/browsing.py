"""Starting the app as a visitor's machine would, and looking at it in Chromium."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright

from tests.places import REPOSITORY, find_chromium

SCREENSHOTS = REPOSITORY / "screenshots"
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
OWNERS_KEY = "sk-the-owners-own-key"  # of the apps that ask a language model
DRAWING_MS = 500  # Gradio draws what was folded away a moment before it works; nobody is as fast as a test
PATIENCE_SECONDS = 180  # a test run is seldom alone on its cores
# Writes down every name the server looks up; Python imports `sitecustomize` by itself when it starts.
EAVESDROPPER = """
import os, sys
def heard(event, arguments):
    if event == "socket.getaddrinfo":
        with open(os.environ["LOOKUPS"], "a") as stream:
            stream.write(f"{arguments[0]}\\n")
sys.addaudithook(heard)
"""


@dataclass(frozen=True)
class Served:
    """A running app."""

    url: str
    seconds: float  # from the command to the first answer
    work_seconds: float  # processor time it took: what it would take alone, were all of it one thread
    lookups: Path
    uploads: Path


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def processor_seconds(pid: int) -> float | None:
    """User and system time of a process so far; None where there is no /proc."""
    stat = Path(f"/proc/{pid}/stat")
    if not stat.exists():
        return None
    ticks = stat.read_text().rsplit(")", 1)[1].split()[11:13]
    return sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK")


@contextmanager
def serving(bundle: Path, work: Path, **settings: str) -> Iterator[Served]:
    """`python app.py` on a bundle, until the block ends; `settings` are environment variables."""
    (work / "sitecustomize.py").write_text(EAVESDROPPER)
    port = free_port()
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("OPENAI_", "DERMNOTE_"))}
    environment |= {
        "DERMNOTE_MODEL": str(bundle),
        "GRADIO_SERVER_PORT": str(port),
        "GRADIO_TEMP_DIR": str(work / "uploads"),
        "PYTHONPATH": str(work),
        "LOOKUPS": str(work / "lookups.txt"),
        **settings,
    }
    environment.pop("GRADIO_ANALYTICS_ENABLED")  # the app must see to that by itself
    log = work / "log.txt"
    begun = time.monotonic()
    with log.open("wb") as stream:
        process = subprocess.Popen(
            [sys.executable, "app.py"], cwd=REPOSITORY, env=environment, stdout=stream, stderr=subprocess.STDOUT
        )
    try:
        while True:
            assert process.poll() is None, log.read_text()
            assert time.monotonic() - begun < PATIENCE_SECONDS, log.read_text()
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.05)
        seconds = time.monotonic() - begun
        worked = processor_seconds(process.pid) or seconds
        yield Served(f"http://127.0.0.1:{port}", seconds, worked, work / "lookups.txt", work / "uploads")
    finally:
        process.terminate()
        process.wait(timeout=20)
    assert "Traceback" not in log.read_text()


@contextmanager
def chromium() -> Iterator[Browser]:
    """A browser without a window."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=list(FLAGS))
        yield browser
        browser.close()


def close_pages(browser: Browser) -> None:
    """Every open page holds connections to the app, and a browser keeps only a few to one address."""
    for context in browser.contexts:
        context.close()


def open_page(browser: Browser, served: Served, width: int = 1280, scheme: str = "light") -> tuple[Page, list[str]]:
    """A fresh page, and the list of requests that went anywhere but to the app."""
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
    """Types as somebody who looks: Gradio draws what was folded away a moment before it keeps what is typed there."""
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
