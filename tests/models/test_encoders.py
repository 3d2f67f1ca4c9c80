"""Image and text encoder: shapes, preprocessing, round trips, and refusal of damaged folders."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from dermnote.errors import BundleError, ConfigError
from dermnote.models.image_encoder import IMAGENET_MEAN, IMAGENET_STD, ImageEncoder
from dermnote.models.text_encoder import TextEncoder

TEXTS = [f"An irregular brown network with {n} dots on the left arm, asymmetric in outline." for n in range(30)]
BACKBONES = ("mobilenet_v3_small", "regnet_y_400mf", "resnet18", "densenet121", "efficientnet_b0", "swin_t", "vit_b_32")


def small_text_encoder(**options: object) -> TextEncoder:
    torch.manual_seed(0)
    settings = {"hidden_size": 32, "layers": 1, "heads": 2, "vocab_size": 300, "max_length": 24, **options}
    return TextEncoder.from_scratch(TEXTS, **settings).eval()  # type: ignore[arg-type]


def small_image_encoder() -> ImageEncoder:
    torch.manual_seed(0)
    return ImageEncoder("mobilenet_v3_small", None, image_size=32).eval()


@pytest.mark.parametrize("backbone", BACKBONES)
def test_features_have_the_stated_width(backbone: str) -> None:
    encoder = ImageEncoder(backbone, None, image_size=64).eval()
    with torch.no_grad():
        assert encoder(torch.zeros(2, 3, 64, 64)).shape == (2, encoder.feature_dim)


def test_unsupported_backbones_and_weights_are_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for backbone in ("mnasnet0_5", "squeezenet1_1", "inception_v3", "densnet121"):
        with pytest.raises(ConfigError, match="nearest torchvision classifier"):
            ImageEncoder(backbone)
    with pytest.raises(ConfigError, match="IMAGENET1K_V1"):
        ImageEncoder("resnet18", weights="IMAGENET")
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")  # no server on this port
    with pytest.raises(ConfigError, match="backbone_weights=null") as caught:
        ImageEncoder("resnet18", weights="IMAGENET1K_V1")
    assert "\n" not in str(caught.value)


def test_preprocess_normalises_the_scaled_centre_square() -> None:
    pixels = np.zeros((32, 64, 3), np.uint8)
    pixels[:, 16:48] = (255, 128, 0)  # the centre square
    result = small_image_encoder().preprocess([Image.fromarray(pixels)])
    expected = (np.array([1, 128 / 255, 0]) - IMAGENET_MEAN) / IMAGENET_STD
    assert result.shape == (1, 3, 32, 32)
    np.testing.assert_allclose(result[0].mean((1, 2)).numpy(), expected, atol=1e-5)


def test_an_image_encoder_round_trip_is_exact_with_torchvision_names(tmp_path: Path) -> None:
    from torchvision.models import get_model

    encoder = small_image_encoder()
    encoder.save_pretrained(tmp_path)
    again = ImageEncoder.from_pretrained(tmp_path)
    pixels = torch.randn(2, 3, 32, 32)
    assert not again.training and again.settings() == encoder.settings()
    assert torch.equal(encoder(pixels), again(pixels))
    torchvision_names = set(get_model("mobilenet_v3_small", weights=None).state_dict())
    head = {"classifier.3.weight", "classifier.3.bias"}
    assert set(load_file(tmp_path / "model.safetensors")) == torchvision_names - head
    with pytest.raises(BundleError, match="no text_encoder"):
        small_image_encoder().save_pretrained(tmp_path / "bundle" / "image_encoder")
        TextEncoder.from_pretrained(tmp_path / "bundle")
    assert ImageEncoder.from_pretrained(tmp_path / "bundle").image_size == 32


@pytest.mark.parametrize("error", ["missing", "extra", "shape", "truncated", "absent", "settings"])
@pytest.mark.parametrize("kind", ["image", "text"])
def test_a_damaged_folder_is_refused(tmp_path: Path, kind: str, error: str) -> None:
    encoder = small_image_encoder() if kind == "image" else small_text_encoder()
    encoder.save_pretrained(tmp_path)
    path = tmp_path / "model.safetensors"
    tensors = load_file(path)
    name = next(name for name in sorted(tensors) if not name.startswith("pooler"))
    if error == "missing":
        del tensors[name]
    tensors |= {"extra": {"more": torch.zeros(1)}, "shape": {name: torch.zeros(7)}}.get(error, {})
    save_file(tensors, path, metadata={"format": "pt"})
    if error == "truncated":
        path.write_bytes(path.read_bytes()[:-50])
    if error == "absent":
        path.unlink()
    if error == "settings":
        (tmp_path / "config.json").write_text('{"backbone": "resnet18"}' if kind == "image" else "{")
    with pytest.raises(BundleError) as caught:
        type(encoder).from_pretrained(tmp_path)
    assert "\n" not in str(caught.value)


def test_invalid_image_settings_are_refused(tmp_path: Path) -> None:
    small_image_encoder().save_pretrained(tmp_path)
    path = tmp_path / "config.json"
    valid = json.loads(path.read_text())
    invalid = [{"std": values} for values in ("0.5, 0.5", [1, 1], [0, 0, "x"], [1, 1, float("nan")])]
    invalid += [{"image_size": size} for size in (0, -1, 1e3, "64", True, 10**9, None)]
    for values in invalid:
        path.write_text(json.dumps(valid | values))
        with pytest.raises(BundleError, match="does not describe an image encoder"):
            ImageEncoder.from_pretrained(tmp_path)


def test_transformers_loads_the_text_folder(tmp_path: Path) -> None:
    from transformers import AutoModel, AutoTokenizer
    from transformers.utils import logging

    encoder = small_text_encoder(pooling="pooler")
    encoder.tokenize(["a call before saving must not leave its padding in the file"])
    encoder.save_pretrained(tmp_path)
    model, tokenizer = AutoModel.from_pretrained(tmp_path).eval(), AutoTokenizer.from_pretrained(tmp_path)
    theirs = tokenizer(TEXTS[:3], padding=True, truncation=True, max_length=24, return_tensors="pt")
    ours = encoder.tokenize(TEXTS[:3])
    assert torch.equal(ours["input_ids"], theirs["input_ids"])
    with torch.no_grad():
        assert torch.equal(encoder(**ours), model(**theirs).pooler_output)
    before = (logging.get_verbosity(), logging.is_progress_bar_enabled())
    TextEncoder.from_pretrained(tmp_path)
    assert (logging.get_verbosity(), logging.is_progress_bar_enabled()) == before


def test_a_text_encoder_round_trip_is_exact(tmp_path: Path) -> None:
    encoder = small_text_encoder(pooling="mean")
    encoder.save_pretrained(tmp_path)
    again = TextEncoder.from_pretrained(tmp_path)
    assert (again.pooling, again.max_length) == ("mean", 24)
    with torch.no_grad():
        assert torch.equal(encoder(**encoder.tokenize(TEXTS)), again(**again.tokenize(TEXTS)))


def test_padding_length_and_empty_notes() -> None:
    encoder = small_text_encoder(pooling="mean")
    tokens = encoder.tokenize(["brown " * 500, ""])
    assert tokens["input_ids"].shape == (2, 24)
    with torch.no_grad():
        assert encoder(**tokens).isfinite().all()
        alone = encoder(**encoder.tokenize(["a brown dot"]))
        padded = encoder(**encoder.tokenize(["a brown dot", TEXTS[0]]))[:1]
    torch.testing.assert_close(alone, padded, atol=1e-6, rtol=1e-5)


def test_the_vocabulary_is_independent_of_order_and_spells_unseen_words() -> None:
    vocabularies = [
        TextEncoder.from_scratch(texts, hidden_size=8, layers=1, heads=1, vocab_size=60).tokenizer.get_vocab()
        for texts in (TEXTS, TEXTS[::-1], TEXTS * 2)
    ]
    assert vocabularies[0] == vocabularies[1] == vocabularies[2]
    tokenizer = small_text_encoder().tokenizer
    tokens = tokenizer.tokenize("A quixotic BROWN network, 7 mm!")
    assert tokenizer.unk_token not in tokens and {"brown", "network", ",", "7", "!"} <= set(tokens)
    assert tokenizer.decode(tokenizer("quixotic").input_ids, skip_special_tokens=True) == "quixotic"


def test_invalid_text_settings_are_refused() -> None:
    with pytest.raises(ConfigError, match="heads"):
        small_text_encoder(heads=5)
    encoder = small_text_encoder()
    for name, value in (("max_length", 25), ("pooling", "max")):
        with pytest.raises(ConfigError, match=name):
            TextEncoder(encoder.model, encoder.tokenizer, **{"max_length": 24, name: value})


def test_a_pooler_is_required_only_for_pooler_pooling(tmp_path: Path) -> None:
    small_text_encoder(pooling="mean").save_pretrained(tmp_path)
    tensors = load_file(tmp_path / "model.safetensors")
    kept = {name: tensor for name, tensor in tensors.items() if not name.startswith("pooler.")}
    save_file(kept, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(BundleError, match="text_pooling=mean"):
        TextEncoder.from_pretrained(tmp_path, pooling="pooler")
    assert TextEncoder.from_pretrained(tmp_path, pooling="mean").pooling == "mean"
