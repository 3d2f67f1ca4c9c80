"""Public endpoints of the HTTP API and of MCP; results are plain data."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from dermnote.app.cards import data_url
from dermnote.app.compare.strategy_notes import compare_strategies
from dermnote.app.heat_map import overlay
from dermnote.app.service import AppService, build_filter, record_of
from dermnote.images.opening import encode_jpeg
from dermnote.notes.strategies import get_strategy

if TYPE_CHECKING:
    from PIL.Image import Image

    from dermnote import Hit


class Endpoints:
    """Endpoints of the first model. Clients of the API and of MCP see these docstrings and type hints."""

    def __init__(self, service: AppService) -> None:
        self.service = service

    def classify(self, picture: Image, modality: str = "dermoscopy") -> list[dict[str, Any]]:
        """Classifies a picture of a skin lesion. Research use only, never a diagnosis.

        Args:
            picture: A picture of one lesion.
            modality: "dermoscopy", "clinical", or "cropped" if the picture already shows little but the lesion.

        Returns:
            One entry a class, the likeliest first: label, probability (0..1), class_id, malignancy, description.
        """
        return [asdict(each) for each in self.service.classify(picture, modality)]

    def find_notes(self, picture: Image, modality: str = "dermoscopy", k: float = 5) -> list[dict[str, Any]]:
        """Finds the gallery's clinical notes that fit a picture. Research use only, never a diagnosis.

        Args:
            picture: A picture of one lesion.
            modality: "dermoscopy", "clinical", or "cropped" if the picture already shows little but the lesion.
            k: How many, 1 to 24.

        Returns:
            One entry a case, the nearest first: case_id, score (cosine), label, note, source, thumbnail (data URL).
        """
        return [_plain(hit) for hit in self.service.find_notes(picture, modality, k)]

    def find_similar(self, picture: Image, modality: str = "dermoscopy", k: float = 5) -> list[dict[str, Any]]:
        """Finds the gallery's pictures that look like a picture. Research use only, never a diagnosis.

        Args:
            picture: A picture of one lesion.
            modality: "dermoscopy", "clinical", or "cropped" if the picture already shows little but the lesion.
            k: How many, 1 to 24.

        Returns:
            One entry a case, the nearest first: case_id, score (cosine), label, note, source, thumbnail (data URL).
        """
        return [_plain(hit) for hit in self.service.find_similar(picture, modality, k)]

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
            words. heat: rows of the share of each place in the score, from the upper left; they sum to it. overlay: the
            picture under the heat map (data URL). far: whether the picture is unlike what the model was trained on.
        """
        image, words = self.service.read_image(picture, modality), text if text.strip() else None
        found = self.service.explain(image, modality, None if words else label or None, words)
        novelty = self.service.novelty(image, modality)
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
        where = build_filter(label=label, source=source, site=site)
        return [_plain(hit) for hit in self.service.find_images(text, k, where)]

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
            picture: A picture of one lesion; its most probable class is used where no diagnosis is given.
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
                the record; "p3" sends the picture alone, and the record is only used to check the note.
            demographics: Whether the note also states age, sex and site.

        Returns:
            text, strategy, model, findings, and audit: the claims of the note, each with its verdict.
        """
        record = record_of(label, subtype, malignancy, description, age, sex, site)
        note = self.service.write_note(picture, modality, record, strategy, demographics)
        return {name: getattr(note, name) for name in ("text", "strategy", "model", "findings", "audit")}

    def compare(
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
        strategies: list[str] | None = None,
    ) -> list[dict[str, Any]]:
        """Writes notes of one lesion by several strategies, and checks each. Research use only, never a diagnosis.

        Strategy "m" fills a template, and nothing leaves this app. The others send the picture to the language model
        this app is set up with, one request each: "m+p1" (closed option lists) and "m+p2" (free text on four points)
        send the diagnosis, subtype, malignancy and description too, "p3" sends the picture alone. "mix" joins m+p1 and
        m+p2, and requests them if needed. Age, sex and site are only used to check the notes, and are sent nowhere.

        Args:
            picture: A picture of one lesion; "m" does not use it.
            modality: "dermoscopy", "clinical", or "cropped" if the picture already shows little but the lesion.
            label: Diagnostic class, one the model knows.
            subtype: Finer diagnosis.
            malignancy: "benign", "pre-cancerous" or "malignant".
            description: Findings in free words.
            age: Years.
            sex: "female" or "male".
            site: Place on the body.
            strategies: Any of "m", "m+p1", "m+p2", "p3" and "mix"; "m" alone if none is named.

        Returns:
            One entry a strategy, in the order requested: strategy, text, model, findings, audit (the claims of the
            note, each with its verdict) and error (one line; the others stay).
        """
        names = [get_strategy(name).name for name in strategies or ["m"]]
        record = record_of(label, subtype, malignancy, description, age, sex, site)
        results = compare_strategies(self.service, picture, modality, record, names)
        found = {each.strategy: each for each in results if each is not None}
        return [found[name].plain() for name in dict.fromkeys(names)]


def _plain(hit: Hit) -> dict[str, Any]:
    return {
        "case_id": hit.case_id,
        "score": round(float(hit.score), 6),
        "label": hit.label,
        "note": hit.note,
        "source": hit.source,
        "thumbnail": None if hit.thumbnail_jpeg is None else data_url(hit.thumbnail_jpeg),
    }
