"""Operations of the app on one loaded model, with the checks on what visitors send."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

from dermnote.app.llm_quota.metering import metered
from dermnote.app.llm_quota.quota import Allowance
from dermnote.errors import DermNoteError, ImageError, IndexQueryError, NotesError
from dermnote.images.opening import open_image
from dermnote.llm.llm_errors import NoKeyError
from dermnote.metadata import LesionMetadata
from dermnote.notes.strategies import get_strategy
from dermnote.notes.template import predicted_note, say_predicted
from dermnote.notes.writing import NoteWriter, audited

if TYPE_CHECKING:
    from PIL.Image import Image

    from dermnote import CaseIndex, DermNote, Hit, Note, Prediction
    from dermnote.index.case_table import Where
    from dermnote.models.batch_encoding import EncodedImage
    from dermnote.models.heat_map import Evidence
    from dermnote.models.novelty import Novelty

    # An opened upload, the reason why it was refused, nothing, or an image that was encoded before.
    ImageInput = Image | EncodedImage | DermNoteError | None

CROPPED = "cropped"  # spelling of modality None in the interface
RETRIES, PATIENCE = 1, 45.0  # patience in seconds: a visitor is waiting, and can press again
NOT_SET_UP = "No language model is set up here:"
SET_UP = "start the app with OPENAI_API_KEY (and OPENAI_BASE_URL for your own server)."
MAX_TEXT = 2000
MAX_NOTE = 20_000  # characters of a note to check; a language model may write at length
MAX_FIELD = 300
MAX_HITS = 24
MAX_AGE = 120
FIELDS = ("label", "subtype", "malignancy", "description", "age", "sex", "site")  # of the record form, in its order
FILTERS = ("label", "source", "site")
EXAMPLE_IMAGES, EXAMPLE_TEXTS, MAX_EXAMPLE_TEXT = 6, 4, 170
DEFAULT_TEXTS = ("An asymmetric dark brown lesion with an irregular border", "A small symmetric light brown spot")


class AppService:
    """Operations on a loaded model. Inputs are checked first; a refused input raises its `DermNoteError`.

    Args:
        model: A loaded `DermNote`.
        writer: Client of the language model; None takes OPENAI_API_KEY, OPENAI_BASE_URL and DERMNOTE_LLM.
        allowance: Limits on requests to the language model; None sets no limit.

    Attributes:
        examples: Example images of the gallery.
        queries: Example texts for a search.
        filters: Values by which a search may be filtered, by field.
    """

    def __init__(self, model: DermNote, writer: NoteWriter | None = None, allowance: Allowance | None = None) -> None:
        self.model = model
        self.writer = writer or NoteWriter(max_retries=RETRIES, patience=PATIENCE)
        self.allowance = allowance or Allowance()
        self.examples, self.queries = example_images(model.index), example_texts(model.index)
        self.filters = filter_values(model.index)

    def read_image(self, image: Image | DermNoteError | None, modality: str) -> EncodedImage:
        """Encode an image once, for several operations on it."""
        return self.model.read_image(need_image(image), modality=_modality(modality))

    def classify(self, image: ImageInput, modality: str) -> list[Prediction]:
        """Return all classes, the most probable first."""
        return self.model.classify(need_image(image), modality=_modality(modality))

    def find_notes(self, image: ImageInput, modality: str, k: float) -> list[Hit]:
        """Return the k gallery cases whose notes are nearest to an image."""
        return self.model.find_notes(need_image(image), k=need_count(k), modality=_modality(modality))

    def find_similar(self, image: ImageInput, modality: str, k: float) -> list[Hit]:
        """Return the k gallery cases whose images are nearest to an image."""
        return self.model.find_similar(need_image(image), k=need_count(k), modality=_modality(modality))

    def find_images(self, text: str, k: float, where: Where | None = None) -> list[Hit]:
        """Return the k gallery cases whose images are nearest to a text; only those that pass the filter `where`."""
        return self.model.find_images(need_text(text), k=need_count(k), where=where)

    def novelty(self, image: ImageInput, modality: str) -> Novelty | None:
        """Return the distance of an image from the training images; None if the bundle lacks their prototypes."""
        return self.model.novelty(need_image(image), modality=_modality(modality))

    def explain(self, image: ImageInput, modality: str, label: str | None = None, text: str | None = None) -> Evidence:
        """Return the evidence map of a class (None: the most probable one) or of a text."""
        words = None if text is None else need_text(text)
        return self.model.explain(need_image(image), label=label, text=words, modality=_modality(modality))

    def write_note(
        self, image: ImageInput, modality: str, record: LesionMetadata, strategy: str, demographics: bool
    ) -> Note:
        """Write a note with its audit, from the template or with the language model.

        Args:
            image: May be None for a strategy that uses no image.
            modality: As the interface spells it.
            record: Known facts; may be empty.
            strategy: Name of the strategy.
            demographics: Whether the note also states age, sex and site.
        """
        chosen = get_strategy(strategy)
        if image is not None or chosen.needs_model:
            image = need_image(image)
        if chosen.needs_model and not self.writer.is_set_up:
            raise NoKeyError(NOT_SET_UP, SET_UP)
        with metered(self.writer, self.allowance, chosen, record, demographics) as writer:
            return self.model.write_note(
                image,
                record if record.to_mapping() else None,
                strategy=strategy,
                demographics=demographics,
                modality=_modality(modality),
                writer=writer,
            )

    def write_predicted_note(
        self, image: ImageInput, modality: str, record: LesionMetadata, strategy: str, demographics: bool
    ) -> Note:
        """Write a note on a record whose diagnosis is the model's prediction; the note states that.

        The audit uses the record without the diagnosis (see `without_diagnosis`). Arguments as in `write_note`.
        """
        known, chosen = without_diagnosis(record), get_strategy(strategy)
        predicted = next(each for each in self.classify(image, modality) if each.label == record.label)
        facts = (predicted.label, predicted.malignancy, predicted.probability)
        if not chosen.needs_model:
            return audited(predicted_note(*facts, known, demographics=demographics), known)
        note = self.write_note(image, modality, record, strategy, demographics)
        # A strategy that sends the image alone sent no diagnosis.
        return audited(say_predicted(note, *facts) if chosen.tells else note, known)

    def open_case(self, case_id: str) -> Image:
        """Open the image of a gallery case.

        Raises:
            IndexQueryError: There is no such case, or it has no image.
        """
        jpeg = self.model.index.thumbnail(case_id)
        if jpeg is None:
            raise IndexQueryError("This case has no picture.")
        return open_image(jpeg)


def load_model(spec: str) -> DermNote:
    """Load the model of a setting; errors as `DermNote.from_pretrained`."""
    from dermnote import DermNote  # imports torch, which takes seconds: errors in the settings are reported before

    source, revision = parse_model_spec(spec)
    return DermNote.from_pretrained(source, revision=revision)


def parse_model_spec(spec: str) -> tuple[str | None, str | None]:
    """Split a folder, "org/name" or "org/name@revision" into source (None: embedded starter) and revision."""
    spec = spec.strip()
    if not spec or Path(spec).is_dir():
        return spec or None, None
    source, _, revision = spec.partition("@")
    return source, revision or None


def without_diagnosis(record: LesionMetadata) -> LesionMetadata:
    """Return the record without its diagnosis."""
    return replace(record, label=None, subtype=None, malignancy=None)


def build_filter(**chosen: list[str] | None) -> dict[str, list[str]]:
    """Return the filter of a search; fields without a chosen value are left out."""
    return {field: values for field, values in chosen.items() if values}


def _modality(name: str) -> Any:
    if name not in ("dermoscopy", "clinical", CROPPED):
        raise ImageError(f"Unknown modality '{name}'.", f"It is 'dermoscopy', 'clinical' or '{CROPPED}'.")
    return None if name == CROPPED else name


@overload
def need_image(image: Image | DermNoteError | None) -> Image: ...
@overload
def need_image(image: ImageInput) -> Image | EncodedImage: ...
def need_image(image: ImageInput) -> Image | EncodedImage:
    """Return the image; raise the error of a missing or refused one."""
    if isinstance(image, DermNoteError):
        raise image
    if image is None:
        raise ImageError("There is no picture yet.", "Drop one first.")
    return image


def need_text(text: str | None, limit: int = MAX_TEXT) -> str:
    """Return the text stripped; raise IndexQueryError if it is empty or longer than `limit` characters."""
    stripped = (text or "").strip()
    if not stripped:
        raise IndexQueryError("There is no text yet.", "Describe a lesion in a few words.")
    if len(stripped) > limit:
        raise IndexQueryError(f"The text has {len(stripped):,} characters; the limit is {limit:,}.")
    return stripped


def need_count(k: float | None) -> int:
    """Return the number of hits as an integer; raise IndexQueryError unless it is 1 to MAX_HITS."""
    if k is None or k != k or not 1 <= k <= MAX_HITS:
        raise IndexQueryError(f"k must be from 1 to {MAX_HITS}.")
    return int(k)


def need_age(age: str | float | None) -> float | None:
    """Return the age in years, None if empty; raise NotesError unless it is 0 to MAX_AGE."""
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


def need_record(fields: Mapping[str, Any]) -> LesionMetadata:
    """Return the form fields as metadata; raise NotesError for a text over MAX_FIELD characters or a bad age."""
    for name, value in fields.items():
        if isinstance(value, str) and len(value) > MAX_FIELD:
            raise NotesError(f"{name} has {len(value):,} characters; the limit is {MAX_FIELD}.")
    return LesionMetadata.from_mapping({**fields, "age": need_age(fields.get("age"))})


def record_of(*values: Any) -> LesionMetadata:
    """Return values in the order of `FIELDS` as metadata; errors as `need_record`."""
    return need_record(dict(zip(FIELDS, values, strict=True)))


def example_images(index: CaseIndex) -> list[Image]:
    """Open one image of each of the first classes."""
    thumbnails = (index.thumbnails[row] for row, _ in _one_per_class(index))
    return [open_image(jpeg) for jpeg in islice(filter(None, thumbnails), EXAMPLE_IMAGES)]


def example_texts(index: CaseIndex) -> list[str]:
    """Return descriptions of a few cases that fit on a button."""
    texts = [str(case["description"] or "").strip() for _, case in _one_per_class(index)]
    short = [text[0].upper() + text[1:] for text in texts if 0 < len(text) <= MAX_EXAMPLE_TEXT]
    return list(dict.fromkeys(short))[:EXAMPLE_TEXTS] or list(DEFAULT_TEXTS)


def filter_values(index: CaseIndex) -> dict[str, list[str]]:
    """Return the sorted values of each filter field; none for a field with a single value."""
    table = index.columns(*FILTERS)
    values = {name: sorted({str(value) for value in table[name].dropna()} - {""}) for name in FILTERS}
    return {name: each if len(each) > 1 else [] for name, each in values.items()}


def _one_per_class(index: CaseIndex) -> Iterator[tuple[int, dict[str, Any]]]:
    table = index.columns("label", "description").drop_duplicates("label")
    table = table.astype(object).where(table.notna(), None)
    for row in table.index:
        yield int(row), table.loc[row].to_dict()
