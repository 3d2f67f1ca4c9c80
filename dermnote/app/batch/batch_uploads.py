"""The uploads of a batch: by the names their owner gave them, and gone once they are read."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from dermnote.app.batch.archive import TABLE
from dermnote.app.batch.batch_inputs import ZIP
from dermnote.app.batch.batch_items import Upload

if TYPE_CHECKING:
    from gradio.data_classes import ListFiles


def taken(payload: ListFiles | None) -> list[Upload]:
    """What the browser sent; Gradio has made sure that the paths lie in its upload folder."""
    return [_upload(file.path, file.orig_name) for file in payload or []]


def discard(uploads: Sequence[Upload]) -> None:
    """Deletes zips and tables: nobody stripped them of what they say of patients.

    Pictures stay for Gradio's own clearing up: they lost their metadata when they came, and the Case tab may show the
    same file.
    """
    for upload in uploads:
        if upload.suffix in (ZIP, TABLE):
            upload.path.unlink(missing_ok=True)


def _upload(path: str, named: str | None) -> Upload:
    name = PurePosixPath((named or path).replace("\\", "/")).name
    return Upload(name or Path(path).name, Path(path))
