"""The one class most people need: load in one line, classify, search, write. Research only, never a diagnosis."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import torch
from PIL import Image

from dermnote.bundle import Bundle
from dermnote.case import LesionMetadata
from dermnote.case_filter import Where
from dermnote.config import DermNoteConfig
from dermnote.encoding import Dtype, Encoding
from dermnote.errors import BundleError, IndexQueryError, NotesError
from dermnote.index import CaseIndex, Hit
from dermnote.manifest import REFETCH, is_bundle
from dermnote.model import DermNoteModel
from dermnote.notes.schema import Note
from dermnote.notes.strategies import get_strategy
from dermnote.notes.writing import ask_for_note, fill_note
from dermnote.picture import Modality, Picture, prepare_picture
from dermnote.prediction import Match, Prediction
from dermnote.vectors import Vectors

if TYPE_CHECKING:
    from dermnote.notes.writer import NoteWriter

STARTER = Path(__file__).parent / "starter"


@dataclass(frozen=True)
class EncodedImage:
    """A picture a model has read: the verbs take it in the picture's place and need not read it again.

    Attributes:
        embedding: (1, embed_dim), not of unit length, of the model that read it and of no other.
    """

    embedding: torch.Tensor


class DermNote:
    """A loaded bundle. Research use only, never a diagnosis. Its methods may be called from several threads at once.

    Attributes:
        model: The two encoders and the shared head, in eval mode.
        config: What `config.json` says.
        metrics: What `metrics.json` says; empty if nothing was measured.
        card: The model card, Markdown.
        source: What was asked for.
        revision: The commit, for a bundle from the Hub; else None.
    """

    def __init__(
        self,
        model: DermNoteModel,
        config: DermNoteConfig,
        index: CaseIndex | Callable[[], CaseIndex],
        device: str | None = None,
        dtype: Dtype = "float32",
    ) -> None:
        self._encoding = Encoding(model, device, dtype)
        self.model, self.device = self._encoding.model, self._encoding.device
        self.config, self._index = config, index
        self.metrics: dict[str, Any] = {}
        self.card, self.source = "", ""
        self.revision: str | None = None
        self._opening = threading.Lock()

    @property
    def index(self) -> CaseIndex:
        """The published cases; of a bundle on the Hub they are downloaded when first asked for."""
        with self._opening:
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
        """Loads a bundle: every file checked against its manifest before it is read.

        Of a bundle on the Hub the index is downloaded when a search first needs it, of the same commit as the model.

        Args:
            id_or_folder: Hub repository ("org/name") or folder; None loads the embedded starter.
            revision: Branch, tag or commit on the Hub; None is "main".
            local_files_only: Use what was downloaded before; send nothing.
            token: Hub token for a private repository; None uses `hf auth login` or HF_TOKEN.
            device: "cpu", "cuda", ...; None takes a GPU if there is one.
            cache_dir: Where downloads are kept; None is the Hub client's own place.
            dtype: Of weights and arithmetic; see `dermnote.encoding.Encoding`.

        Raises:
            HubError: The repository or revision cannot be had.
            BundleError: It is no bundle, is incomplete or changed, or its index is of another model.
        """
        if id_or_folder is None and not is_bundle(STARTER):
            raise BundleError("The embedded starter model is missing.", "Make it with `python -m train.starter`.")
        bundle = Bundle.open(
            STARTER if id_or_folder is None else id_or_folder, revision, local_files_only, token, cache_dir
        )
        model, config = DermNoteModel.from_pretrained(bundle.folder)
        if model.fingerprint() != config.fingerprint:
            raise BundleError(f"The weights in {bundle.folder} are not those its config.json was written for.", REFETCH)

        def open_index() -> CaseIndex:
            return CaseIndex.load(bundle.fetch_index(), config.fingerprint)

        loaded = cls(model, config, open_index if bundle.commit else open_index(), device, dtype)
        loaded.metrics, loaded.card = _read_words(bundle.folder)
        loaded.source = "the embedded starter" if id_or_folder is None else str(id_or_folder)
        loaded.revision = bundle.commit
        return loaded

    def read_image(self, image: Picture, modality: Modality | None = "dermoscopy") -> EncodedImage:
        """Opens, crops and encodes a picture once, for several questions about it (arguments as in `classify`)."""
        return EncodedImage(self._encoding.embed_images([image], modality))

    def classify(self, image: Picture | EncodedImage, modality: Modality | None = "dermoscopy") -> list[Prediction]:
        """All classes, the most probable first. A model's opinion for research, never a diagnosis.

        Args:
            image: Path, bytes, stream, PIL picture or array; or what `read_image` made of one.
            modality: "dermoscopy" is cropped to the lesion, "clinical" is taken whole; None: cropped already.
        """
        with torch.inference_mode():
            logits = self.model.classify(self._embedding_of(image, modality))[0].float()
            probabilities = (logits / self.config.temperature).softmax(-1).tolist()
        ranked = sorted(enumerate(probabilities), key=lambda pair: -pair[1])
        return [Prediction.of(self.config.classnames[class_id], value, class_id) for class_id, value in ranked]

    def zero_shot(
        self, image: Picture | EncodedImage, texts: Sequence[str], modality: Modality | None = "dermoscopy"
    ) -> list[Match]:
        """Any descriptions against a picture, the nearest first: no class list, no training.

        Args:
            image: As in `classify`.
            texts: Descriptions, e.g. "melanoma", "a lesion with a blue-gray veil".
            modality: As in `classify`.
        """
        if isinstance(texts, str) or not texts or not all(text.strip() for text in texts):
            raise IndexQueryError(
                "zero_shot compares several texts, none of them empty.", 'E.g. ["nevus", "melanoma"].'
            )
        scores = (self.encode_text(texts) @ self._vector_of(image, modality)).clip(-1, 1).tolist()
        return sorted(map(Match, texts, scores), key=lambda match: -match.score)

    def find_notes(
        self,
        image: Picture | EncodedImage,
        k: int = 5,
        modality: Modality | None = "dermoscopy",
        where: Where | None = None,
    ) -> list[Hit]:
        """The k published cases whose notes are nearest to a picture, best first.

        Args:
            image: As in `classify`.
            k: How many.
            modality: As in `classify`.
            where: Only cases that fit, e.g. {"label": "melanoma", "site": ["hand", "foot"]}; see `CaseIndex.search`.
        """
        return self.index.search_notes(self._vector_of(image, modality), k, where)

    def find_similar(
        self,
        image: Picture | EncodedImage,
        k: int = 5,
        modality: Modality | None = "dermoscopy",
        where: Where | None = None,
    ) -> list[Hit]:
        """The k published cases whose pictures are nearest to a picture (see `find_notes`); needs no text branch."""
        return self.index.search_similar(self._vector_of(image, modality), k, where)

    def find_images(self, text: str, k: int = 5, where: Where | None = None) -> list[Hit]:
        """The k published cases whose pictures are nearest to a text, best first (see `find_notes`)."""
        if not text.strip():
            raise IndexQueryError("There is no text to search with.", "Describe the lesion in a few words.")
        return self.index.search_images(self.encode_text([text])[0], k, where)

    def write_note(
        self,
        image: Picture | EncodedImage | None = None,
        metadata: LesionMetadata | Mapping[str, Any] | None = None,
        strategy: str = "m",
        demographics: bool = False,
        modality: Modality | None = "dermoscopy",
        writer: NoteWriter | None = None,
    ) -> Note:
        """Writes a note and audits it against the metadata.

        Strategy M fills a template; with no diagnosis in the metadata, from the class the model sees in the picture,
        and then text and `audit` say so. The others ask a language model, which gets the cropped picture, without EXIF,
        and the record unless the strategy is p3.

        Args:
            image: The picture; may be left out if the metadata says enough.
            metadata: What is known; a mapping takes the field names of `LesionMetadata`.
            strategy: "m", "m+p1", "m+p2", "p3" or "mix" (see `dermnote.notes.strategies`).
            demographics: Whether age, sex, site and skin tone are told too.
            modality: Of the picture, as in `classify`.
            writer: What asks the language model; None makes one from OPENAI_API_KEY and OPENAI_BASE_URL.

        Raises:
            NotesError: Nothing to write from, an unknown field or strategy; its child WriterError: the model gave none.
        """
        if image is None and metadata is None:
            raise NotesError("There is nothing to write from.", "Give a picture, or metadata such as a label.")
        chosen, known = get_strategy(strategy), LesionMetadata.of(metadata)
        if not chosen.needs_model:
            guess = None if image is None else partial(self._likeliest, image, modality)
            return fill_note(known, guess, demographics=demographics)
        if image is None or isinstance(image, EncodedImage):
            needs = f"Strategy '{chosen.name}' needs the picture."
            raise NotesError(needs, "Give it as a path, PIL picture or array.")
        return ask_for_note(writer, chosen, known, prepare_picture(image, modality)[0], demographics=demographics)

    def encode(self, items: Sequence[Picture | str], batch_size: int = 32, show_progress: bool = False) -> Vectors:
        """Pictures or notes to (n, embed_dim) float32, unit rows: a string is a note, anything else a picture.

        Pictures are taken as dermoscopy, as `encode_image` does; paths of pictures are `pathlib.Path`s here.

        Args:
            items: All pictures or all notes.
            batch_size: Items in one pass.
            show_progress: Whether a bar is drawn.
        """
        items = [items] if isinstance(items, str | Path | bytes | Image.Image) else items
        notes = sum(isinstance(item, str) for item in items)
        if notes not in (0, len(items)):
            raise IndexQueryError("encode takes notes or pictures, not both at once.", "A path is a pathlib.Path here.")
        if notes:
            return self._encoding.texts(cast("Sequence[str]", items), batch_size, show_progress=show_progress)
        return self._encoding.images(items, "dermoscopy", batch_size, show_progress=show_progress)

    def encode_image(
        self, images: Sequence[Picture], modality: Modality | None = "dermoscopy", batch_size: int = 8
    ) -> Vectors:
        """Pictures to (n, embed_dim) float32, unit rows."""
        images = [images] if isinstance(images, str | Path | bytes | Image.Image) else images
        return self._encoding.images(images, modality, batch_size)

    def encode_text(self, texts: Sequence[str], batch_size: int = 32) -> Vectors:
        """Notes or other texts to (n, embed_dim) float32, unit rows."""
        return self._encoding.texts([texts] if isinstance(texts, str) else texts, batch_size)

    def _likeliest(self, image: Picture | EncodedImage, modality: Modality | None) -> Prediction:
        return self.classify(image, modality)[0]

    def _embedding_of(self, image: Picture | EncodedImage, modality: Modality | None) -> torch.Tensor:
        return image.embedding if isinstance(image, EncodedImage) else self._encoding.embed_images([image], modality)

    def _vector_of(self, image: Picture | EncodedImage, modality: Modality | None) -> Vectors:
        vector: Vectors = self._encoding.unit(self._embedding_of(image, modality))[0]
        return vector


def _read_words(folder: Path) -> tuple[dict[str, Any], str]:
    """metrics.json and README.md; a bundle may lack either."""
    metrics, card = folder / "metrics.json", folder / "README.md"
    try:
        measured = json.loads(metrics.read_text(encoding="utf-8")) if metrics.is_file() else {}
    except ValueError as error:
        raise BundleError(f"{metrics} is not valid JSON.", REFETCH) from error
    return measured, card.read_text(encoding="utf-8", errors="replace") if card.is_file() else ""
