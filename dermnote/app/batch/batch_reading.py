"""Reading of a batch: one result per image, the totals, and the exported CSV and JSON lines.

An error costs its own image and no other.
"""

from __future__ import annotations

import csv
import io
import json
import logging
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from dermnote.app.batch.archive import BatchItem, SkippedFile
from dermnote.app.batch.batch_inputs import Batch
from dermnote.app.batch.metadata_table import KNOWN
from dermnote.app.cards import RESEARCH_ONLY, shown_source
from dermnote.app.events import error_line
from dermnote.app.service import need_record
from dermnote.errors import DermNoteError
from dermnote.images.opening import DECODED_SIDE, encode_jpeg, open_image, to_square
from dermnote.metadata import LesionMetadata
from dermnote.storage import inert

if TYPE_CHECKING:
    from PIL.Image import Image

    from dermnote import Note, Prediction
    from dermnote.app.service import AppService
    from dermnote.models.novelty import Novelty

THUMBNAIL_SIDE, THUMBNAIL_QUALITY = 96, 80
DIGITS = 6  # of probabilities in exports
UNFORESEEN = "It could not be read. The log of the app says why."
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ImageResult:
    """Result of one image.

    Attributes:
        name: Of its file.
        record: Its row of the table.
        predictions: All classes, the most probable first; empty if it failed.
        novelty: Distance from the training images; None if it failed or the bundle lacks their prototypes.
        note: Strategy M, with its audit; None if it failed.
        thumbnail: A small JPEG; None if it failed.
        error: Why it failed, one line; else empty.
    """

    name: str
    record: LesionMetadata = field(default_factory=LesionMetadata)
    predictions: Sequence[Prediction] = ()
    novelty: Novelty | None = None
    note: Note | None = None
    thumbnail: bytes | None = None
    error: str = ""


@dataclass(frozen=True)
class BatchReader:
    """Reads images with one model.

    `demographics` is whether notes also state age, sex and site.
    """

    service: AppService
    modality: str
    demographics: bool

    def read(self, item: BatchItem) -> ImageResult:
        """Read one image; an error is part of the result, never raised."""
        if item.error:
            return ImageResult(item.name, error=item.error)
        try:
            record = need_record(item.fields)
        except DermNoteError as error:
            return ImageResult(item.name, error=error_line(error))
        try:
            return self._read(item.name, open_image(item.read(), at_least=DECODED_SIDE), record)
        except DermNoteError as error:
            return ImageResult(item.name, record, error=_without_subject(error_line(error)))
        except Exception:
            log.exception("a picture of a batch could not be read")
            return ImageResult(item.name, record, error=UNFORESEEN)

    def _read(self, name: str, image: Image, record: LesionMetadata) -> ImageResult:
        service, modality = self.service, self.modality
        encoded = service.read_image(image, modality)
        predictions = service.classify(encoded, modality)
        note = service.write_note(encoded, modality, record, "m", self.demographics)
        thumbnail = encode_jpeg(to_square(image, THUMBNAIL_SIDE), THUMBNAIL_QUALITY)
        return ImageResult(name, record, predictions, service.novelty(encoded, modality), note, thumbnail)

    def read_all(
        self, items: Sequence[BatchItem], turn: threading.Lock, stop: threading.Event
    ) -> Iterator[ImageResult]:
        """Read one image after another, each while holding `turn`, until `stop` is set."""
        for item in items:
            with turn:
                if stop.is_set():
                    return
                result = self.read(item)
            yield result

    def results(self, results: Sequence[ImageResult], batch: Batch) -> ImageResults:
        """Return the results of a batch so far."""
        model = self.service.model
        name = "@".join(filter(None, (shown_source(model.source), model.revision)))
        return ImageResults(
            results, len(batch.items), self.modality, name, model.config.classnames, batch.skipped, batch.remarks
        )


def _without_subject(line: str) -> str:
    """Return the line without the name of the image, which the page shows beside it."""
    return f"It{line.removeprefix('the picture')}" if line.startswith("the picture") else line


@dataclass(frozen=True)
class ImageResults:
    """Results of a batch that is done, or was stopped.

    Attributes:
        images: In the order of upload.
        total: Number of images of the batch.
        modality: As the interface spells it.
        model: Name and revision.
        classnames: Of the model.
        skipped: Files that were not used.
        remarks: On the table.
    """

    images: Sequence[ImageResult]
    total: int
    modality: str
    model: str
    classnames: Sequence[str]
    skipped: Sequence[SkippedFile] = ()
    remarks: Sequence[str] = ()

    @cached_property
    def read(self) -> Sequence[ImageResult]:
        """Return the images that were read."""
        return [each for each in self.images if not each.error]

    @cached_property
    def failed(self) -> Sequence[ImageResult]:
        """Return the images that were not read."""
        return [each for each in self.images if each.error]

    def summary(self) -> str:
        """Return the totals in one line."""
        failed = f", {len(self.failed)} failed" if self.failed else ""
        stopped = len(self.images) < self.total
        return f"{'Stopped: ' if stopped else ''}{len(self.read)} of {self.total} read{failed}."


def as_csv(results: ImageResults) -> str:
    """Return a CSV with a row per image: file, record, prediction, all probabilities, novelty, note, error."""
    written = io.StringIO()
    writer = csv.writer(written, lineterminator="\n")
    classes = [f"p_{name.replace(' ', '_')}" for name in results.classnames]
    heads = ["file", *(f"recorded_{name}" for name in KNOWN), "predicted_class", "predicted_malignancy", "probability"]
    writer.writerow(
        map(inert, [*heads, *classes, "unlike_training", "note", "error", "kind_of_picture", "model", "caution"])
    )
    for image in results.images:
        cells = (*_cells(image, results), results.modality, results.model, RESEARCH_ONLY)
        writer.writerow(map(inert, cells))
    return written.getvalue()


def as_jsonl(results: ImageResults) -> str:
    """Return JSON lines, one per image: the same, with the note's audit."""
    return "".join(json.dumps(_line(image, results), ensure_ascii=False) + "\n" for image in results.images)


def _cells(image: ImageResult, results: ImageResults) -> Iterator[object]:
    record = image.record.to_mapping()
    shares = {each.label: round(each.probability, DIGITS) for each in image.predictions}
    likeliest = image.predictions[0] if image.predictions else None
    yield image.name
    yield from (record.get(name, "") for name in KNOWN)
    yield from (likeliest.label, likeliest.malignancy or "", shares[likeliest.label]) if likeliest else ("", "", "")
    yield from (shares.get(name, "") for name in results.classnames)
    yield "" if image.novelty is None else str(image.novelty.far).lower()
    yield from (image.note.text if image.note else "", image.error)


def _line(image: ImageResult, results: ImageResults) -> dict[str, Any]:
    note = image.note
    return {
        "file": image.name,
        "record": image.record.to_mapping(),
        "classes": [
            {"label": each.label, "probability": round(each.probability, DIGITS), "malignancy": each.malignancy}
            for each in image.predictions
        ],
        "unlike_training": image.novelty and image.novelty.far,
        "note": note and note.text,
        "strategy": note and note.strategy,
        "prompt_version": note and note.prompt_version,
        "audit": note and note.audit,
        "error": image.error or None,
        "kind_of_picture": results.modality,
        "model": results.model,
        "caution": RESEARCH_ONLY,
    }
