"""Push and pull of bundles with the real `huggingface_hub` client against a local server with the Hub's HTTP API."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
import torch

from dermnote.errors import BundleError, HubError
from dermnote.hub import pull, push
from dermnote.hub.bundle import encoder_folder
from dermnote.hub.manifest import write_manifest
from dermnote.models.image_encoder import ImageEncoder
from dermnote.models.text_encoder import TextEncoder
from tests.micro_bundle import make_bundle
from tests.servers.hub_server import OTHER_TOKEN, READ_TOKEN, WRITE_TOKEN, Hub

CARD = "---\nlicense: cc-by-4.0\ntags:\n- dermnote\n---\n# A bundle\n"
NAME = "org/name"


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


def publish(bundle: Path, **options: object) -> str:
    return push(bundle, NAME, token=WRITE_TOKEN, **options).commit or ""  # type: ignore[arg-type]


def test_push_and_pull_keep_every_byte_in_one_commit(hub: Hub, bundle: Path) -> None:
    result = push(bundle, NAME, token=WRITE_TOKEN)
    repo = hub.store.repos["models", NAME]
    assert len(repo.commits) == 2  # the Hub's initial one, and the bundle's
    assert result.url == f"{hub.url}/{NAME}/commit/{result.commit}"
    pulled = pull(NAME)
    assert contents(pulled) == contents(bundle) and pulled.name == result.commit
    assert repo.resolve("main").files["index/images.faiss"].lfs
    assert publish(bundle) == result.commit  # an unchanged push makes no commit


def test_revisions_and_branches(hub: Hub, bundle: Path) -> None:
    first, before = publish(bundle), contents(bundle)
    (bundle / "text_encoder" / "tokenizer.json").unlink()
    rewrite(bundle, "config.json", '{"classnames": ["b"]}\n')
    publish(bundle, revision="try/two")
    assert contents(pull(NAME)) == before
    assert contents(pull(NAME, revision="try/two")) == contents(bundle)
    publish(bundle)
    assert contents(pull(NAME)) == contents(bundle)  # removed files are removed from the Hub too
    assert contents(pull(NAME, revision=first)) == before


def test_a_private_repository_needs_a_token_with_access(hub: Hub, bundle: Path) -> None:
    publish(bundle, private=True)
    for token in (None, OTHER_TOKEN):
        with pytest.raises(HubError, match=r"is not on the Hub .* or is private") as caught:
            pull(NAME, token=token)
        assert not caught.value.retryable
    assert contents(pull(NAME, token=READ_TOKEN)) == contents(bundle)


def test_private_is_never_pushed_to_a_public_repository(hub: Hub, bundle: Path) -> None:
    publish(bundle)
    commits = len(hub.store.repos["models", NAME].commits)
    rewrite(bundle, "config.json", '{"classnames": ["secret"]}\n')
    with pytest.raises(HubError, match="exists and is public; nothing was sent"):
        publish(bundle, private=True)
    assert len(hub.store.repos["models", NAME].commits) == commits


def test_a_pulled_bundle_opens_offline(hub: Hub, bundle: Path, tmp_path: Path) -> None:
    publish(bundle)
    folder = pull(NAME)
    hub.store.log.clear()
    assert contents(pull(NAME, local_files_only=True)) == contents(bundle)
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "HF_HUB_CACHE": str(tmp_path / "cache")}
    command = [sys.executable, "-W", "error", "-c", f"from dermnote.hub import pull; print(pull('{NAME}'))"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert Path(done.stdout.strip()) == folder and hub.store.log == []
    with pytest.raises(HubError, match="downloads are disabled") as caught:
        pull("org/other", local_files_only=True)
    assert not caught.value.retryable and "connection" in caught.value.hint


def test_a_cached_part_is_not_a_complete_bundle(hub: Hub, bundle: Path) -> None:
    publish(bundle)
    part = pull(NAME, allow_patterns=["image_encoder/*"])
    assert set(contents(part)) == {"manifest.json", "image_encoder/model.safetensors"}
    with pytest.raises(HubError, match="not completely in the local cache"):
        pull(NAME, local_files_only=True)
    assert contents(pull(NAME)) == contents(bundle)


def test_an_interrupted_download_is_resumed(hub: Hub, bundle: Path) -> None:
    publish(bundle)
    hub.store.errors = [("images.faiss|/large/", 404)] * 40  # the largest file is never sent
    with pytest.raises(HubError):
        pull(NAME)
    hub.store.errors = []
    with pytest.raises(HubError, match="not completely in the local cache"):
        pull(NAME, local_files_only=True)
    hub.store.log.clear()
    assert contents(pull(NAME)) == contents(bundle)
    assert [path for method, path in hub.store.log if method == "GET" and "config.json" in path] == []


def test_two_processes_pull_at_once(hub: Hub, bundle: Path, tmp_path: Path) -> None:
    publish(bundle)
    command = [sys.executable, "-c", f"from dermnote.hub import pull; print(pull('{NAME}'))"]
    environment = os.environ | {"HF_HUB_CACHE": str(tmp_path / "shared"), "HF_HUB_DISABLE_XET": "1"}
    both = [subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    folders = [process.communicate(timeout=60)[0].strip() for process in both]
    assert [process.returncode for process in both] == [0, 0] and folders[0] == folders[1]
    assert contents(Path(folders[0])) == contents(bundle)


def test_network_and_server_errors_are_retryable(
    hub: Hub, bundle: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    hub.store.errors = [("/commit/", 500)]
    with pytest.raises(HubError, match="answered 500") as caught:
        publish(bundle)
    assert caught.value.retryable
    publish(bundle)
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(HubError, match="cannot be reached") as caught:
        pull(NAME, cache_dir=tmp_path)
    assert caught.value.retryable


def test_wrong_names(hub: Hub, bundle: Path) -> None:
    publish(bundle)
    for name, revision, message in (
        ("org/nothing", None, "org/nothing is not on the Hub"),
        (NAME, "v9", "no revision 'v9'"),
        ("org/na me!", None, "neither a folder nor a Hub repository"),
        ("./nowhere", None, "no folder './nowhere'"),
        ("a/b/c", None, "no folder 'a/b/c'"),
    ):
        with pytest.raises(HubError, match=message) as caught:
            pull(name, revision=revision)
        assert caught.value.hint and "\n" not in str(caught.value) and not caught.value.retryable


def test_other_repositories_and_changed_files_are_refused(hub: Hub, bundle: Path) -> None:
    publish(bundle)
    repo = hub.store.repos["models", NAME]
    files = dict(repo.resolve("main").files)
    blob = files["index/images.faiss"]
    changed = type(blob)(bytes([blob.data[0] ^ 1]) + blob.data[1:], lfs=False)
    repo.commit("main", {**files, "index/images.faiss": changed}, "changed")
    with pytest.raises(BundleError, match=r"images.faiss was changed"):
        pull(NAME)
    del files["manifest.json"]
    repo.commit("main", files, "no manifest")
    hub.store.log.clear()
    with pytest.raises(BundleError, match=f"{NAME} is not a DermNote bundle"):
        pull(NAME)
    assert not [path for _, path in hub.store.log if "resolve" in path or "large" in path]


def test_nothing_is_sent_in_a_dry_run_or_without_a_valid_token(hub: Hub, bundle: Path) -> None:
    result = push(bundle, NAME, dry_run=True)
    assert dict(result.files) == {name: (bundle / name).stat().st_size for name in contents(bundle)}
    assert result.commit is None
    with pytest.raises(HubError, match="No Hub token") as caught:
        push(bundle, NAME)
    assert "hf auth login" in caught.value.hint and hub.store.log == []
    for token in (READ_TOKEN, "hf_wrong"):
        with pytest.raises(HubError, match="refused access"):
            push(bundle, NAME, token=token)
    assert hub.store.repos == {}


def test_a_refused_card_is_one_clear_error(hub: Hub, bundle: Path) -> None:
    rewrite(bundle, "README.md", "---\nlicense: [mit\n---\n")
    with pytest.raises(HubError, match="invalid YAML") as caught:
        publish(bundle)
    assert "\n" not in str(caught.value)


def test_a_changed_folder_is_neither_used_nor_pushed(hub: Hub, bundle: Path) -> None:
    assert pull(bundle) == bundle
    (bundle / "config.json").write_text("{ }")
    for use in (pull, publish):
        with pytest.raises(BundleError, match=r"config.json"):
            use(bundle)
    assert hub.store.log == []


def test_the_test_server_detects_a_leaked_token(hub: Hub) -> None:
    hub.store.large["0" * 64] = b"x"
    url = f"{hub.url}/large/{'0' * 64}"
    urllib.request.urlopen(urllib.request.Request(url, headers={"Authorization": "Bearer hf_read"})).close()
    assert hub.store.leaks.pop() == f"/large/{'0' * 64}"


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bundles")
    make_bundle(folder / "both")
    make_bundle(folder / "images", multimodal=False)
    return folder


@pytest.mark.parametrize("kind", [TextEncoder, ImageEncoder])
def test_one_encoder_is_downloaded_without_the_other(
    hub: Hub, bundles: Path, tmp_path: Path, kind: type[TextEncoder | ImageEncoder]
) -> None:
    for name in ("both", "images"):
        push(bundles / name, f"org/{name}", token=WRITE_TOKEN)
    local, pulled = kind.from_pretrained(bundles / "both"), kind.from_pretrained("org/both")
    weights = pulled.state_dict()
    assert all(torch.equal(tensor, weights[name]) for name, tensor in local.state_dict().items())
    names = {path.relative_to(path.parents[1]).as_posix() for path in (tmp_path / "cache").rglob("*.safetensors")}
    own, other = ("text", "image") if kind is TextEncoder else ("image", "text")
    assert f"{own}_encoder/model.safetensors" in names and f"{other}_encoder/model.safetensors" not in names
    with pytest.raises(HubError, match="not on the Hub"):
        kind.from_pretrained("org/nothing")
    with pytest.raises(BundleError, match="no text_encoder"):
        TextEncoder.from_pretrained("org/images")


def test_pytorch_weights_are_requested_only_without_safetensors(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    requests: list[list[str]] = []

    def fake_pull(*_: object, allow_patterns: list[str]) -> Path:
        requests.append(list(allow_patterns))
        return tmp_path

    monkeypatch.setattr("dermnote.hub.pull", fake_pull)
    encoder_folder("org/older", "text_encoder")
    assert ["pytorch_model.bin" in patterns for patterns in requests] == [False, True]
    (tmp_path / "model.safetensors").touch()
    encoder_folder("org/newer", "text_encoder")
    assert len(requests) == 3
