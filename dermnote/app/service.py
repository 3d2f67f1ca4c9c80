"""What the app answers: a model, and perhaps a language model, behind one set of questions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dermnote.app.llm_quota.metering import metered
from dermnote.app.llm_quota.quota import Allowance
from dermnote.errors import PictureError
from dermnote.llm.llm_errors import NoKeyError
from dermnote.metadata import LesionMetadata
from dermnote.notes.strategies import get_strategy
from dermnote.notes.writing import NoteWriter

if TYPE_CHECKING:
    from PIL.Image import Image

    from dermnote import DermNote, Hit, Note, Prediction
    from dermnote.index.case_filter import Where
    from dermnote.models.batch_encoding import EncodedImage
    from dermnote.models.evidence import Evidence
    from dermnote.models.novelty import Novelty

CROPPED = "cropped"  # how the page spells modality None: nothing left to crop
RETRIES, PATIENCE = 1, 45.0  # seconds; somebody is waiting, and can press again
NOT_SET_UP = "No language model is set up here:"
SET_UP = "start the app with OPENAI_API_KEY (and OPENAI_BASE_URL for your own server)."


class Answers:
    """The answers as dataclasses; `dermnote.app.endpoints` gives them as data, `dermnote.app.case_reading` as HTML.

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


def where_of(**chosen: list[str] | None) -> dict[str, list[str]]:
    """The filter of a search from what was chosen; a field of which nothing was chosen is no filter."""
    return {field: values for field, values in chosen.items() if values}


def _modality(spelled: str) -> Any:
    if spelled not in ("dermoscopy", "clinical", CROPPED):
        raise PictureError(f"Unknown modality '{spelled}'.", f"It is 'dermoscopy', 'clinical' or '{CROPPED}'.")
    return None if spelled == CROPPED else spelled
