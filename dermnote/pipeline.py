"""The one class most people need: load in one line, classify, search, write. Research only, never a diagnosis."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import torch
from PIL import Image

from dermnote.config import DermNoteConfig
from dermnote.errors import IndexQueryError, NotesError
from dermnote.images.opening import Modality, Picture, prepare_picture, to_square
from dermnote.index.case_filter import Where
from dermnote.index.case_index import CaseIndex, Hit
from dermnote.loading import find_bundle, index_of, load_model, read_words
from dermnote.metadata import LesionMetadata
from dermnote.models.batch_encoding import Dtype, EncodedImage, Encoding
from dermnote.models.evidence import Evidence, class_heat, evidence, likeliest_class, text_heat
from dermnote.models.joint_model import DermNoteModel
from dermnote.models.novelty import KnownPictures, Novelty
from dermnote.models.prediction import Match, Prediction
from dermnote.notes.schema import Note
from dermnote.notes.strategies import get_strategy
from dermnote.notes.writing import ask_for_note, fill_note
from dermnote.vectors import Vectors

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from dermnote.notes.writing import NoteWriter


class DermNote:
    """A loaded bundle. Research use only, never a diagnosis. Its methods may be called from several threads at once.

    Attributes:
        model: The two encoders and the shared head, in eval mode.
        config: What `config.json` says.
        metrics: What `metrics.json` says; empty if nothing was measured.
        known: The pictures trained on, as prototypes; None for a bundle that does not say.
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
        self.known: KnownPictures | None = None
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
            dtype: Of weights and arithmetic; see `dermnote.models.batch_encoding.Encoding`.

        Raises:
            HubError: The repository or revision cannot be had.
            BundleError: It is no bundle, is incomplete or changed, or its index is of another model.
        """
        found = find_bundle(id_or_folder, revision, local_files_only, token, cache_dir)
        model, config = load_model(found)
        loaded = cls(model, config, index_of(found, config), device, dtype)
        loaded.metrics, loaded.card = read_words(found)
        loaded.known = KnownPictures.load(found.folder, config.fingerprint)
        loaded.source = "the embedded starter" if id_or_folder is None else str(id_or_folder)
        loaded.revision = found.commit
        return loaded

    def compute_in(self, executor: Executor) -> None:
        """Leaves every pass through the networks to an executor of one thread, whichever threads ask: for servers.

        Each thread that computes on a CPU brings a team of OpenMP threads of its own, and teams hold each other up,
        even while all but one rest: on two cores a picture takes the embedded starter 12 ms with one team, 21 with two.
        """
        self._encoding.compute_in(executor)

    def read_image(self, image: Picture, modality: Modality | None = "dermoscopy") -> EncodedImage:
        """Opens, crops and encodes a picture once, for several questions about it (arguments as in `classify`)."""
        return self._encoding.read(image, modality)

    def classify(self, image: Picture | EncodedImage, modality: Modality | None = "dermoscopy") -> list[Prediction]:
        """All classes, the most probable first. A model's opinion for research, never a diagnosis.

        Args:
            image: Path, bytes, stream, PIL picture or array; or what `read_image` made of one.
            modality: "dermoscopy" is cropped to the lesion, "clinical" is taken whole; None: cropped already.
        """
        with torch.inference_mode():
            logits = self.model.classify(self._read(image, modality).embedding)[0].float()
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

    def explain(
        self,
        image: Picture | EncodedImage,
        label: str | None = None,
        text: str | None = None,
        modality: Modality | None = "dermoscopy",
    ) -> Evidence:
        """Where in a picture its score for a class, or its likeness to a text, comes from; exactly, place by place.

        Args:
            image: As in `classify`.
            label: One of `config.classnames`; None: the most probable.
            text: A note or a few words, instead of a class.
            modality: As in `classify`.

        Raises:
            ConfigError: The network's answers cannot be divided among places (see `dermnote.models.feature_map`).
            IndexQueryError: An unknown class, both a class and a text, or a text and a model of pictures alone.
        """
        if label is not None and text is not None:
            raise IndexQueryError("explain takes a class or a text, not both.")
        cropped = image.picture if isinstance(image, EncodedImage) else prepare_picture(image, modality)[0]
        places, grid = self._encoding.places(cropped)
        seen = to_square(cropped, self.model.image_encoder.image_size)
        if text is not None:
            vector = torch.from_numpy(self.encode_text([text])[0]).to(places.device)
            return evidence(text, text_heat(places, vector), grid, seen)
        class_id = self.config.class_id(label) if label else likeliest_class(self.model, places)
        heat = class_heat(self.model, places, class_id)
        return evidence(self.config.classnames[class_id], heat, grid, seen)

    def novelty(self, image: Picture | EncodedImage, modality: Modality | None = "dermoscopy") -> Novelty | None:
        """How far a picture lies from those the model was trained on; None if the bundle does not say.

        Args:
            image: As in `classify`.
            modality: As in `classify`.
        """
        return None if self.known is None else self.known.novelty(self._vector_of(image, modality))

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
            batch_size: Items prepared at a time, and in one pass; on a CPU, pictures go in passes of at most 8.
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

    def _read(self, image: Picture | EncodedImage, modality: Modality | None) -> EncodedImage:
        return image if isinstance(image, EncodedImage) else self.read_image(image, modality)

    def _vector_of(self, image: Picture | EncodedImage, modality: Modality | None) -> Vectors:
        vector: Vectors = self._encoding.unit(self._read(image, modality).embedding)[0]
        return vector
