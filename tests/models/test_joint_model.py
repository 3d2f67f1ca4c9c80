"""Joint model: forward pass, round trip through files, fingerprint, and refusal of damaged folders."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from dermnote.config import DermNoteConfig
from dermnote.errors import BundleError
from dermnote.models.image_encoder import ImageEncoder
from dermnote.models.joint_model import DermNoteModel
from dermnote.models.text_encoder import TextEncoder

NAMES = ("melanoma", "mole", "wart")
TEXTS = [f"A brown mark number {n} with a regular network." for n in range(12)]


def make_model(*, multimodal: bool = True, seed: int = 0) -> DermNoteModel:
    torch.manual_seed(seed)
    text = TextEncoder.from_scratch(TEXTS, hidden_size=16, layers=1, heads=2, vocab_size=80, max_length=16)
    image = ImageEncoder("mobilenet_v3_small", None, image_size=32)
    return DermNoteModel(image, text if multimodal else None, len(NAMES), embed_dim=8).eval()


def config(*, multimodal: bool = True) -> DermNoteConfig:
    return DermNoteConfig(classnames=NAMES, embed_dim=8, strategies=("m",) if multimodal else ())


def outputs(model: DermNoteModel) -> list[torch.Tensor]:
    pixels = torch.randn(4, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    tokens = model.text_encoder.tokenize(TEXTS[:4]) if model.text_encoder else {}
    with torch.no_grad():
        out = model(pixel_values=pixels, **tokens)
    each = (out.image_embedding, out.image_logits, out.text_embedding, out.text_logits)
    return [tensor for tensor in each if tensor is not None]


def test_both_modalities_share_embedding_and_classifier() -> None:
    model = make_model()
    image, image_logits, text, text_logits = outputs(model)
    assert image.shape == text.shape == (4, 8) and image_logits.shape == text_logits.shape == (4, 3)
    with torch.no_grad():
        torch.testing.assert_close(text_logits, text @ model.classifier.weight.T + model.classifier.bias)
        features = model.text_encoder(**model.text_encoder.tokenize(TEXTS[:4]))  # type: ignore[misc, union-attr]
        assert torch.equal(model(text_features=features).text_embedding, text)


@pytest.mark.parametrize("multimodal", [True, False])
def test_a_round_trip_is_exact(tmp_path: Path, multimodal: bool) -> None:
    model = make_model(multimodal=multimodal)
    written = model.save_pretrained(tmp_path, config(multimodal=multimodal))
    again, read = DermNoteModel.from_pretrained(tmp_path)
    assert read == written and not again.training
    assert all(torch.equal(a, b) for a, b in zip(outputs(model), outputs(again), strict=True))
    assert again.fingerprint() == read.fingerprint == model.fingerprint()


def test_half_precision_files_load_as_float32(tmp_path: Path) -> None:
    model = make_model()
    model.save_pretrained(tmp_path / "full", config())
    written = model.save_pretrained(tmp_path / "half", config(), dtype="float16")
    again, _ = DermNoteModel.from_pretrained(tmp_path / "half")
    sizes = [sum(f.stat().st_size for f in (tmp_path / kind).rglob("*.safetensors")) for kind in ("half", "full")]
    assert sizes[0] < 0.6 * sizes[1]
    assert {parameter.dtype for parameter in again.parameters()} == {torch.float32}
    assert again.fingerprint() == written.fingerprint != model.fingerprint()
    for full, half in zip(outputs(model), outputs(again), strict=True):
        torch.testing.assert_close(full, half, atol=2e-2, rtol=2e-2)


def test_the_fingerprint_covers_weights_preprocessing_and_tokenizer() -> None:
    changed = [make_model() for _ in range(3)]
    with torch.no_grad():
        changed[0].shared.bias[0] += 1e-6
    changed[1].image_encoder.mean += 0.01
    changed[2].text_encoder.max_length = 12  # type: ignore[union-attr]
    fingerprints = {model.fingerprint() for model in (*changed, make_model(), make_model(seed=1))}
    assert len(fingerprints) == 5 and make_model().fingerprint() in fingerprints


@pytest.mark.parametrize("error", ["head", "model.safetensors", "image_encoder", "text_encoder"])
def test_a_damaged_folder_is_refused(tmp_path: Path, error: str) -> None:
    make_model().save_pretrained(tmp_path, config())
    if error == "head":
        tensors = load_file(tmp_path / "model.safetensors")
        save_file(tensors | {"classifier.weight": torch.zeros(5, 8)}, tmp_path / "model.safetensors")
    else:
        (tmp_path / error).rename(tmp_path / "elsewhere")
    with pytest.raises(BundleError) as caught:
        DermNoteModel.from_pretrained(tmp_path)
    assert "\n" not in str(caught.value)


def test_config_and_model_must_agree(tmp_path: Path) -> None:
    image_only = make_model(multimodal=False)
    image_only.save_pretrained(tmp_path, config(multimodal=False))
    (tmp_path / "text_encoder").mkdir()
    with pytest.raises(BundleError, match="text_encoder"):
        DermNoteModel.from_pretrained(tmp_path)
    with pytest.raises(BundleError, match="classes"):
        make_model().save_pretrained(tmp_path, DermNoteConfig(classnames=("a", "b"), embed_dim=8, strategies=("m",)))
    with pytest.raises(BundleError, match="images alone"):
        image_only.encode_text(input_ids=torch.zeros(1, 2, dtype=torch.long))
