"""`python -m train.push_to_hub`: what it prints, what it sends, and that a stranger then loads it in one line."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from dermnote import DermNote, ImageEncoder, TextEncoder
from dermnote.errors import BundleError
from tests.hub_server import WRITE_TOKEN, Hub, running_hub
from tests.micro_bundle import lesion, make_bundle
from train import push_to_hub

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


def test_without_a_token_one_line_says_what_to_do(folder: Path, tmp_path: Path) -> None:
    environment = {**os.environ, "HF_HOME": str(tmp_path), "HF_ENDPOINT": "http://127.0.0.1:9"}
    environment.pop("HF_TOKEN", None)
    words = [sys.executable, "-m", "train.push_to_hub", str(folder), "--repo-id", "org/name"]
    done = subprocess.run(words, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.count("\n") == 1 and "hf auth login" in done.stderr
