"""Both encoders alone: shapes, preprocessing, round trips, and every way a folder can be wrong."""

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


def small_text_encoder(**options: object) -> TextEncoder:
    torch.manual_seed(0)
    settings = {"hidden_size": 32, "layers": 1, "heads": 2, "vocab_size": 300, "max_length": 24, **options}
    return TextEncoder.from_scratch(TEXTS, **settings).eval()  # type: ignore[arg-type]


def small_image_encoder() -> ImageEncoder:
    torch.manual_seed(0)
    return ImageEncoder("mobilenet_v3_small", None, image_size=32).eval()


@pytest.mark.parametrize(
    "backbone",
    [
        "mobilenet_v3_small",
        "regnet_y_400mf",
        "resnet18",
        "densenet121",
        "efficientnet_b0",
        "shufflenet_v2_x0_5",
        "swin_t",
    ],
)
def test_a_backbone_gives_features_of_the_width_it_says(backbone: str) -> None:
    encoder = ImageEncoder(backbone, None, image_size=64).eval()
    with torch.no_grad():
        features = encoder(torch.zeros(2, 3, 64, 64))
    assert features.shape == (2, encoder.feature_dim)


def test_a_vision_transformer_is_built_for_the_size_asked_for() -> None:
    encoder = ImageEncoder("vit_b_32", None, image_size=96)
    assert encoder.network.image_size == 96
    assert encoder.feature_dim == 768


@pytest.mark.parametrize("backbone", ["mnasnet0_5", "squeezenet1_1", "inception_v3"])
def test_a_network_that_could_not_be_kept_is_refused_before_training(backbone: str) -> None:
    with pytest.raises(ConfigError, match="nearest torchvision classifier"):
        ImageEncoder(backbone)


def test_an_unknown_backbone_names_the_nearest() -> None:
    with pytest.raises(ConfigError, match="densenet121"):
        ImageEncoder("densnet121")
    with pytest.raises(ConfigError, match="IMAGENET1K_V1"):
        ImageEncoder("resnet18", weights="IMAGENET")


def test_weights_out_of_reach_are_one_line_with_the_way_out(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")  # nobody listens there
    with pytest.raises(ConfigError, match="backbone_weights=null") as caught:
        ImageEncoder("resnet18", weights="IMAGENET1K_V1")
    assert "\n" not in str(caught.value)


def test_preprocess_is_the_centre_square_scaled_and_normalised() -> None:
    encoder = small_image_encoder()
    picture = np.zeros((32, 64, 3), np.uint8)
    picture[:, 16:48] = (255, 128, 0)  # the centre square; the rest must not be seen
    pixels = encoder.preprocess([Image.fromarray(picture)])
    wanted = (np.array([1, 128 / 255, 0]) - IMAGENET_MEAN) / IMAGENET_STD
    assert pixels.shape == (1, 3, 32, 32)
    np.testing.assert_allclose(pixels[0].mean((1, 2)).numpy(), wanted, atol=1e-5)


def test_an_image_encoder_comes_back_bitwise(tmp_path: Path) -> None:
    encoder = small_image_encoder()
    encoder.save_pretrained(tmp_path)
    again = ImageEncoder.from_pretrained(tmp_path)
    pixels = torch.randn(2, 3, 32, 32)
    assert not again.training
    assert torch.equal(encoder(pixels), again(pixels))
    assert again.settings() == encoder.settings()


def test_image_tensors_bear_torchvisions_own_names(tmp_path: Path) -> None:
    from torchvision.models import get_model

    small_image_encoder().save_pretrained(tmp_path)
    theirs = set(get_model("mobilenet_v3_small", weights=None).state_dict())
    ours = set(load_file(tmp_path / "model.safetensors"))
    assert ours == theirs - {"classifier.3.weight", "classifier.3.bias"}


@pytest.mark.parametrize("fault", ["missing", "extra", "shape", "torn", "absent", "settings"])
def test_a_wrong_image_folder_is_refused(tmp_path: Path, fault: str) -> None:
    small_image_encoder().save_pretrained(tmp_path)
    path = tmp_path / "model.safetensors"
    tensors = load_file(path)
    first = sorted(tensors)[0]
    if fault == "missing":
        del tensors[first]
    if fault == "extra":
        tensors["more"] = torch.zeros(1)
    if fault == "shape":
        tensors[first] = torch.zeros(7)
    save_file(tensors, path)
    if fault == "torn":
        path.write_bytes(path.read_bytes()[:-50])
    if fault == "absent":
        path.unlink()
    if fault == "settings":
        (tmp_path / "config.json").write_text(json.dumps({"backbone": "resnet18"}))
    with pytest.raises(BundleError) as caught:
        ImageEncoder.from_pretrained(tmp_path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "wrong",
    [{"mean": "0.5, 0.5"}, {"std": [1, 1]}, {"mean": [0, 0, "x"]}, {"std": [1, 1, float("nan")]}]
    + [{"image_size": size} for size in (0, -1, 1e3, "64", True, 10**9, None)],
)
def test_settings_that_cannot_be_are_refused(tmp_path: Path, wrong: dict[str, object]) -> None:
    small_image_encoder().save_pretrained(tmp_path)
    path = tmp_path / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | wrong))
    with pytest.raises(BundleError, match="does not describe an image encoder"):
        ImageEncoder.from_pretrained(tmp_path)


def test_a_text_folder_stands_alone_with_transformers(tmp_path: Path) -> None:
    from transformers import AutoModel, AutoTokenizer

    encoder = small_text_encoder(pooling="pooler")
    encoder.tokenize(["a call before saving must not leave its padding in the file"])
    encoder.save_pretrained(tmp_path)
    model, tokenizer = AutoModel.from_pretrained(tmp_path).eval(), AutoTokenizer.from_pretrained(tmp_path)
    theirs = tokenizer(TEXTS[:3], padding=True, truncation=True, max_length=24, return_tensors="pt")
    ours = encoder.tokenize(TEXTS[:3])
    assert torch.equal(ours["input_ids"], theirs["input_ids"])
    with torch.no_grad():
        assert torch.equal(encoder(**ours), model(**theirs).pooler_output)


@pytest.mark.parametrize("pooling", ["pooler", "mean"])
def test_a_text_encoder_comes_back_bitwise(tmp_path: Path, pooling: str) -> None:
    encoder = small_text_encoder(pooling=pooling)
    encoder.save_pretrained(tmp_path)
    again = TextEncoder.from_pretrained(tmp_path)
    assert (again.pooling, again.max_length) == (pooling, 24)
    with torch.no_grad():
        assert torch.equal(encoder(**encoder.tokenize(TEXTS)), again(**again.tokenize(TEXTS)))


def test_mean_pooling_ignores_padding() -> None:
    encoder = small_text_encoder(pooling="mean")
    short, long = "a brown dot", TEXTS[0]
    with torch.no_grad():
        alone = encoder(**encoder.tokenize([short]))
        padded = encoder(**encoder.tokenize([short, long]))[:1]
    torch.testing.assert_close(alone, padded, atol=1e-6, rtol=1e-5)


def test_a_long_note_is_cut_and_an_empty_one_read() -> None:
    encoder = small_text_encoder()
    tokens = encoder.tokenize(["brown " * 500, ""])
    assert tokens["input_ids"].shape == (2, 24)
    with torch.no_grad():
        assert encoder(**tokens).isfinite().all()


def test_the_vocabulary_depends_on_the_texts_alone() -> None:
    vocabularies = [
        TextEncoder.from_scratch(texts, hidden_size=8, layers=1, heads=1, vocab_size=60).tokenizer.get_vocab()
        for texts in (TEXTS, TEXTS[::-1], TEXTS * 2)
    ]
    assert vocabularies[0] == vocabularies[1] == vocabularies[2]


def test_an_unseen_word_is_spelt_out() -> None:
    tokenizer = small_text_encoder().tokenizer
    tokens = tokenizer.tokenize("A quixotic BROWN network, 7 mm!")
    assert tokenizer.unk_token not in tokens
    assert {"brown", "network", ",", "7", "!"} <= set(tokens)
    assert tokenizer.decode(tokenizer("quixotic").input_ids, skip_special_tokens=True) == "quixotic"


@pytest.mark.parametrize("fault", ["missing", "extra", "shape", "torn", "absent"])
def test_a_wrong_text_folder_is_refused(tmp_path: Path, fault: str) -> None:
    small_text_encoder().save_pretrained(tmp_path)
    path = tmp_path / "model.safetensors"
    tensors = load_file(path)
    name = "encoder.layer.0.output.dense.weight"
    if fault == "missing":
        del tensors[name]
    if fault == "extra":
        tensors["more"] = torch.zeros(1)
    if fault == "shape":
        tensors[name] = torch.zeros(3, 3)
    save_file(tensors, path, metadata={"format": "pt"})
    if fault == "torn":
        path.write_bytes(path.read_bytes()[:-50])
    if fault == "absent":
        path.unlink()
    with pytest.raises(BundleError) as caught:
        TextEncoder.from_pretrained(tmp_path)
    assert "\n" not in str(caught.value)


def test_a_bundle_without_notes_has_no_text_encoder(tmp_path: Path) -> None:
    small_image_encoder().save_pretrained(tmp_path / "image_encoder")
    with pytest.raises(BundleError, match="no text_encoder"):
        TextEncoder.from_pretrained(tmp_path)
    assert ImageEncoder.from_pretrained(tmp_path).image_size == 32


def test_a_text_setting_that_cannot_be_is_refused() -> None:
    with pytest.raises(ConfigError, match="heads"):
        small_text_encoder(heads=5)
    encoder = small_text_encoder()
    with pytest.raises(ConfigError, match="max_length"):
        TextEncoder(encoder.model, encoder.tokenizer, max_length=25)
    with pytest.raises(ConfigError, match="pooling"):
        TextEncoder(encoder.model, encoder.tokenizer, 24, "max")  # type: ignore[arg-type]


def test_a_foreign_model_may_lack_a_pooler_only_if_none_is_asked_for(tmp_path: Path) -> None:
    small_text_encoder(pooling="mean").save_pretrained(tmp_path)
    tensors = load_file(tmp_path / "model.safetensors")
    kept = {name: tensor for name, tensor in tensors.items() if not name.startswith("pooler.")}
    save_file(kept, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(BundleError, match="text_pooling=mean"):
        TextEncoder.from_pretrained(tmp_path, pooling="pooler")
    assert TextEncoder.from_pretrained(tmp_path, pooling="mean").pooling == "mean"


def test_loading_leaves_transformers_as_loud_as_it_was(tmp_path: Path) -> None:
    from transformers.utils import logging

    small_text_encoder().save_pretrained(tmp_path)
    before = (logging.get_verbosity(), logging.is_progress_bar_enabled())
    TextEncoder.from_pretrained(tmp_path)
    assert (logging.get_verbosity(), logging.is_progress_bar_enabled()) == before
