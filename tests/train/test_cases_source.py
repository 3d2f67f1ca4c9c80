"""Cases from a Hub dataset: the real client against a local server that speaks the Hub's HTTP."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from dermnote.errors import CasesError, HubError
from tests.hub_server import READ_TOKEN, Hub, running_hub
from tests.hub_store import Blob
from tests.tiny_cases import write_cases
from train.data.cases import Cases, cases_folder


REPOSITORY = Path(__file__).resolve().parent.parent.parent


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Hub]:
    with running_hub() as running:
        monkeypatch.setenv("HF_ENDPOINT", running.url)
        monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "cache"))
        monkeypatch.delenv("HF_TOKEN", raising=False)
        yield running
        assert running.store.leaks == []  # the token never went to the large-file host


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_cases(tmp_path / "cases", [0, 1, 2, 0], [1, 2])


def publish(hub: Hub, name: str, folder: Path, *, private: bool = False) -> str:
    """As `hf upload --repo-type dataset` would, with a file nobody here needs; the commit's sha."""
    if ("datasets", name) not in hub.store.repos:
        hub.store.create("datasets", name, private, "hf_write")
    files = {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    files |= {"raw/scans.zip": b"far too large", "README.md": b"---\nlicense: mit\n---\n"}
    blobs = {path: Blob(data, lfs=path.endswith(".parquet")) for path, data in files.items()}
    hub.store.large |= {blob.sha256: blob.data for blob in blobs.values() if blob.lfs}
    return hub.store.repos["datasets", name].commit("main", blobs, "cases").sha


def same(ours: Cases, theirs: Cases) -> bool:
    return ours.table.equals(theirs.table) and list(ours.images) == list(theirs.images)


def test_a_folder_is_itself_even_if_it_is_named_like_a_dataset(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hub: Hub
) -> None:
    monkeypatch.chdir(tmp_path.parent)
    relative = folder.relative_to(tmp_path.parent)
    assert str(relative).count("/") == 1 and cases_folder(str(relative)) == relative
    assert hub.store.log == []


@pytest.mark.parametrize("in_memory", [0, 1e9])
def test_a_dataset_reads_as_its_folder_does(hub: Hub, folder: Path, in_memory: float) -> None:
    publish(hub, "org/lesions", folder)
    assert same(Cases.read("org/lesions", in_memory=in_memory), Cases.read(folder))
    fetched = [path for method, path in hub.store.log if method == "GET" and "/resolve/" in path]
    assert fetched and not [path for path in fetched if "scans" in path]


def test_a_revision_is_kept_to(hub: Hub, folder: Path, tmp_path: Path) -> None:
    first = publish(hub, "org/lesions", folder)
    other = write_cases(tmp_path / "more", [0, 1, 2, 0, 1], [1])
    publish(hub, "org/lesions", other)
    assert same(Cases.read("org/lesions"), Cases.read(other))
    assert same(Cases.read(f"org/lesions@{first}"), Cases.read(folder))
    with pytest.raises(HubError, match="no revision 'v9'") as caught:
        cases_folder("org/lesions@v9")
    assert "/datasets/org/lesions/commits" in caught.value.hint


def test_what_was_read_once_opens_offline(hub: Hub, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    publish(hub, "org/lesions", folder)
    Cases.read("org/lesions")
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    assert same(Cases.read("org/lesions"), Cases.read(folder))


@pytest.mark.parametrize("name", ["gone", "./org/name", "a/b/c", "/tmp/gone/cases", "org/name@", "org/na me"])
def test_what_can_only_be_a_folder_is_not_asked_of_the_hub(hub: Hub, name: str) -> None:
    with pytest.raises(CasesError, match="is not there") as caught:
        Cases.read(name)
    assert "train.prepare" in caught.value.hint and "org/name" in caught.value.hint
    assert hub.store.log == []


def test_an_unknown_and_a_private_dataset_are_one_line(hub: Hub, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    publish(hub, "org/secret", folder, private=True)
    for name in ("org/nothing", "org/secret"):
        with pytest.raises(HubError, match=f"no folder {name}; as a Hub dataset: {name} is not on the Hub") as caught:
            cases_folder(name)
        assert "hf auth login" in caught.value.hint and "\n" not in str(caught.value)
    monkeypatch.setenv("HF_TOKEN", READ_TOKEN)
    assert same(Cases.read("org/secret"), Cases.read(folder))


def test_no_connection_and_nothing_cached_is_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "cache"))
    with pytest.raises(HubError, match="cannot be reached") as caught:
        cases_folder("org/lesions")
    assert caught.value.retryable and "\n" not in str(caught.value)


def test_another_dataset_is_refused_as_what_it_is(hub: Hub, folder: Path) -> None:
    (folder / "summary.json").unlink()
    publish(hub, "org/other", folder)
    with pytest.raises(CasesError, match=r"org/other has no summary\.json"):
        Cases.read("org/other")


def test_notes_are_written_for_a_dataset(hub: Hub, folder: Path, tmp_path: Path) -> None:
    publish(hub, "org/lesions", folder)
    words = ["--cases", "org/lesions@main", "--strategy", "m", "--out", str(tmp_path / "notes.jsonl")]
    done = subprocess.run(
        [sys.executable, "-m", "train.generate_notes", *words], cwd=REPOSITORY, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert len((tmp_path / "notes.jsonl").read_text().splitlines()) == 6 and "org/lesions@main" in done.stdout
