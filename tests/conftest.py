"""Shared fixtures: one small way through (cases, notes, run, bundle), made once a test session from drawn lesions."""

from __future__ import annotations

import gc
import os

# Read by huggingface_hub and gradio when they are imported, so they must stand here, before any import of ours.
os.environ["HF_HUB_DISABLE_XET"] = "1"
os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
os.environ["HF_HUB_OFFLINE"] = os.environ.get("HF_HUB_OFFLINE", "0")
os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
os.environ["TOKENIZERS_PARALLELISM"] = "false"

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.places import REAL_DATA, REPOSITORY, find_chromium
from tests.servers.hub_server import Hub, running_hub
from tests.servers.llm_server import LlmServer, running

gc.disable()  # until all is collected: what is imported stays, as `train.__init__` says
CACHE = tempfile.TemporaryDirectory(prefix="dermnote-tests-")  # what runs keep for later ones; never the user's own
os.environ["DERMNOTE_CACHE"] = CACHE.name
UNDER_CI = os.environ.get("CI", "").lower() == "true"


def pytest_collection_finish() -> None:
    gc.freeze()
    gc.enable()


def pytest_runtest_setup(item: pytest.Item) -> None:
    reason = ""
    if item.get_closest_marker("real_data") and not REAL_DATA.is_dir():
        reason = f"the real pictures are not at {REAL_DATA}"
    if item.get_closest_marker("browser") and find_chromium() is None:
        reason = "Chromium is not installed (Debian: apt-get install chromium)"
    if reason and UNDER_CI:
        pytest.fail(f"{reason}, and under CI nothing is passed over in silence", pytrace=False)
    if reason:
        pytest.skip(reason)


@pytest.fixture(scope="session", autouse=True)
def uploads_folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The app opens only files of its upload folder; in tests that is every `tmp_path`."""
    os.environ["GRADIO_TEMP_DIR"] = str(tmp_path_factory.getbasetemp())
    return os.environ["GRADIO_TEMP_DIR"]


@pytest.fixture(autouse=True)
def _uploads_stay_there(uploads_folder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRADIO_TEMP_DIR", uploads_folder)  # put back after a test in which the app chose its own


@pytest.fixture
def llm_server() -> Iterator[LlmServer]:
    """A local language model server over real HTTP; it answers well until a test scripts a failure."""
    with running() as server:
        yield server


@pytest.fixture(scope="session")
def shared_llm() -> Iterator[LlmServer]:
    """One for apps that outlive a test."""
    with running() as server:
        yield server


@pytest.fixture
def llm(shared_llm: LlmServer) -> Iterator[LlmServer]:
    """That one, with nothing asked yet; it answers well again after the test."""
    shared_llm.forget()
    yield shared_llm
    shared_llm.forget()


@pytest.fixture(scope="session")
def shared_hub() -> Iterator[Hub]:
    """A local Hub over real HTTP."""
    with running_hub() as hub:
        yield hub


@pytest.fixture
def hub(shared_hub: Hub, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Hub]:
    """The local Hub, empty, with a download cache of its own and no token but that of HF_TOKEN."""
    shared_hub.store.clear()
    monkeypatch.setenv("HF_ENDPOINT", shared_hub.url)
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("HF_TOKEN", raising=False)
    monkeypatch.setattr("huggingface_hub.get_token", lambda: os.environ.get("HF_TOKEN"))
    yield shared_hub
    assert shared_hub.store.leaks == []  # no token was sent to the large-file host


@pytest.fixture(scope="session")
def cases_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """160 small drawn lesions (20 a class), prepared."""
    from train import prepare

    out = tmp_path_factory.mktemp("cases") / "cases"
    assert prepare.main(["drawn=160", "--out", str(out)]) == 0
    return out


@pytest.fixture(scope="session")
def notes_file(cases_folder: Path) -> Path:
    """Their metadata notes."""
    from train import generate_notes

    out = cases_folder.parent / "notes.jsonl"
    assert generate_notes.main(["--cases", str(cases_folder), "--strategy", "m", "--out", str(out)]) == 0
    return out


@pytest.fixture(scope="session")
def run_folder(cases_folder: Path, notes_file: Path) -> Path:
    """A run of `smoke.yaml`: real in every part, too short to be good."""
    from train import fit

    out = cases_folder.parent / "run"
    config = str(REPOSITORY / "train" / "configs" / "smoke.yaml")
    assert (
        fit.main(["--config", config, "--cases", str(cases_folder), "--notes", str(notes_file), "--out", str(out)]) == 0
    )
    return out


@pytest.fixture(scope="session")
def bundle_folder(run_folder: Path, cases_folder: Path, notes_file: Path) -> Path:
    """A bundle made from that run."""
    from train import build_index, evaluate

    out = cases_folder.parent / "bundle"
    common = ["--run", str(run_folder), "--cases", str(cases_folder), "--notes", str(notes_file)]
    assert evaluate.main(common) == 0
    assert build_index.main([*common, "--out", str(out)]) == 0
    return out
