"""Apps shared by the browser tests: with a trained tiny model, with a language model, and with a stand-in."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from browsing import OWNERS_KEY, Served, chromium, close_pages, serving
from launching import launched
from playwright.sync_api import Browser

from tests.servers.llm_server import LlmServer


@pytest.fixture(scope="session")
def served(bundle_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(bundle_folder, tmp_path_factory.mktemp("app")) as served:
        yield served


@pytest.fixture(scope="session")
def asking(bundle_folder: Path, shared_llm: LlmServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """An app with a language model."""
    settings = {"OPENAI_BASE_URL": shared_llm.url, "OPENAI_API_KEY": OWNERS_KEY, "DERMNOTE_LLM": "some-model"}
    with serving(bundle_folder, tmp_path_factory.mktemp("asking"), **settings) as served:
        yield served


@pytest.fixture(scope="session")
def stand_in_url() -> Iterator[str]:
    """An app in this process, whose model answers at once."""
    with launched() as url:
        yield url


@pytest.fixture(scope="module")  # not for the session: Playwright's event loop would run during all later tests
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture(autouse=True)
def _closed_pages(request: pytest.FixtureRequest) -> Iterator[None]:
    yield
    if "browser" in request.fixturenames:
        close_pages(request.getfixturevalue("browser"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.slow)
