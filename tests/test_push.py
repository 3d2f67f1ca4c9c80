"""`python -m train.push_to_hub`: what it prints, what it sends, and that a stranger then loads it in one line."""

from __future__ import annotations

import hashlib
import io
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from dermnote import DermNote, ImageEncoder, TextEncoder
from dermnote.errors import BundleError, ConfigError
from dermnote.notes.schema import notes_by_case
from tests.micro_bundle import lesion, make_bundle
from tests.servers.hub_server import WRITE_TOKEN, Hub, running_hub
from train import push_to_hub
from train.publishing.leaks import refuse_leaks

REPOSITORY = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_bundle(tmp_path_factory.mktemp("push") / "bundle")


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Hub]:
    with running_hub() as running:
        monkeypatch.setenv("HF_ENDPOINT", running.url)
        monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "cache"))
        monkeypatch.setenv("HF_TOKEN", WRITE_TOKEN)
        yield running
        assert running.store.leaks == []


def checksums(folder: Path) -> dict[str, str]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_a_dry_run_lists_every_file_with_its_size(folder: Path, hub: Hub, capsys: pytest.CaptureFixture[str]) -> None:
    assert push_to_hub.main([str(folder), "--repo-id", "org/name", "--private", "--dry-run"]) == 0
    told = capsys.readouterr().out
    for name in checksums(folder):
        assert f"{(folder / name).stat().st_size:,}  {name}\n" in told
    total = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    assert f"{total / 1e6:.1f} MB" in told and "nothing was sent" in told and "--private" in told
    assert "never a diagnosis" in told and hub.store.log == []


def test_pushed_by_one_loaded_by_another(folder: Path, hub: Hub, capsys: pytest.CaptureFixture[str]) -> None:
    assert push_to_hub.main([str(folder), "--repo-id", "org/name"]) == 0
    told = capsys.readouterr().out
    commit = hub.store.repos["models", "org/name"].branches["main"]
    assert commit in told and f"{hub.url}/org/name/commit/{commit}" in told
    theirs, ours = DermNote.from_pretrained("org/name", revision=commit), DermNote.from_pretrained(folder)
    assert theirs.revision == commit and theirs.classify(lesion(2)) == ours.classify(lesion(2))


def test_the_made_bundle_and_its_card_pass_the_hub_s_checks(bundle_folder: Path, hub: Hub) -> None:
    """The whole way: drawn, trained, evaluated, built, pushed, pulled, byte for byte."""
    from dermnote.hub import pull

    assert push_to_hub.main([str(bundle_folder), "--repo-id", "org/made", "--private"]) == 0
    assert checksums(pull("org/made")) == checksums(bundle_folder)
    assert hub.store.repos["models", "org/made"].private
    assert ("POST", "/api/validate-yaml") in hub.store.log


def test_each_encoder_comes_alone_and_brings_no_other_weights(folder: Path, hub: Hub) -> None:
    push_to_hub.main([str(folder), "--repo-id", "org/name"])
    model = DermNote.from_pretrained(folder).model
    for kind, part, other in ((ImageEncoder, "image_encoder", "text_encoder"), (TextEncoder, "text_encoder", "index")):
        hub.store.log.clear()
        encoder = kind.from_pretrained("org/name")
        state, expected = encoder.state_dict(), getattr(model, part).state_dict()
        assert all(np.array_equal(state[name].numpy(), expected[name].numpy()) for name in expected)
        fetched = [path for method, path in hub.store.log if method == "GET" and "/resolve/" in path]
        assert fetched and not [path for path in fetched if f"/{other}/" in path]


def test_a_changed_bundle_stays_here(folder: Path, hub: Hub, tmp_path: Path) -> None:
    import shutil

    copy = shutil.copytree(folder, tmp_path / "copy")
    (copy / "README.md").write_text("---\nlicense: mit\n---\nother words\n")
    with pytest.raises(BundleError, match=r"README\.md"):
        push_to_hub.main([str(copy), "--repo-id", "org/name"])
    assert hub.store.log == []


def test_notes_and_app_are_published_beside_the_model(
    bundle_folder: Path, cases_folder: Path, notes_file: Path, hub: Hub, tmp_path: Path
) -> None:
    words = [str(bundle_folder), "--repo-id", "org/made", "--dataset-repo", "org/notes", "--cases", str(cases_folder)]
    words += ["--notes", str(notes_file), "--space", "org/demo"]
    assert push_to_hub.main(words) == 0
    repos = {(kind, name): repo.resolve("main").files for (kind, name), repo in hub.store.repos.items()}
    assert set(repos) == {("models", "org/made"), ("datasets", "org/notes"), ("spaces", "org/demo")}

    table = pd.read_parquet(io.BytesIO(repos["datasets", "org/notes"]["notes.parquet"].data))
    assert list(table.columns) == [
        *("case_id", "source", "split", "label", "strategy", "model", "prompt_version", "note", "contradicted"),
    ]
    assert dict(zip(table["case_id"], table["note"], strict=True)) == {
        case_id: texts["m"] for case_id, texts in notes_by_case(notes_file).items()
    }
    assert set(repos["datasets", "org/notes"]) == {"notes.parquet", "README.md", ".gitattributes"}  # and no picture
    card = repos["datasets", "org/notes"]["README.md"].data.decode()
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
    assert push_to_hub.main(words) == 0  # again: nothing has changed, nothing is sent
    assert not [path for method, path in hub.store.log if method == "PUT" or "/commit/" in path]


def test_a_dry_run_shows_the_cards_too(
    bundle_folder: Path, cases_folder: Path, notes_file: Path, hub: Hub, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [str(bundle_folder), "--repo-id", "org/made", "--dataset-repo", "org/notes", "--cases", str(cases_folder)]
    assert push_to_hub.main([*words, "--notes", str(notes_file), "--space", "org/demo", "--dry-run"]) == 0
    told = capsys.readouterr().out
    assert (bundle_folder / "README.md").read_text() in told and "# Notes on skin lesions" in told
    assert "space org/demo" in told and "app.py" in told and hub.store.log == []
    with pytest.raises(ConfigError, match="needs --cases and --notes"):
        push_to_hub.main([str(bundle_folder), "--repo-id", "org/made", "--dataset-repo", "org/notes"])


KEY = "hf_" + "a1B2" * 9


def test_a_key_in_a_note_stays_here(
    bundle_folder: Path, cases_folder: Path, notes_file: Path, hub: Hub, tmp_path: Path
) -> None:
    lines = notes_file.read_text().splitlines()
    (tmp_path / "notes.jsonl").write_text(
        "\n".join([lines[0].replace("This record", f"{KEY} This record"), *lines[1:]])
    )
    words = [str(bundle_folder), "--repo-id", "org/made", "--dataset-repo", "org/notes", "--cases", str(cases_folder)]
    with pytest.raises(BundleError, match=r"notes\.parquet has what looks like a key in column 'note'") as caught:
        push_to_hub.main([*words, "--notes", str(tmp_path / "notes.jsonl")])
    assert KEY not in str(caught.value) and hub.store.log == []


@pytest.mark.parametrize("name", ["README.md", "metrics.json", "a/b.yaml"])
def test_a_key_in_words_is_found(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("one\ntoken: sk-" + "x" * 24 + "\n")
    with pytest.raises(BundleError, match="key in line 2"):
        refuse_leaks(tmp_path)


@pytest.mark.parametrize("column", ["patient_id", "Date of birth", "group", "Email"])
def test_a_column_on_patients_is_found(tmp_path: Path, column: str) -> None:
    pd.DataFrame({"case_id": ["a"], column: ["b"]}).to_parquet(tmp_path / "cases.parquet")
    with pytest.raises(BundleError, match="patient column"):
        refuse_leaks(tmp_path)


def test_what_is_published_as_it_should_be_passes(bundle_folder: Path) -> None:
    refuse_leaks(bundle_folder)
    refuse_leaks(REPOSITORY / "dermnote")


def test_without_a_token_one_line_says_what_to_do(folder: Path, tmp_path: Path) -> None:
    environment = {**os.environ, "HF_HOME": str(tmp_path), "HF_ENDPOINT": "http://127.0.0.1:9"}
    environment.pop("HF_TOKEN", None)
    words = [sys.executable, "-m", "train.push_to_hub", str(folder), "--repo-id", "org/name"]
    done = subprocess.run(words, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.count("\n") == 1 and "hf auth login" in done.stderr
