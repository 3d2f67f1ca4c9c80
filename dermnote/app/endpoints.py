"""What scripts and agents may call, as plain data; everything is checked before any work is done."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from dermnote.app.case.heat_map import overlay
from dermnote.app.data_urls import data_url
from dermnote.app.input_checks import need_count, need_picture, need_text, record_of
from dermnote.app.service import Answers, where_of
from dermnote.images.opening import encode_jpeg
from dermnote.notes.strategies import get_strategy

if TYPE_CHECKING:
    from PIL.Image import Image

    from dermnote import Hit


class Endpoints:
    """The endpoints; their docstrings and type hints are what clients of the API and of MCP read.

    Args:
        answers: Of the model the app was started with.
    """

    def __init__(self, answers: Answers) -> None:
        self.answers = answers

    def classify(self, picture: Image, modality: str = "dermoscopy") -> list[dict[str, Any]]:
        """Classifies a picture of a skin lesion. Research use only, never a diagnosis.

        Args:
            picture: A picture of one lesion.
            modality: "dermoscopy", "clinical", or "cropped" if the picture already shows little but the lesion.

        Returns:
            One entry a class, the likeliest first: label, probability (0..1), class_id, malignancy, description.
        """
        return [asdict(each) for each in self.answers.predictions(need_picture(picture), modality)]

    def find_notes(self, picture: Image, modality: str = "dermoscopy", k: float = 5) -> list[dict[str, Any]]:
        """Finds the gallery's clinical notes that fit a picture. Research use only, never a diagnosis.

        Args:
            picture: A picture of one lesion.
            modality: "dermoscopy", "clinical", or "cropped" if the picture already shows little but the lesion.
            k: How many, 1 to 24.

        Returns:
            One entry a case, the nearest first: case_id, score (cosine), label, note, source, thumbnail (data URL).
        """
        return [_plain(hit) for hit in self.answers.similar_notes(need_picture(picture), modality, need_count(k))]

    def find_similar(self, picture: Image, modality: str = "dermoscopy", k: float = 5) -> list[dict[str, Any]]:
        """Finds the gallery's pictures that look like a picture. Research use only, never a diagnosis.

        Args:
            picture: A picture of one lesion.
            modality: "dermoscopy", "clinical", or "cropped" if the picture already shows little but the lesion.
            k: How many, 1 to 24.

        Returns:
            One entry a case, the nearest first: case_id, score (cosine), label, note, source, thumbnail (data URL).
        """
        return [_plain(hit) for hit in self.answers.similar_pictures(need_picture(picture), modality, need_count(k))]

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
        read = self.answers.read(need_picture(picture), modality)
        words = need_text(text) if text.strip() else None
        found = self.answers.evidence(read, modality, None if words else label or None, words)
        novelty = self.answers.novelty(read, modality)
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
        return [_plain(hit) for hit in self.answers.fitting_pictures(need_text(text), need_count(k), where)]

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
        shown = need_picture(picture) if picture is not None or get_strategy(strategy).needs_model else None
        record = record_of(label, subtype, malignancy, description, age, sex, site)
        note = self.answers.note(shown, modality, record, strategy, demographics)
        return {name: getattr(note, name) for name in ("text", "strategy", "model", "findings", "audit")}


def _plain(hit: Hit) -> dict[str, Any]:
    return {
        "case_id": hit.case_id,
        "score": round(float(hit.score), 6),
        "label": hit.label,
        "note": hit.note,
        "source": hit.source,
        "thumbnail": None if hit.thumbnail_jpeg is None else data_url(hit.thumbnail_jpeg),
    }
