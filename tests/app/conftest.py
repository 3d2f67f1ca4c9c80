"""Fixtures of the app's tests: a stand-in model, with and without a language model, and one served page."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from gradio_client import Client
from PIL import Image
from standin import StandIn, as_jpeg, launched, scribble

from dermnote.app.service import AppService
from dermnote.notes.writing import NoteWriter
from tests.servers.llm_server import LlmServer

KEY = "sk-the-owners-own-key"
LLM_VARIABLES = ("OPENAI_API_KEY", "OPENAI_BASE_URL", "DERMNOTE_LLM")


def new_writer(llm: LlmServer, timeout: float = 20, max_retries: int = 0) -> NoteWriter:
    return NoteWriter("some-model", base_url=llm.url, api_key=KEY, timeout=timeout, max_retries=max_retries)


@pytest.fixture(scope="session")
def no_writer() -> NoteWriter:
    """A client of a language model that is not set up."""
    with pytest.MonkeyPatch.context() as patch:
        for name in LLM_VARIABLES:
            patch.delenv(name, raising=False)
        return NoteWriter()


@pytest.fixture
def service(no_writer: NoteWriter) -> AppService:
    """Without a language model."""
    return AppService(StandIn(), no_writer)  # type: ignore[arg-type]


@pytest.fixture
def llm_service(llm: LlmServer) -> AppService:
    return AppService(StandIn(), new_writer(llm))  # type: ignore[arg-type]


@pytest.fixture(scope="session")
def llm_client(shared_llm: LlmServer) -> Iterator[Client]:
    """A client of the served page, which has a language model."""
    with ExitStack() as stack:
        with pytest.MonkeyPatch.context() as patch:  # read while the page is built; later tests must not see them
            for name, value in zip(LLM_VARIABLES, (KEY, shared_llm.url, "some-model"), strict=True):
                patch.setenv(name, value)
            url = stack.enter_context(launched())
        yield Client(url, verbose=False, analytics_enabled=False)


@pytest.fixture(scope="session")
def lesion(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A JPEG with EXIF."""
    path = tmp_path_factory.mktemp("pictures") / "marker-file-name.jpg"
    exif = Image.Exif()
    exif[0x010F] = "marker-maker"
    path.write_bytes(as_jpeg(scribble(1, 600), exif=exif))
    return path
