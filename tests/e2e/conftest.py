"""One app for all tests that ask nothing special of it, and a browser for each file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from browsing import OWNERS_KEY, Served, chromium, close_pages, serving
from playwright.sync_api import Browser

from tests.servers.llm_server import LlmServer


@pytest.fixture(scope="session")
def served(bundle_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(bundle_folder, tmp_path_factory.mktemp("app")) as served:
        yield served


@pytest.fixture(scope="session")
def asking(bundle_folder: Path, shared_llm: LlmServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """One that is set up with a language model."""
    settings = {"OPENAI_BASE_URL": shared_llm.url, "OPENAI_API_KEY": OWNERS_KEY, "DERMNOTE_LLM": "some-model"}
    with serving(bundle_folder, tmp_path_factory.mktemp("asking"), **settings) as served:
        yield served


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture(autouse=True)
def _closed_pages(request: pytest.FixtureRequest) -> Iterator[None]:
    yield
    if "browser" in request.fixturenames:
        close_pages(request.getfixturevalue("browser"))
