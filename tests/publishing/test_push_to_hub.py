"""`python -m train.push_to_hub` against the local Hub: output, files sent, and loading of the published model."""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import yaml

from dermnote import DermNote
from dermnote.errors import BundleError, ConfigError
from dermnote.hub import pull
from dermnote.notes.schema import notes_by_case
from tests.micro_bundle import lesion, make_bundle
from tests.places import REPOSITORY
from tests.servers.hub_server import WRITE_TOKEN, Hub
from train import push_to_hub

KEY = "hf_" + "a1B2" * 9


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_bundle(tmp_path_factory.mktemp("push") / "bundle")


@pytest.fixture(autouse=True)
def _token(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", WRITE_TOKEN)


def checksums(folder: Path) -> dict[str, str]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_a_dry_run_lists_every_file_with_its_size(folder: Path, hub: Hub, capsys: pytest.CaptureFixture[str]) -> None:
    assert push_to_hub.main([str(folder), "--repo-id", "org/name", "--private", "--dry-run"]) == 0
    output = capsys.readouterr().out
    for name in checksums(folder):
        assert f"{(folder / name).stat().st_size:,}  {name}\n" in output
    total = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    assert f"{total / 1e6:.1f} MB" in output and "nothing was sent" in output and "--private" in output
    assert "never a diagnosis" in output and hub.store.log == []


def test_a_published_model_loads_by_commit(folder: Path, hub: Hub, capsys: pytest.CaptureFixture[str]) -> None:
    assert push_to_hub.main([str(folder), "--repo-id", "org/name"]) == 0
    output = capsys.readouterr().out
    commit = hub.store.repos["models", "org/name"].branches["main"]
    assert commit in output and f"{hub.url}/org/name/commit/{commit}" in output
    published, local = DermNote.from_pretrained("org/name", revision=commit), DermNote.from_pretrained(folder)
    assert published.revision == commit and published.classify(lesion(2)) == local.classify(lesion(2))


def test_a_changed_bundle_is_not_sent(folder: Path, hub: Hub, tmp_path: Path) -> None:
    copy = shutil.copytree(folder, tmp_path / "copy")
    (copy / "README.md").write_text("---\nlicense: mit\n---\nother words\n")
    with pytest.raises(BundleError, match=r"README\.md"):
        push_to_hub.main([str(copy), "--repo-id", "org/name"])
    assert hub.store.log == []


def test_a_missing_token_is_one_line_with_status_2(folder: Path, hub: Hub, tmp_path: Path) -> None:
    environment = {**os.environ, "HF_HOME": str(tmp_path)}
    del environment["HF_TOKEN"]
    command = [sys.executable, "-m", "train.push_to_hub", str(folder), "--repo-id", "org/name"]
    done = subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.count("\n") == 1 and "hf auth login" in done.stderr
    assert hub.store.repos == {}


@pytest.mark.slow
def test_model_notes_and_app_are_published(
    bundle_folder: Path, cases_folder: Path, notes_file: Path, hub: Hub, tmp_path: Path
) -> None:
    words = [str(bundle_folder), "--repo-id", "org/made", "--dataset-repo", "org/notes", "--cases", str(cases_folder)]
    words += ["--notes", str(notes_file), "--space", "org/demo", "--private"]
    assert push_to_hub.main(words) == 0
    assert ("POST", "/api/validate-yaml") in hub.store.log
    assert checksums(pull("org/made")) == checksums(bundle_folder)
    repos = {(kind, name): repo.resolve("main").files for (kind, name), repo in hub.store.repos.items()}
    assert set(repos) == {("models", "org/made"), ("datasets", "org/notes"), ("spaces", "org/demo")}
    assert all(repo.private for repo in hub.store.repos.values())

    dataset = repos["datasets", "org/notes"]
    table = pd.read_parquet(io.BytesIO(dataset["notes.parquet"].data))
    assert list(table.columns) == [
        *("case_id", "source", "split", "label", "strategy", "model", "prompt_version", "note", "contradicted"),
    ]
    expected = {case_id: texts["m"] for case_id, texts in notes_by_case(notes_file).items()}
    assert dict(zip(table["case_id"], table["note"], strict=True)) == expected
    assert set(dataset) == {"notes.parquet", "README.md", ".gitattributes"}  # no image
    card = dataset["README.md"].data.decode()
    assert "never a diagnosis" in card and "none by a clinician" in card and "| m | template | 160 | 0 of 160 |" in card
    assert yaml.safe_load(card.split("---\n")[1])["license"] == "cc0-1.0" and 'load_dataset("org/notes"' in card

    space = repos["spaces", "org/demo"]
    assert hub.store.repos["spaces", "org/demo"].variables == {"DERMNOTE_MODEL": "org/made"}
    front = yaml.safe_load(space["README.md"].data.decode().split("---\n")[1])
    assert (front["sdk"], front["app_file"], front["models"]) == ("gradio", "app.py", ["org/made"])
    assert not [name for name in space if "starter" in name or "__pycache__" in name]
    for name, blob in space.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(blob.data)
    subprocess.run([sys.executable, "-c", "import app, dermnote.app.page, dermnote.pipeline"], cwd=tmp_path, check=True)

    hub.store.log.clear()
    assert push_to_hub.main(words) == 0  # unchanged: nothing is sent again
    assert not [path for method, path in hub.store.log if method == "PUT" or "/commit/" in path]


def test_a_dry_run_prints_the_cards(
    bundle_folder: Path, cases_folder: Path, notes_file: Path, hub: Hub, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [str(bundle_folder), "--repo-id", "org/made", "--dataset-repo", "org/notes", "--cases", str(cases_folder)]
    assert push_to_hub.main([*words, "--notes", str(notes_file), "--space", "org/demo", "--dry-run"]) == 0
    output = capsys.readouterr().out
    assert (bundle_folder / "README.md").read_text() in output and "# Notes on skin lesions" in output
    assert "space org/demo" in output and "app.py" in output and hub.store.log == []
    with pytest.raises(ConfigError, match="needs --cases and --notes"):
        push_to_hub.main(words[:-2])


def test_an_api_key_in_a_note_is_not_sent(
    bundle_folder: Path, cases_folder: Path, notes_file: Path, hub: Hub, tmp_path: Path
) -> None:
    first, *others = notes_file.read_text().splitlines()
    (tmp_path / "notes.jsonl").write_text("\n".join([first.replace("This record", f"{KEY} This record"), *others]))
    words = [str(bundle_folder), "--repo-id", "org/made", "--dataset-repo", "org/notes", "--cases", str(cases_folder)]
    with pytest.raises(BundleError, match=r"notes\.parquet has what looks like a key in column 'note'") as caught:
        push_to_hub.main([*words, "--notes", str(tmp_path / "notes.jsonl")])
    assert KEY not in str(caught.value) and hub.store.log == []


def test_leaks_are_detected(tmp_path: Path, bundle_folder: Path) -> None:
    for name in ("README.md", "metrics.json", "a/b.yaml"):
        path = tmp_path / "text" / name
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_text("one\ntoken: sk-" + "x" * 24 + "\n")
        with pytest.raises(BundleError, match="key in line 2"):
            push_to_hub.refuse_leaks(tmp_path / "text")
        path.unlink()
    for column in ("patient_id", "Date of birth", "group", "Email"):
        pd.DataFrame({"case_id": ["a"], column: ["b"]}).to_parquet(tmp_path / "cases.parquet")
        with pytest.raises(BundleError, match="patient column"):
            push_to_hub.refuse_leaks(tmp_path)
    push_to_hub.refuse_leaks(bundle_folder)
    push_to_hub.refuse_leaks(REPOSITORY / "dermnote")
