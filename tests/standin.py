"""Stand-ins for tests of the page: a model that answers at once, its app over HTTP, and held answers of an LLM."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image, ImageDraw

from dermnote.app import launch
from dermnote.app.page import build_page
from dermnote.config import DermNoteConfig
from dermnote.index.case_index import CaseIndex
from dermnote.index.hit import Hit
from dermnote.metadata import LesionMetadata
from dermnote.models.heat_map import Evidence, Grid
from dermnote.models.novelty import Novelty
from dermnote.models.prediction import Prediction
from dermnote.notes.schema import Note
from dermnote.notes.strategies import get_strategy
from dermnote.notes.writing import NoteWriter, ask_for_note, fill_note
from dermnote.taxonomy import EIGHT


def scribble(seed: int, side: int = 128) -> Image.Image:
    rng = np.random.default_rng(seed)
    picture = Image.new("RGB", (side, side), (225, 180, 150))
    middle, reach = side / 2, side * 0.3
    angles = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    radii = reach * rng.uniform(0.75, 1.15, angles.size)
    points = [(middle + r * np.cos(a), middle + r * np.sin(a)) for a, r in zip(angles, radii, strict=True)]
    ImageDraw.Draw(picture).polygon(points, fill=tuple(int(c) for c in rng.integers((70, 30, 20), (150, 90, 80))))
    return picture


def as_jpeg(picture: Image.Image, **options: Any) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", **options)
    return buffer.getvalue()


class StandIn:
    """A model with a real index over scribbled images, and made-up scores."""

    source, revision = "example/lesions", "v1"

    def __init__(self, *, multimodal: bool = True) -> None:
        self.metrics: dict[str, Any] = {}
        self.card = "# A stand-in"
        self.config = DermNoteConfig(
            classnames=tuple(each.name for each in EIGHT),
            embed_dim=8,
            strategies=("m",) if multimodal else (),
            sources=("drawn",),
            licence="apache-2.0",
            gallery="The gallery holds drawn lesions only, no patient's picture.",
        )
        table = pd.DataFrame(
            {
                "case_id": [f"drawn/{i:04d}" for i in range(24)],
                "source": "drawn",
                "split": "train",
                "label": [EIGHT[i % 8].name for i in range(24)],
                "malignancy": [EIGHT[i % 8].malignancy for i in range(24)],
                "description": [f"asymmetric, sharp border, colours {i % 8} and dark brown" for i in range(24)],
                "note": [
                    f"This record is of a {EIGHT[i % 8].malignancy} skin lesion, diagnosed as {EIGHT[i % 8].name}."
                    for i in range(24)
                ],
            }
        )
        self.vectors = np.random.default_rng(0).normal(size=(24, 8)).astype(np.float32)
        self.vectors /= np.linalg.norm(self.vectors, axis=1, keepdims=True)
        thumbnails = [as_jpeg(scribble(i)) for i in range(24)]
        notes = self.vectors if multimodal else None
        self.index = CaseIndex.build(table, self.vectors, notes, thumbnails, "0" * 64)

    def compute_in(self, executor: Executor) -> None:
        self.executor = executor

    def read_image(self, image: Image.Image, modality: str | None = "dermoscopy") -> Image.Image:
        return image

    def classify(self, image: Image.Image, modality: str | None = "dermoscopy") -> list[Prediction]:
        shares = (0.62, 0.21, 0.09, 0.04, 0.02, 0.01, 0.006, 0.004)
        order = (6, 2, 0, 5, 4, 7, 1, 3) if modality == "dermoscopy" else (2, 6, 0, 5, 4, 7, 1, 3)
        return [
            Prediction(EIGHT[i].name, share, i, EIGHT[i].malignancy, EIGHT[i].description)
            for i, share in zip(order, shares, strict=True)
        ]

    def find_notes(self, image: Image.Image, k: int = 5, modality: str | None = "dermoscopy") -> list[Hit]:
        return self.index.search_notes(self.vectors[0], k)

    def find_similar(self, image: Image.Image, k: int = 5, modality: str | None = "dermoscopy") -> list[Hit]:
        return self.index.search_similar(self.vectors[1], k)

    def find_images(self, text: str, k: int = 5, where: Any = None) -> list[Hit]:
        return self.index.search_images(self.vectors[len(text) % 24], k, where)

    def novelty(self, image: Image.Image, modality: str | None = "dermoscopy") -> Novelty | None:
        return Novelty(0.3, 0.2, 0.97)

    def explain(
        self,
        image: Image.Image,
        label: str | None = None,
        text: str | None = None,
        modality: str | None = "dermoscopy",
    ) -> Evidence:
        self.config.class_id(label or "melanoma")
        heat = np.linspace(-1, 1, 16, dtype=np.float32).reshape(4, 4)
        return Evidence(
            text or label or "melanoma", float(heat.sum()), heat, Grid((4, 4), 7.5, 16.0), image.resize((64, 64))
        )

    def write_note(
        self,
        image: Image.Image | None = None,
        metadata: LesionMetadata | None = None,
        strategy: str = "m",
        demographics: bool = False,
        modality: str | None = "dermoscopy",
        writer: NoteWriter | None = None,
    ) -> Note:
        chosen, known = get_strategy(strategy), LesionMetadata.of(metadata)
        if chosen.needs_model:
            assert image is not None
            return ask_for_note(writer, chosen, known, image, demographics=demographics)
        guess = None if image is None else partial(self._likeliest, image)
        return fill_note(known, guess, demographics=demographics)

    def _likeliest(self, image: Image.Image) -> Prediction:
        return self.classify(image)[0]


@contextmanager
def launched(model: Any = None) -> Iterator[str]:
    """Serve a page of a model in this process until the block ends; yield its address."""
    demo = build_page(model or StandIn())
    demo.block_thread = lambda: None
    launch.launch(demo, lambda: None)
    try:
        yield demo.local_url.rstrip("/")
    finally:
        demo.close()


def requests_image_only(body: dict[str, Any]) -> bool:
    """Return whether a chat completion's body requests a P3 note: only that one states the class."""
    return "stated_class" in json.dumps(body)


class P3Held:
    """A rule for `LlmServer` that holds back the answers to P3 until `let_go` is set or its `with` block ends."""

    def __init__(self) -> None:
        self.let_go = threading.Event()

    def __call__(self, body: dict[str, Any]) -> None:
        if requests_image_only(body):
            self.let_go.wait(60)

    def __enter__(self) -> P3Held:
        return self

    def __exit__(self, *_: object) -> None:
        self.let_go.set()
