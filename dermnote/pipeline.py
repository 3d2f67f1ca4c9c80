"""The `DermNote` pipeline: load a bundle, classify, search, explain, write notes. Research only, never a diagnosis."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import torch
from PIL import Image

from dermnote.config import DermNoteConfig
from dermnote.errors import BundleError, IndexQueryError, NotesError
from dermnote.hub.bundle import open_bundle
from dermnote.hub.manifest import REFETCH
from dermnote.images.opening import ImageSource, Modality, prepare_image, to_square
from dermnote.index.case_index import CaseIndex
from dermnote.index.case_table import Where
from dermnote.index.hit import Hit
from dermnote.metadata import LesionMetadata
from dermnote.models.batch_encoding import BatchEncoder, Dtype, EncodedImage, Vectors
from dermnote.models.heat_map import Evidence, class_heat, predicted_class, text_heat
from dermnote.models.joint_model import DermNoteModel
from dermnote.models.novelty import KnownImages, Novelty
from dermnote.models.prediction import Match, Prediction
from dermnote.notes.schema import Note
from dermnote.notes.strategies import get_strategy
from dermnote.notes.writing import ask_for_note, fill_note

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from dermnote.notes.writing import NoteWriter

AnyImage = ImageSource | EncodedImage


class DermNote:
    """A loaded bundle. Research use only, never a diagnosis. Its methods are thread-safe.

    Attributes:
        model: The two encoders and the shared head, in eval mode.
        config: Contents of `config.json`.
        metrics: Contents of `metrics.json`; empty if the model was not evaluated.
        known: Prototypes of the training images; None if the bundle has none.
        card: The model card, Markdown.
        source: Name of the bundle as passed to `from_pretrained`.
        revision: Commit of a bundle from the Hub; else None.
    """

    def __init__(
        self,
        model: DermNoteModel,
        config: DermNoteConfig,
        index: CaseIndex | Callable[[], CaseIndex],
        device: str | None = None,
        dtype: Dtype = "float32",
    ) -> None:
        self._encoder = BatchEncoder(model, device, dtype)
        self.model, self.device = self._encoder.model, self._encoder.device
        self.config, self._index = config, index
        self.metrics: dict[str, Any] = {}
        self.known: KnownImages | None = None
        self.card, self.source = "", ""
        self.revision: str | None = None
        self._index_lock = threading.Lock()

    @property
    def index(self) -> CaseIndex:
        """The published cases; a Hub bundle's are downloaded on first use."""
        with self._index_lock:
            if not isinstance(self._index, CaseIndex):
                self._index = self._index()
            return self._index

    @classmethod
    def from_pretrained(
        cls,
        id_or_folder: str | Path | None = None,
        revision: str | None = None,
        local_files_only: bool = False,
        token: str | None = None,
        device: str | None = None,
        cache_dir: str | Path | None = None,
        dtype: Dtype = "float32",
    ) -> DermNote:
        """Load a bundle; every file is checked against its manifest before it is read.

        The index of a Hub bundle is downloaded when a search first needs it, from the model's commit.

        Args:
            id_or_folder: Hub repository ("org/name") or folder; None loads the embedded starter.
            revision: Branch, tag or commit on the Hub; None is "main".
            local_files_only: Use the cache only, without network access.
            token: Hub token for a private repository; None uses `hf auth login` or HF_TOKEN.
            device: "cpu", "cuda", ...; None takes a GPU if there is one.
            cache_dir: Download cache; None is the Hub client's own.
            dtype: Of weights and arithmetic; see `dermnote.models.batch_encoding.BatchEncoder`.

        Raises:
            HubError: The repository or revision is not available.
            BundleError: It is not a bundle, is incomplete or changed, or its index was made by another model.
        """
        folder, commit, fetch_index = open_bundle(id_or_folder, revision, local_files_only, token, cache_dir)
        model, config = DermNoteModel.from_pretrained(folder)
        if model.fingerprint() != config.fingerprint:
            raise BundleError(f"The weights in {folder} are not those its config.json was written for.", REFETCH)

        def load_index() -> CaseIndex:
            return CaseIndex.load(fetch_index(), config.fingerprint)

        loaded = cls(model, config, load_index if commit else load_index(), device, dtype)
        loaded.metrics, loaded.card = _read_metrics(folder / "metrics.json"), _read_card(folder / "README.md")
        loaded.known = KnownImages.load(folder, config.fingerprint)
        loaded.source = "the embedded starter" if id_or_folder is None else str(id_or_folder)
        loaded.revision = commit
        return loaded

    def compute_in(self, executor: Executor) -> None:
        """Run every pass through the networks in an executor of one thread, for servers.

        Each computing thread has its own team of OpenMP threads, and teams slow each other down even when idle: on two
        cores an image takes the embedded starter 12 ms with one team, 21 with two.
        """
        self._encoder.compute_in(executor)

    def read_image(self, image: ImageSource, modality: Modality | None = "dermoscopy") -> EncodedImage:
        """Open, crop and encode an image once, for several calls (arguments as in `classify`)."""
        return self._encoder.read_image(image, modality)

    def classify(self, image: AnyImage, modality: Modality | None = "dermoscopy") -> list[Prediction]:
        """Return all classes, the most probable first. A model's output for research, never a diagnosis.

        Args:
            image: Path, bytes, stream, PIL image or array; or the result of `read_image`.
            modality: "dermoscopy" is cropped to the lesion, "clinical" is taken whole; None: cropped already.
        """
        with torch.inference_mode():
            logits = self.model.classify(self._read(image, modality).embedding)[0].float()
            probabilities = (logits / self.config.temperature).softmax(-1).tolist()
        ranked = sorted(enumerate(probabilities), key=lambda pair: -pair[1])
        return [Prediction.of(self.config.classnames[class_id], value, class_id) for class_id, value in ranked]

    def zero_shot(self, image: AnyImage, texts: Sequence[str], modality: Modality | None = "dermoscopy") -> list[Match]:
        """Rank descriptions, e.g. "a lesion with a blue-gray veil", by their similarity with an image, best first."""
        if isinstance(texts, str) or not texts or not all(text.strip() for text in texts):
            raise IndexQueryError(
                "zero_shot compares several texts, none of them empty.", 'E.g. ["nevus", "melanoma"].'
            )
        scores = (self.encode_text(texts) @ self._vector_of(image, modality)).clip(-1, 1).tolist()
        return sorted(map(Match, texts, scores), key=lambda match: -match.score)

    def explain(
        self,
        image: AnyImage,
        label: str | None = None,
        text: str | None = None,
        modality: Modality | None = "dermoscopy",
    ) -> Evidence:
        """Compute the exact contribution of each image location to a class score or to the similarity with a text.

        Args:
            image: As in `classify`.
            label: One of `config.classnames`; None: the most probable.
            text: A note or a few words, instead of a class.
            modality: As in `classify`.

        Raises:
            ConfigError: The network has no exact heat map (see `dermnote.models.heat_map`).
            IndexQueryError: An unknown class, both a class and a text, or a text and an image-only model.
        """
        if label is not None and text is not None:
            raise IndexQueryError("explain takes a class or a text, not both.")
        cropped = image.picture if isinstance(image, EncodedImage) else prepare_image(image, modality)[0]
        places, grid = self._encoder.encode_places(cropped)
        if text is not None:
            subject, heat = text, text_heat(places, torch.from_numpy(self.encode_text([text])[0]).to(places.device))
        else:
            class_id = self.config.class_id(label) if label else predicted_class(self.model, places)
            subject, heat = self.config.classnames[class_id], class_heat(self.model, places, class_id)
        network_input = to_square(cropped, self.model.image_encoder.image_size)
        return Evidence(subject, float(heat.sum()), heat.reshape(grid.shape).cpu().numpy(), grid, network_input)

    def novelty(self, image: AnyImage, modality: Modality | None = "dermoscopy") -> Novelty | None:
        """Measure the distance of an image from the training images; None if the bundle has no prototypes."""
        return None if self.known is None else self.known.novelty(self._vector_of(image, modality))

    def find_notes(
        self, image: AnyImage, k: int = 5, modality: Modality | None = "dermoscopy", where: Where | None = None
    ) -> list[Hit]:
        """Return the k published cases whose notes are nearest to an image, best first.

        Args:
            image: As in `classify`.
            k: Number of cases.
            modality: As in `classify`.
            where: Filter, e.g. {"label": "melanoma", "site": ["hand", "foot"]}; see `CaseIndex.search`.
        """
        return self.index.search_notes(self._vector_of(image, modality), k, where)

    def find_similar(
        self, image: AnyImage, k: int = 5, modality: Modality | None = "dermoscopy", where: Where | None = None
    ) -> list[Hit]:
        """Return the k published cases whose images are nearest to an image (see `find_notes`); for any model."""
        return self.index.search_similar(self._vector_of(image, modality), k, where)

    def find_images(self, text: str, k: int = 5, where: Where | None = None) -> list[Hit]:
        """Return the k published cases whose images are nearest to a text, best first (see `find_notes`)."""
        if not text.strip():
            raise IndexQueryError("The search text is empty.", "Describe the lesion in a few words.")
        return self.index.search_images(self.encode_text([text])[0], k, where)

    def write_note(
        self,
        image: AnyImage | None = None,
        metadata: LesionMetadata | Mapping[str, Any] | None = None,
        strategy: str = "m",
        demographics: bool = False,
        modality: Modality | None = "dermoscopy",
        writer: NoteWriter | None = None,
    ) -> Note:
        """Write a note and audit it against the metadata.

        Strategy M fills a template; without a diagnosis in the metadata it uses the class predicted from the image, and
        text and `audit` state so. The others call an LLM with the cropped image, without EXIF, and the record unless
        the strategy is p3.

        Args:
            image: The image; optional if the metadata suffices.
            metadata: Known facts; a mapping uses the field names of `LesionMetadata`.
            strategy: "m", "m+p1", "m+p2", "p3" or "mix" (see `dermnote.notes.strategies`).
            demographics: Include age, sex, site and skin tone.
            modality: Of the image, as in `classify`.
            writer: LLM client; None makes one from OPENAI_API_KEY and OPENAI_BASE_URL.

        Raises:
            NotesError: No input, an unknown field or strategy; its subclass WriterError: the LLM returned no note.
        """
        if image is None and metadata is None:
            raise NotesError("A note needs an image or metadata.", "Give an image, or metadata such as a label.")
        chosen, known = get_strategy(strategy), LesionMetadata.of(metadata)
        if not chosen.needs_model:
            predict = None if image is None else lambda: self.classify(image, modality)[0]
            return fill_note(known, predict, demographics=demographics)
        if image is None or isinstance(image, EncodedImage):
            raise NotesError(f"Strategy '{chosen.name}' needs the image.", "Give it as a path, PIL image or array.")
        return ask_for_note(writer, chosen, known, prepare_image(image, modality)[0], demographics=demographics)

    def encode(self, items: Sequence[ImageSource | str], batch_size: int = 32, show_progress: bool = False) -> Vectors:
        """Encode images or notes to (n, embed_dim) float32, unit rows; a string is a note, anything else an image.

        Images are taken as dermoscopy, as in `encode_image`; image paths must be `pathlib.Path`s here.

        Args:
            items: All images or all notes.
            batch_size: Items prepared at a time, and in one pass; on a CPU, images go in passes of at most 8.
            show_progress: Show a progress bar.
        """
        items = [items] if isinstance(items, str | Path | bytes | Image.Image) else items
        notes = sum(isinstance(item, str) for item in items)
        if notes not in (0, len(items)):
            raise IndexQueryError("encode takes notes or images, not both at once.", "A path is a pathlib.Path here.")
        if notes:
            return self._encoder.encode_texts(cast("Sequence[str]", items), batch_size, show_progress=show_progress)
        return self._encoder.encode_images(items, "dermoscopy", batch_size, show_progress=show_progress)

    def encode_image(
        self, images: Sequence[ImageSource], modality: Modality | None = "dermoscopy", batch_size: int = 8
    ) -> Vectors:
        """Encode images to (n, embed_dim) float32, unit rows."""
        images = [images] if isinstance(images, str | Path | bytes | Image.Image) else images
        return self._encoder.encode_images(images, modality, batch_size)

    def encode_text(self, texts: Sequence[str], batch_size: int = 32) -> Vectors:
        """Encode notes or other texts to (n, embed_dim) float32, unit rows."""
        return self._encoder.encode_texts([texts] if isinstance(texts, str) else texts, batch_size)

    def _read(self, image: AnyImage, modality: Modality | None) -> EncodedImage:
        return image if isinstance(image, EncodedImage) else self.read_image(image, modality)

    def _vector_of(self, image: AnyImage, modality: Modality | None) -> Vectors:
        vector: Vectors = self._encoder.normalise(self._read(image, modality).embedding)[0]
        return vector


def _read_metrics(path: Path) -> dict[str, Any]:
    try:
        metrics: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    except (ValueError, RecursionError) as error:  # the second: endlessly nested brackets
        raise BundleError(f"{path} is not valid JSON.", REFETCH) from error
    return metrics


def _read_card(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
