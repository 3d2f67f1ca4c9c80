"""The real `huggingface_hub` client pushes to and pulls from a local server that speaks the Hub's HTTP."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from dermnote.errors import BundleError, HubError
from dermnote.hub import pull, push
from dermnote.hub.manifest import write_manifest
from tests.hub_server import READ_TOKEN, STRANGER_TOKEN, WRITE_TOKEN, Hub, running_hub

CARD = "---\nlicense: cc-by-4.0\ntags:\n- dermnote\n---\n# A bundle\n"


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Hub]:
    with running_hub() as running:
        monkeypatch.setenv("HF_ENDPOINT", running.url)
        monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "cache"))
        monkeypatch.delenv("HF_TOKEN", raising=False)
        monkeypatch.setattr("huggingface_hub.get_token", lambda: None)
        yield running
        assert running.store.leaks == []  # the token never went to the large-file host


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    folder = tmp_path / "bundle"
    for name, data in {
        "README.md": CARD.encode(),
        "config.json": b'{"classnames": ["a"]}\n',
        "image_encoder/model.safetensors": bytes(range(256)) * 4000,
        "text_encoder/tokenizer.json": b"{}",
        "index/images.faiss": hashlib.sha256(b"seed").digest() * 40_000,
        "index/cases.parquet": b"PAR1" + bytes(1000) + b"PAR1",
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    write_manifest(folder)
    return folder


def contents(folder: Path) -> dict[str, str]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def rewrite(bundle: Path, name: str, text: str) -> None:
    (bundle / name).write_text(text)
    write_manifest(bundle)


def test_what_was_pushed_comes_back_byte_for_byte_in_one_commit(hub: Hub, bundle: Path) -> None:
    done = push(bundle, "org/name", token=WRITE_TOKEN)
    assert len(hub.store.repos["models", "org/name"].commits) == 2  # the Hub's own first one, and ours
    assert done.url == f"{hub.url}/org/name/commit/{done.commit}"
    pulled = pull("org/name")
    assert contents(pulled) == contents(bundle)
    assert pulled.name == done.commit
    assert hub.store.repos["models", "org/name"].resolve("main").files["index/images.faiss"].lfs


def test_a_revision_brings_back_the_older_bundle(hub: Hub, bundle: Path) -> None:
    first, before = push(bundle, "org/name", token=WRITE_TOKEN), contents(bundle)
    (bundle / "text_encoder" / "tokenizer.json").unlink()
    rewrite(bundle, "config.json", '{"classnames": ["b"]}\n')
    push(bundle, "org/name", token=WRITE_TOKEN)
    assert contents(pull("org/name")) == contents(bundle)  # what the new one has not is gone from the Hub too
    assert contents(pull("org/name", revision=first.commit)) == before


def test_a_branch_leaves_main_alone(hub: Hub, bundle: Path) -> None:
    push(bundle, "org/name", token=WRITE_TOKEN)
    before = contents(bundle)
    rewrite(bundle, "config.json", '{"classnames": ["b"]}\n')
    push(bundle, "org/name", token=WRITE_TOKEN, revision="try/two")
    assert contents(pull("org/name")) == before
    assert contents(pull("org/name", revision="try/two")) == contents(bundle)


def test_an_unchanged_push_makes_no_commit(hub: Hub, bundle: Path) -> None:
    first = push(bundle, "org/name", token=WRITE_TOKEN)
    assert push(bundle, "org/name", token=WRITE_TOKEN).commit == first.commit


def test_a_private_repository_needs_a_token_that_may_see_it(hub: Hub, bundle: Path) -> None:
    push(bundle, "org/name", private=True, token=WRITE_TOKEN)
    for token in (None, STRANGER_TOKEN):
        with pytest.raises(HubError, match=r"is not on the Hub .* or is private") as caught:
            pull("org/name", token=token)
        assert not caught.value.retryable
    assert contents(pull("org/name", token=READ_TOKEN)) == contents(bundle)


def test_private_is_never_pushed_to_a_public_repository(hub: Hub, bundle: Path) -> None:
    push(bundle, "org/name", token=WRITE_TOKEN)
    commits = len(hub.store.repos["models", "org/name"].commits)
    rewrite(bundle, "config.json", '{"classnames": ["secret"]}\n')
    with pytest.raises(HubError, match="exists and is public; nothing was sent"):
        push(bundle, "org/name", private=True, token=WRITE_TOKEN)
    assert len(hub.store.repos["models", "org/name"].commits) == commits


def test_what_was_loaded_once_opens_offline(hub: Hub, bundle: Path) -> None:
    push(bundle, "org/name", token=WRITE_TOKEN)
    pull("org/name")
    hub.store.log.clear()
    assert contents(pull("org/name", local_files_only=True)) == contents(bundle)
    assert hub.store.log == []


def test_a_part_pulled_before_is_no_whole_bundle_offline(hub: Hub, bundle: Path) -> None:
    push(bundle, "org/name", token=WRITE_TOKEN)
    part = pull("org/name", allow_patterns=["image_encoder/*"])
    assert set(contents(part)) == {"manifest.json", "image_encoder/model.safetensors"}
    with pytest.raises(HubError, match="not completely in the local cache"):
        pull("org/name", local_files_only=True)
    assert contents(pull("org/name")) == contents(bundle)


def test_an_interrupted_download_leaves_nothing_half_loaded(hub: Hub, bundle: Path) -> None:
    push(bundle, "org/name", token=WRITE_TOKEN)
    hub.store.faults = [("images.faiss|/large/", 404)] * 40  # the largest file never comes
    with pytest.raises(HubError):
        pull("org/name")
    hub.store.faults = []
    with pytest.raises(HubError, match="not completely in the local cache"):
        pull("org/name", local_files_only=True)
    hub.store.log.clear()
    assert contents(pull("org/name")) == contents(bundle)
    assert [path for method, path in hub.store.log if method == "GET" and "config.json" in path] == []  # it was there


def test_two_processes_that_pull_at_once_both_succeed(hub: Hub, bundle: Path, tmp_path: Path) -> None:
    push(bundle, "org/name", token=WRITE_TOKEN)
    code = "from dermnote.hub import pull; print(pull('org/name'))"
    environment = os.environ | {"HF_HUB_CACHE": str(tmp_path / "shared"), "HF_HUB_DISABLE_XET": "1"}
    both = [
        subprocess.Popen([sys.executable, "-c", code], env=environment, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    folders = [process.communicate(timeout=60)[0].strip() for process in both]
    assert [process.returncode for process in both] == [0, 0] and folders[0] == folders[1]
    assert contents(Path(folders[0])) == contents(bundle)


def test_offline_mode_opens_a_full_cache_without_asking(hub: Hub, bundle: Path, tmp_path: Path) -> None:
    push(bundle, "org/name", token=WRITE_TOKEN)
    folder = pull("org/name")
    hub.store.log.clear()
    code = (
        "import time, huggingface_hub; from dermnote.hub import pull; begun = time.perf_counter(); "
        "print(pull('org/name')); print(time.perf_counter() - begun)"
    )
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "HF_HUB_CACHE": str(tmp_path / "cache")}
    said = subprocess.run([sys.executable, "-W", "error", "-c", code], env=environment, capture_output=True, text=True)
    found, seconds = said.stdout.split()
    assert Path(found) == folder and float(seconds) < 2 and hub.store.log == []


def test_offline_with_nothing_cached(hub: Hub) -> None:
    with pytest.raises(HubError, match="downloads are disabled") as caught:
        pull("org/name", local_files_only=True)
    assert not caught.value.retryable and "connection" in caught.value.hint


def test_a_hub_that_does_not_answer_is_worth_another_try(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    start = time.monotonic()
    with pytest.raises(HubError, match="cannot be reached") as caught:
        pull("org/name", cache_dir=tmp_path)
    assert caught.value.retryable
    assert time.monotonic() - start < 10


def test_a_server_s_fault_is_worth_another_try(hub: Hub, bundle: Path) -> None:
    hub.store.faults = [("/commit/", 500)]
    with pytest.raises(HubError, match="answered 500") as caught:
        push(bundle, "org/name", token=WRITE_TOKEN)
    assert caught.value.retryable
    push(bundle, "org/name", token=WRITE_TOKEN)


@pytest.mark.parametrize(
    ("name", "revision", "words"),
    [
        ("org/nothing", None, "org/nothing is not on the Hub"),
        ("org/name", "v9", "no revision 'v9'"),
        ("org/na me!", None, "neither a folder nor a Hub repository"),
        ("./nowhere", None, "no folder './nowhere'"),
        ("a/b/c", None, "no folder 'a/b/c'"),
    ],
)
def test_wrong_names_are_one_clear_line(hub: Hub, bundle: Path, name: str, revision: str | None, words: str) -> None:
    push(bundle, "org/name", token=WRITE_TOKEN)
    with pytest.raises(HubError, match=words) as caught:
        pull(name, revision=revision)
    assert caught.value.hint and "\n" not in str(caught.value) and not caught.value.retryable


def test_another_kind_of_repository_is_not_downloaded(hub: Hub, bundle: Path) -> None:
    push(bundle, "org/name", token=WRITE_TOKEN)
    repo = hub.store.repos["models", "org/name"]
    files = dict(repo.resolve("main").files)
    del files["manifest.json"]
    repo.commit("main", files, "no manifest")
    hub.store.log.clear()
    with pytest.raises(BundleError, match="org/name is not a DermNote bundle"):
        pull("org/name")
    assert not [path for _, path in hub.store.log if "resolve" in path or "large" in path]


def test_a_file_changed_on_the_hub_is_refused(hub: Hub, bundle: Path) -> None:
    push(bundle, "org/name", token=WRITE_TOKEN)
    repo = hub.store.repos["models", "org/name"]
    files = dict(repo.resolve("main").files)
    blob = files["index/images.faiss"]
    changed = bytes([blob.data[0] ^ 1]) + blob.data[1:]
    files["index/images.faiss"] = type(blob)(changed, lfs=False)
    repo.commit("main", files, "tampered")
    with pytest.raises(BundleError, match=r"images.faiss was changed"):
        pull("org/name")


def test_nothing_is_sent_without_a_token_or_with_a_wrong_one(hub: Hub, bundle: Path) -> None:
    with pytest.raises(HubError, match="No Hub token") as caught:
        push(bundle, "org/name")
    assert "hf auth login" in caught.value.hint and hub.store.log == []
    for token in (READ_TOKEN, "hf_wrong"):
        with pytest.raises(HubError, match="refused access"):
            push(bundle, "org/name", token=token)
    assert hub.store.repos == {}


def test_a_dry_run_says_all_and_sends_nothing(hub: Hub, bundle: Path) -> None:
    result = push(bundle, "org/name", dry_run=True)
    assert dict(result.files) == {name: (bundle / name).stat().st_size for name in contents(bundle)}
    assert result.total_bytes == sum(size for _, size in result.files) and result.commit is None
    assert hub.store.log == []


def test_a_changed_bundle_is_not_pushed(hub: Hub, bundle: Path) -> None:
    (bundle / "config.json").write_text("{ }")
    with pytest.raises(BundleError, match=r"config.json"):
        push(bundle, "org/name", token=WRITE_TOKEN)
    assert hub.store.log == []


def test_a_card_the_hub_refuses_is_said_so(hub: Hub, bundle: Path) -> None:
    rewrite(bundle, "README.md", "---\nlicense: [mit\n---\n")
    with pytest.raises(HubError, match="invalid YAML") as caught:
        push(bundle, "org/name", token=WRITE_TOKEN)
    assert "\n" not in str(caught.value)


def test_a_folder_is_used_as_it_is(bundle: Path) -> None:
    assert pull(bundle) == bundle
    (bundle / "config.json").write_text("{ }")
    with pytest.raises(BundleError, match=r"config.json"):
        pull(bundle)


def test_the_server_notices_a_token_on_the_large_file_host() -> None:
    with running_hub() as hub:
        hub.store.large["0" * 64] = b"x"
        url = f"{hub.url}/large/{'0' * 64}"
        urllib.request.urlopen(urllib.request.Request(url, headers={"Authorization": "Bearer hf_read"})).close()
        assert hub.store.leaks
