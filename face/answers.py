"""What the app answers, as plain data: the four endpoints, checked before any work is done."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from dermnote.case import LesionMetadata
from dermnote.errors import DermNoteError, IndexQueryError, NotesError, PictureError
from face.cards import data_url

if TYPE_CHECKING:
    from PIL.Image import Image

    from dermnote import DermNote, Hit, Note, Prediction
    from dermnote.pipeline import EncodedImage

MAX_TEXT = 2000
MAX_FIELD = 300
MAX_HITS = 24
MAX_AGE = 120
CROPPED = "cropped"  # how the page spells modality None: nothing left to crop


def need_picture(upload: Image | DermNoteError | None) -> Image:
    """The uploaded picture; a missing or refused one is raised as its error."""
    if isinstance(upload, DermNoteError):
        raise upload
    if upload is None:
        raise PictureError("There is no picture yet.", "Drop one first.")
    return upload


def need_text(text: str | None, limit: int = MAX_TEXT) -> str:
    """The typed text, stripped; empty or too long is an error."""
    stripped = (text or "").strip()
    if not stripped:
        raise IndexQueryError("There is no text yet.", "Describe a lesion in a few words.")
    if len(stripped) > limit:
        raise IndexQueryError(f"The text has {len(stripped):,} characters; the limit is {limit:,}.")
    return stripped


def need_count(k: float | None) -> int:
    """How many hits to return: a whole number from 1 to MAX_HITS."""
    if k is None or k != k or not 1 <= k <= MAX_HITS:
        raise IndexQueryError(f"k must be from 1 to {MAX_HITS}.")
    return int(k)


def need_age(age: str | float | None) -> float | None:
    """The typed age in years; empty is None, anything but 0 to 120 an error."""
    text = str("" if age is None else age).strip()
    if not text:
        return None
    try:
        years = float(text)
    except ValueError:
        years = -1.0
    if not 0 <= years <= MAX_AGE:
        raise NotesError(
            f"The age '{text}' is not a number of years from 0 to {MAX_AGE}.", "Leave it empty if unknown."
        )
    return years


class Answers:
    """The model's answers as JSON-able data, and as the dataclasses the page renders.

    Args:
        model: A loaded `DermNote`.
    """

    def __init__(self, model: DermNote) -> None:
        self.model = model

    def read(self, picture: Image, modality: str) -> EncodedImage:
        """The picture as the model encodes it, so that several answers about it need not open and encode it again."""
        return self.model.read_image(picture, modality=_modality(modality))

    def predictions(self, picture: Image | EncodedImage, modality: str) -> list[Prediction]:
        """Every class with its probability, the likeliest first."""
        return self.model.classify(picture, modality=_modality(modality))

    def similar_notes(self, picture: Image | EncodedImage, modality: str, k: int) -> list[Hit]:
        """The gallery's notes nearest to a picture."""
        return self.model.find_notes(picture, k=k, modality=_modality(modality))

    def similar_pictures(self, picture: Image | EncodedImage, modality: str, k: int) -> list[Hit]:
        """The gallery's pictures nearest to a picture."""
        return self.model.find_similar(picture, k=k, modality=_modality(modality))

    def fitting_pictures(self, text: str, k: int) -> list[Hit]:
        """The gallery's pictures nearest to a text."""
        return self.model.find_images(text, k=k)

    def note(
        self,
        picture: Image | EncodedImage | None,
        modality: str,
        fields: dict[str, Any],
        strategy: str,
        demographics: bool,
    ) -> Note:
        """A note written from what is known; with no diagnosis in it, from the class seen in the picture."""
        for name, value in fields.items():
            if isinstance(value, str) and len(value) > MAX_FIELD:
                raise NotesError(f"{name} has {len(value):,} characters; the limit is {MAX_FIELD}.")
        known = LesionMetadata.from_mapping({**fields, "age": need_age(fields.get("age"))})
        metadata = known if known.to_mapping() else None
        return self.model.write_note(
            picture, metadata, strategy=strategy, demographics=demographics, modality=_modality(modality)
        )

    # The endpoints: their docstrings and type hints are what API and MCP clients read.

    def classify(self, picture: Image, modality: str = "dermoscopy") -> list[dict[str, Any]]:
        """Classifies a picture of a skin lesion. Research use only, never a diagnosis.

        Args:
            picture: A picture of one lesion.
            modality: "dermoscopy", "clinical", or "cropped" if the picture already shows little but the lesion.

        Returns:
            One entry a class, the likeliest first: label, probability (0..1), class_id, malignancy, description.
        """
        return [asdict(each) for each in self.predictions(need_picture(picture), modality)]

    def find_notes(self, picture: Image, modality: str = "dermoscopy", k: float = 5) -> list[dict[str, Any]]:
        """Finds the gallery's clinical notes that fit a picture. Research use only, never a diagnosis.

        Args:
            picture: A picture of one lesion.
            modality: "dermoscopy", "clinical", or "cropped" if the picture already shows little but the lesion.
            k: How many, 1 to 24.

        Returns:
            One entry a case, the nearest first: case_id, score (cosine), label, note, source, thumbnail (data URL).
        """
        return [_plain(hit) for hit in self.similar_notes(need_picture(picture), modality, need_count(k))]

    def find_images(self, text: str, k: float = 5) -> list[dict[str, Any]]:
        """Finds the gallery's pictures that fit a clinical note. Research use only, never a diagnosis.

        Args:
            text: A note or a few words on a lesion, at most 2000 characters.
            k: How many, 1 to 24.

        Returns:
            One entry a case, the nearest first: case_id, score (cosine), label, note, source, thumbnail (data URL).
        """
        return [_plain(hit) for hit in self.fitting_pictures(need_text(text), need_count(k))]

    def write_note(
        self,
        picture: Image | None = None,
        modality: str = "dermoscopy",
        label: str | None = None,
        subtype: str = "",
        malignancy: str | None = None,
        description: str = "",
        age: str = "",
        sex: str | None = None,
        site: str = "",
        strategy: str = "m",
        demographics: bool = False,
    ) -> dict[str, Any]:
        """Writes a clinical note from what is known of a lesion. Research use only, never a diagnosis.

        Args:
            picture: A picture of one lesion; its likeliest class stands in where no diagnosis is given.
            modality: "dermoscopy", "clinical", or "cropped" if the picture already shows little but the lesion.
            label: Diagnostic class, one the model knows.
            subtype: Finer diagnosis.
            malignancy: "benign", "pre-cancerous" or "malignant".
            description: Findings in free words.
            age: Years.
            sex: "female" or "male".
            site: Place on the body.
            strategy: "m", the metadata template; the others need a language model.
            demographics: Whether the note also tells age, sex and site.

        Returns:
            text, strategy, model.
        """
        fields = {
            "label": label,
            "subtype": subtype,
            "malignancy": malignancy,
            "description": description,
            "age": age,
            "sex": sex,
            "site": site,
        }
        shown = None if picture is None else need_picture(picture)
        note = self.note(shown, modality, fields, strategy, demographics)
        return {"text": note.text, "strategy": note.strategy, "model": note.model}


def _modality(spelled: str) -> Any:
    if spelled not in ("dermoscopy", "clinical", CROPPED):
        raise PictureError(f"Unknown modality '{spelled}'.", f"It is 'dermoscopy', 'clinical' or '{CROPPED}'.")
    return None if spelled == CROPPED else spelled


def _plain(hit: Hit) -> dict[str, Any]:
    return {
        "case_id": hit.case_id,
        "score": round(float(hit.score), 6),
        "label": hit.label,
        "note": hit.note,
        "source": hit.source,
        "thumbnail": None if hit.thumbnail_jpeg is None else data_url(hit.thumbnail_jpeg),
    }
