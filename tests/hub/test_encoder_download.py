"""Download of one encoder from a published bundle or an older text model: only its own files are transferred."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from dermnote.errors import BundleError, HubError
from dermnote.hub import push
from dermnote.hub.bundle import encoder_folder
from dermnote.models.image_encoder import ImageEncoder
from dermnote.models.text_encoder import TextEncoder
from tests.micro_bundle import make_bundle
from tests.servers.hub_server import WRITE_TOKEN, Hub, running_hub


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bundles")
    make_bundle(folder / "both")
    make_bundle(folder / "images", multimodal=False)
    return folder


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, bundles: Path) -> Iterator[Hub]:
    with running_hub() as running:
        monkeypatch.setenv("HF_ENDPOINT", running.url)
        monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "cache"))
        monkeypatch.setattr("huggingface_hub.get_token", lambda: None)
        for name in ("both", "images"):
            push(bundles / name, f"org/{name}", token=WRITE_TOKEN)
        yield running


def test_the_text_encoder_comes_without_the_image_weights(hub: Hub, bundles: Path, tmp_path: Path) -> None:
    local, pulled = TextEncoder.from_pretrained(bundles / "both"), TextEncoder.from_pretrained("org/both")
    tokens = local.tokenize(["a brown, even blob"])
    with torch.no_grad():
        assert torch.equal(local(**tokens), pulled(**pulled.tokenize(["a brown, even blob"])))
    names = {path.relative_to(path.parents[1]).as_posix() for path in (tmp_path / "cache").rglob("*.safetensors")}
    assert "text_encoder/model.safetensors" in names and "image_encoder/model.safetensors" not in names


def test_the_image_encoder_comes_without_the_text_encoder(hub: Hub, bundles: Path, tmp_path: Path) -> None:
    local, pulled = ImageEncoder.from_pretrained(bundles / "both"), ImageEncoder.from_pretrained("org/both")
    pixels = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        assert torch.equal(local(pixels), pulled(pixels))
    assert not list((tmp_path / "cache").rglob("text_encoder/*"))


def test_a_missing_part_or_repository_is_an_error(hub: Hub) -> None:
    with pytest.raises(BundleError, match="no text_encoder"):
        TextEncoder.from_pretrained("org/images")
    with pytest.raises(HubError, match="not on the Hub"):
        ImageEncoder.from_pretrained("org/nothing")


def test_pytorch_weights_are_requested_only_without_safetensors(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    requests: list[list[str]] = []

    def pull(*_: object, allow_patterns: list[str]) -> Path:
        requests.append(list(allow_patterns))
        return tmp_path

    monkeypatch.setattr("dermnote.hub.pull", pull)
    encoder_folder("org/older", "text_encoder")
    assert ["pytorch_model.bin" in patterns for patterns in requests] == [False, True]
    (tmp_path / "model.safetensors").touch()
    encoder_folder("org/newer", "text_encoder")
    assert len(requests) == 3
