"""Heat maps sum to the score they explain, on every network that has one, and are refused on every other."""

from __future__ import annotations

import threading

import numpy as np
import pytest
import torch

from dermnote import DermNote
from dermnote.errors import ConfigError, IndexQueryError
from dermnote.models.heat_map import class_heat, feature_map, place_embeddings, text_heat
from dermnote.models.image_encoder import ImageEncoder
from dermnote.models.joint_model import DermNoteModel
from train.data.sources.drawn import draw

LINEAR = (
    "densenet121",
    "resnet18",
    "regnet_y_400mf",
    "efficientnet_b0",
    "shufflenet_v2_x0_5",
    "mobilenet_v2",
    "swin_t",
)
OTHERS = ("mobilenet_v3_small", "convnext_tiny", "vit_b_32", "alexnet")


@pytest.fixture(scope="module")
def starter() -> DermNote:
    return DermNote.from_pretrained(device="cpu")


@pytest.mark.parametrize("backbone", LINEAR)
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
def test_a_network_that_is_not_linear_at_its_end_gets_no_map(backbone: str) -> None:
    with torch.inference_mode(), pytest.raises(ConfigError, match=f"{backbone} does not end in the mean"):
        feature_map(ImageEncoder(backbone, image_size=96).eval(), torch.randn(1, 3, 96, 96))


def test_each_place_adds_what_its_own_features_say() -> None:
    """Written out in numpy: a map that spread the score evenly would sum to it as well."""
    torch.manual_seed(0)
    model = DermNoteModel(ImageEncoder("resnet18", image_size=128), None, 3, 8).double().eval()
    pixels = torch.randn(1, 3, 128, 96, dtype=torch.float64)
    with torch.inference_mode():
        features = feature_map(model.image_encoder, pixels)[0][0].numpy()
        places, grid = place_embeddings(model, pixels)
        heat = class_heat(model, places, 1).numpy().reshape(grid.shape)
    layers = (model.image_projection, model.shared, model.classifier)
    weights = [(each.weight.detach().numpy(), each.bias.detach().numpy()) for each in layers]
    assert grid.shape == (4, 3)
    for row in range(4):
        for column in range(3):
            value = features[:, row, column]
            for weight, bias in weights:
                value = weight @ value + bias
            assert heat[row, column] == pytest.approx((value[1] - value.mean()) / 12, abs=1e-5)


@pytest.mark.parametrize("backbone", ["densenet121", "resnet18", "regnet_y_400mf", "shufflenet_v2_x0_5", "swin_t"])
def test_places_lie_where_their_features_come_from(backbone: str) -> None:
    """Against gradients: the pixels that a place in the middle depends on lie around its centre."""
    torch.manual_seed(0)
    encoder = ImageEncoder(backbone, image_size=256).eval()
    centres = []
    for _ in range(2):
        pixels = torch.randn(1, 3, 256, 256, requires_grad=True)
        places, grid = feature_map(encoder, pixels)
        places[0, :, 4, 4].square().sum().backward()
        weight = pixels.grad.abs().sum(dim=(0, 1))
        along = [(weight.sum(dim=1 - axis) @ torch.arange(256.0)) / weight.sum() for axis in (0, 1)]
        centres.append(torch.stack(along))
    expected = grid.first + 4 * grid.step
    assert grid.step == 32
    torch.testing.assert_close(torch.stack(centres).mean(dim=0), torch.tensor([expected] * 2), atol=8, rtol=0)


def test_the_model_s_own_answers_are_explained(starter: DermNote) -> None:
    read = starter.read_image(draw(5, 6, 256))
    first = starter.classify(read)[0]
    found = starter.explain(read)
    assert found.of == first.label and found.heat.sum() == pytest.approx(found.score, rel=1e-5)
    assert found.picture.size == (starter.model.image_encoder.image_size,) * 2
    # The scores of all classes give the probabilities back.
    scores = np.array([starter.explain(read, label=name).score for name in starter.config.classnames])
    shares = np.exp(scores / starter.config.temperature)
    shares /= shares.sum()
    told = {each.label: each.probability for each in starter.classify(read)}
    np.testing.assert_allclose(shares, [told[name] for name in starter.config.classnames], atol=1e-4)


def test_likeness_to_a_text_is_explained(starter: DermNote) -> None:
    picture, text = draw(5, 6, 256), "an asymmetric lesion with a blue-gray veil"
    found = starter.explain(picture, text=text)
    assert found.of == text and found.score == pytest.approx(starter.zero_shot(picture, [text])[0].score, abs=1e-5)
    assert found.heat.sum() == pytest.approx(found.score, abs=1e-5) and found.heat.dtype == np.float32


def test_what_cannot_be_explained_is_one_clear_line(starter: DermNote) -> None:
    with pytest.raises(IndexQueryError, match="has no class 'wart'"):
        starter.explain(draw(1, 1, 64), label="wart")
    with pytest.raises(IndexQueryError, match="not both"):
        starter.explain(draw(1, 1, 64), label="melanoma", text="a mole")


def test_threads_explain_side_by_side(starter: DermNote) -> None:
    """What is watched in one thread is not what another one computes."""
    pictures = [draw(seed, seed % 8, 128) for seed in range(6)]
    alone = [starter.explain(each, label="melanoma").heat for each in pictures]
    found: dict[int, np.ndarray] = {}

    def explain(at: int) -> None:
        found[at] = starter.explain(pictures[at], label="melanoma").heat

    threads = [threading.Thread(target=explain, args=(at,)) for at in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for at, heat in enumerate(alone):
        np.testing.assert_allclose(found[at], heat, atol=1e-5)
