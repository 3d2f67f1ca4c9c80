"""What the app answers, as plain data: the endpoints, checked before any work is done."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from dermnote.case import LesionMetadata
from dermnote.errors import PictureError
from dermnote.notes.faults import NoKeyError
from dermnote.notes.strategies import get_strategy
from dermnote.notes.writer import NoteWriter
from dermnote.picture import encode_jpeg
from face.allowance import Allowance
from face.checks import need_count, need_picture, need_record, need_text
from face.heat_map import overlay
from face.metering import metered
from face.pictures import data_url

if TYPE_CHECKING:
    from PIL.Image import Image

    from dermnote import DermNote, Hit, Note, Prediction
    from dermnote.case_filter import Where
    from dermnote.encoding import EncodedImage
    from dermnote.evidence import Evidence
    from dermnote.novelty import Novelty

CROPPED = "cropped"  # how the page spells modality None: nothing left to crop
RETRIES, PATIENCE = 1, 45.0  # seconds; somebody is waiting, and can press again
NOT_SET_UP = "No language model is set up here:"
SET_UP = "start the app with OPENAI_API_KEY (and OPENAI_BASE_URL for your own server)."


class Answers:
    """The model's answers as JSON-able data, and as the dataclasses the page renders.

    Args:
        model: A loaded `DermNote`.
        writer: What asks a language model; None takes OPENAI_API_KEY, OPENAI_BASE_URL and DERMNOTE_LLM.
        allowance: What may be asked of it; None sets no limit.
    """

    def __init__(self, model: DermNote, writer: NoteWriter | None = None, allowance: Allowance | None = None) -> None:
        self.model = model
        self.writer = writer or NoteWriter(max_retries=RETRIES, patience=PATIENCE)
        self.allowance = allowance or Allowance()

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

    def fitting_pictures(self, text: str, k: int, where: Where | None = None) -> list[Hit]:
        """The gallery's pictures nearest to a text, of the cases that fit."""
        return self.model.find_images(text, k=k, where=where)

    def novelty(self, picture: EncodedImage, modality: str) -> Novelty | None:
        """How far a picture lies from those trained on; None if the bundle does not say."""
        return self.model.novelty(picture, modality=_modality(modality))

    def evidence(
        self, picture: Image | EncodedImage, modality: str, label: str | None = None, text: str | None = None
    ) -> Evidence:
        """Where the score of a class (None: the likeliest), or the likeness to a text, comes from."""
        return self.model.explain(picture, label=label, text=text, modality=_modality(modality))

    def note(
        self,
        picture: Image | EncodedImage | None,
        modality: str,
        record: LesionMetadata,
        strategy: str,
        demographics: bool,
    ) -> Note:
        """A note with its audit: by template, or by the language model if one is set up."""
        chosen = get_strategy(strategy)
        if chosen.needs_model and not self.writer.is_set_up:
            raise NoKeyError(NOT_SET_UP, SET_UP)
        with metered(self.writer, self.allowance, chosen, record, demographics) as writer:
            return self.model.write_note(
                picture,
                record if record.to_mapping() else None,
                strategy=strategy,
                demographics=demographics,
                modality=_modality(modality),
                writer=writer,
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

    def find_similar(self, picture: Image, modality: str = "dermoscopy", k: float = 5) -> list[dict[str, Any]]:
        """Finds the gallery's pictures that look like a picture. Research use only, never a diagnosis.

        Args:
            picture: A picture of one lesion.
            modality: "dermoscopy", "clinical", or "cropped" if the picture already shows little but the lesion.
            k: How many, 1 to 24.

        Returns:
            One entry a case, the nearest first: case_id, score (cosine), label, note, source, thumbnail (data URL).
        """
        return [_plain(hit) for hit in self.similar_pictures(need_picture(picture), modality, need_count(k))]

    def explain(
        self, picture: Image, modality: str = "dermoscopy", label: str | None = None, text: str = ""
    ) -> dict[str, Any]:
        """Shows where in a picture an answer comes from. Research use only, never a diagnosis.

        Args:
            picture: A picture of one lesion.
            modality: "dermoscopy", "clinical", or "cropped" if the picture already shows little but the lesion.
            label: The class to explain; empty: the likeliest one.
            text: Words to look for instead of a class.

        Returns:
            of: The class or the words. score: the class's logit less the mean of all classes', or the cosine with the
            words. heat: rows of what each place adds to the score, from the upper left; they sum to it. overlay: the
            picture under the heat map (data URL). far: whether the picture is unlike what the model was trained on.
        """
        read = self.read(need_picture(picture), modality)
        words = need_text(text) if text.strip() else None
        found = self.evidence(read, modality, None if words else label or None, words)
        novelty = self.novelty(read, modality)
        return {
            "of": found.of,
            "score": found.score,
            "heat": found.heat.tolist(),
            "overlay": data_url(encode_jpeg(overlay(found))),
            "far": None if novelty is None else novelty.far,
        }

    def find_images(
        self,
        text: str,
        k: float = 5,
        label: list[str] | None = None,
        source: list[str] | None = None,
        site: list[str] | None = None,
    ) -> list[dict[str, Any]]:
        """Finds the gallery's pictures that fit a clinical note. Research use only, never a diagnosis.

        Args:
            text: A note or a few words on a lesion, at most 2000 characters.
            k: How many, 1 to 24.
            label: Only cases of these classes; empty: of any.
            source: Only cases of these datasets; empty: of any.
            site: Only cases of these places on the body; empty: of any.

        Returns:
            One entry a case, the nearest first: case_id, score (cosine), label, note, source, thumbnail (data URL).
        """
        where = where_of(label=label, source=source, site=site)
        return [_plain(hit) for hit in self.fitting_pictures(need_text(text), need_count(k), where)]

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
            strategy: "m" fills a template. The others send the picture to the language model this app is set up with:
                "m+p1" (closed option lists), "m+p2" (free text on four points) and "mix" (where both agree) also send
                the record; "p3" sends the picture alone, and the record only serves to check the note.
            demographics: Whether the note also tells age, sex and site.

        Returns:
            text, strategy, model, findings, and audit: the claims of the note, each with its verdict.
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
        shown = need_picture(picture) if picture is not None or get_strategy(strategy).needs_model else None
        note = self.note(shown, modality, need_record(fields), strategy, demographics)
        return {name: getattr(note, name) for name in ("text", "strategy", "model", "findings", "audit")}


def where_of(**chosen: list[str] | None) -> dict[str, list[str]]:
    """The filter of a search from what was chosen; a field of which nothing was chosen is no filter."""
    return {field: values for field, values in chosen.items() if values}


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
