"""A small complete bundle with random weights and drawn lesions, for tests that read bundles."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import torch
from PIL import Image, ImageDraw

from dermnote.config import DermNoteConfig
from dermnote.hub.manifest import write_manifest
from dermnote.images.opening import encode_jpeg, to_square
from dermnote.index.case_index import CaseIndex
from dermnote.metadata import LesionMetadata
from dermnote.models.image_encoder import ImageEncoder
from dermnote.models.joint_model import DermNoteModel
from dermnote.models.text_encoder import TextEncoder
from dermnote.notes.template import write_template
from dermnote.taxonomy import EIGHT

README = "---\nlicense: cc-by-4.0\ntags:\n- dermnote\n---\n# A test bundle\n\nResearch use only, never a diagnosis.\n"


def lesion(seed: int, side: int = 256) -> Image.Image:
    """Draw an ellipse on skin."""
    rng = np.random.default_rng(seed)
    image = Image.new("RGB", (side, side), tuple(int(c) for c in rng.integers((200, 150, 120), (240, 200, 170))))
    x, y, r = side * 0.5, side * 0.5, side * rng.uniform(0.18, 0.3)
    colour = tuple(int(c) for c in rng.integers((60, 20, 10), (150, 90, 90)))
    ImageDraw.Draw(image).ellipse((x - r, y - r * 0.8, x + r, y + r), fill=colour)
    return image


def case_table(count: int) -> pd.DataFrame:
    classes = [EIGHT[i % len(EIGHT)] for i in range(count)]
    table = pd.DataFrame({"case_id": [f"flat/{i}" for i in range(count)], "source": "flat", "split": "train"})
    table["label"] = [each.name for each in classes]
    table["malignancy"] = [each.malignancy for each in classes]
    table["description"] = "an even brown blob"
    table["age"] = [40.0 + i if i % 3 else None for i in range(count)]
    table["note"] = [write_template(LesionMetadata.from_mapping(row.to_dict())) for _, row in table.iterrows()]
    return table


def make_bundle(folder: Path, *, multimodal: bool = True, seed: int = 0, cases: int = 24) -> Path:
    torch.manual_seed(seed)
    table, images = case_table(cases), [lesion(i) for i in range(cases)]
    text = TextEncoder.from_scratch(table["note"], hidden_size=32, layers=1, max_length=64) if multimodal else None
    model = DermNoteModel(ImageEncoder("shufflenet_v2_x0_5", image_size=64), text, len(EIGHT), embed_dim=32).eval()
    standardise(model, images)
    config = DermNoteConfig(
        classnames=tuple(each.name for each in EIGHT),
        embed_dim=32,
        strategies=("m",) if multimodal else (),
        sources=("flat",),
        licence="cc-by-4.0",
        gallery="The gallery holds flat drawings only.",
    )
    config = model.save_pretrained(folder, config)
    with torch.inference_mode():
        image_vectors = unit(model.encode_image(model.image_encoder.preprocess(images)))
        note_vectors = unit(model.encode_text(**text.tokenize(list(table["note"])))) if text is not None else None
    thumbnails = [encode_jpeg(to_square(image, 128), 85) for image in images]
    CaseIndex.build(table, image_vectors, note_vectors, thumbnails, config.fingerprint).save(folder / "index")
    (folder / "README.md").write_text(README, encoding="utf-8")
    (folder / "metrics.json").write_text("{}\n", encoding="utf-8")
    write_manifest(folder)
    return folder


@torch.inference_mode()
def standardise(model: DermNoteModel, images: list[Image.Image]) -> None:
    """Standardise untrained features in the projection, as those of two images are nearly equal."""
    features = model.image_encoder(model.image_encoder.preprocess(images))
    mean, deviation = features.mean(0), features.std(0).clamp(min=1e-6)
    projection = model.image_projection
    projection.weight.div_(deviation)
    projection.bias.sub_(projection.weight @ mean)


def unit(embeddings: torch.Tensor) -> np.ndarray:
    return torch.nn.functional.normalize(embeddings, dim=-1).numpy()
