"""Heat maps sum to the score on every supported network, and are refused on every other."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from dermnote import DermNote
from dermnote.errors import ConfigError, IndexQueryError
from dermnote.models.heat_map import class_heat, feature_map, place_embeddings, text_heat
from dermnote.models.image_encoder import ImageEncoder
from dermnote.models.joint_model import DermNoteModel
from train.data.sources.drawn import draw

MAPS = ("densenet121", "resnet18", "regnet_y_400mf", "efficientnet_b0", "shufflenet_v2_x0_5", "mobilenet_v2", "swin_t")
OTHERS = ("mobilenet_v3_small", "convnext_tiny", "vit_b_32", "alexnet")


@pytest.fixture(scope="module")
def starter() -> DermNote:
    return DermNote.from_pretrained(device="cpu")


@pytest.mark.parametrize("backbone", MAPS)
def test_the_map_sums_to_the_score(backbone: str) -> None:
    torch.manual_seed(0)
    model = DermNoteModel(ImageEncoder(backbone, image_size=96), None, 5, 16).eval()
    pixels, text = torch.randn(1, 3, 96, 96), torch.nn.functional.normalize(torch.randn(16), dim=0)
    with torch.inference_mode():
        embedding = model.encode_image(pixels)[0]
        logits = model.classify(embedding)
        places, grid = place_embeddings(model, pixels)
        assert grid.shape == (3, 3) and len(places) == 9
        torch.testing.assert_close(places.mean(dim=0), embedding, rtol=1e-4, atol=1e-5)
        for class_id in range(5):
            heat = class_heat(model, places, class_id)
            torch.testing.assert_close(heat.sum(), logits[class_id] - logits.mean(), rtol=1e-4, atol=1e-5)
        cosine = torch.nn.functional.cosine_similarity(embedding, text, dim=0)
        torch.testing.assert_close(text_heat(places, text).sum(), cosine, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("backbone", OTHERS)
def test_a_network_without_mean_pooling_has_no_map(backbone: str) -> None:
    with torch.inference_mode(), pytest.raises(ConfigError, match=f"{backbone} does not end in the mean"):
        feature_map(ImageEncoder(backbone, image_size=96).eval(), torch.randn(1, 3, 96, 96))


def test_each_location_has_the_output_of_its_own_features() -> None:
    """Against numpy: a map that spread the score evenly would sum to it as well."""
    torch.manual_seed(0)
    model = DermNoteModel(ImageEncoder("resnet18", image_size=128), None, 3, 8).double().eval()
    pixels = torch.randn(1, 3, 128, 96, dtype=torch.float64)
    with torch.inference_mode():
        features = feature_map(model.image_encoder, pixels)[0][0].numpy()
        places, grid = place_embeddings(model, pixels)
        heat = class_heat(model, places, 1).numpy().reshape(grid.shape)
    value = features.transpose(1, 2, 0)
    for layer in (model.image_projection, model.shared, model.classifier):
        value = value @ layer.weight.detach().numpy().T + layer.bias.detach().numpy()
    assert grid.shape == (4, 3)
    np.testing.assert_allclose(heat, (value[..., 1] - value.mean(axis=-1)) / 12, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("backbone", ["densenet121", "resnet18", "regnet_y_400mf", "swin_t"])
def test_the_grid_matches_the_gradients(backbone: str) -> None:
    """The pixels that a central location depends on are around its centre."""
    torch.manual_seed(0)
    encoder = ImageEncoder(backbone, image_size=256).eval()
    centres = []
    for _ in range(2):
        pixels = torch.randn(1, 3, 256, 256, requires_grad=True)
        features, grid = feature_map(encoder, pixels)
        features[0, :, 4, 4].square().sum().backward()
        weight = pixels.grad.abs().sum(dim=(0, 1))
        along = [(weight.sum(dim=1 - axis) @ torch.arange(256.0)) / weight.sum() for axis in (0, 1)]
        centres.append(torch.stack(along))
    assert grid.step == 32
    expected = torch.tensor([grid.first + 4 * grid.step] * 2)
    torch.testing.assert_close(torch.stack(centres).mean(dim=0), expected, atol=8, rtol=0)


def test_class_evidence_matches_the_prediction(starter: DermNote) -> None:
    image = starter.read_image(draw(5, 6, 256))
    predictions = starter.classify(image)
    result = starter.explain(image)
    assert result.of == predictions[0].label and result.heat.sum() == pytest.approx(result.score, rel=1e-5)
    assert result.picture.size == (starter.model.image_encoder.image_size,) * 2
    scores = np.array([starter.explain(image, label=each.label).score for each in predictions])
    softmax = np.exp(scores / starter.config.temperature)
    np.testing.assert_allclose(softmax / softmax.sum(), [each.probability for each in predictions], atol=1e-4)


def test_text_evidence_matches_the_cosine(starter: DermNote) -> None:
    image, text = draw(5, 6, 256), "an asymmetric lesion with a blue-gray veil"
    result = starter.explain(image, text=text)
    assert result.of == text and result.score == pytest.approx(starter.zero_shot(image, [text])[0].score, abs=1e-5)
    assert result.heat.sum() == pytest.approx(result.score, abs=1e-5) and result.heat.dtype == np.float32
    with pytest.raises(IndexQueryError, match="has no class 'wart'"):
        starter.explain(image, label="wart")
    with pytest.raises(IndexQueryError, match="not both"):
        starter.explain(image, label="melanoma", text="a mole")


def test_threads_do_not_affect_each_other(starter: DermNote) -> None:
    images = [draw(seed, seed % 8, 128) for seed in range(6)]

    def explain(index: int) -> np.ndarray:
        return starter.explain(images[index], label="melanoma").heat

    alone = [explain(index) for index in range(6)]
    with ThreadPoolExecutor(6) as pool:
        for expected, heat in zip(alone, pool.map(explain, range(6)), strict=True):
            np.testing.assert_allclose(heat, expected, atol=1e-5)
