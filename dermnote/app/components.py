"""Gradio components that several tabs share: the image input, the kind of image, and the fields of a record."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gradio as gr

from dermnote.app.gradio_patches import with_preprocess
from dermnote.app.service import CROPPED, FIELDS, MAX_FIELD
from dermnote.app.serving.uploads import open_upload

MODALITIES = [("Dermoscopy", "dermoscopy"), ("Clinical photo", "clinical"), ("Cropped", CROPPED)]
MALIGNANCIES, SEXES = ("benign", "pre-cancerous", "malignant"), ("female", "male")
AGE_LENGTH = 5


def image_input(height: int) -> gr.Image:
    """Return an input for one image, read by `open_upload`; `height` in pixels."""
    return with_preprocess(gr.Image, open_upload)(
        label="Picture of one lesion",
        type="pil",
        format="png",  # the format of an example that a handler returns: without loss
        sources=["upload", "clipboard"],
        height=height,
        buttons=["fullscreen"],
        placeholder="Drop an image file here to upload",  # as Gradio names the button to a screen reader
    )


def modality_input(elem_id: str, label: str = "Kind of picture", info: str | None = None) -> gr.Radio:
    """Return the choice of the kind of image."""
    return gr.Radio(MODALITIES, value="dermoscopy", label=label, info=info, elem_id=elem_id)


class RecordFields:
    """Fields of a record, laid out inside the current Gradio context.

    Args:
        classnames: Choices of the diagnosis.

    Attributes:
        all: The components, in the order of `FIELDS`.
    """

    def __init__(self, classnames: Sequence[str]) -> None:
        with gr.Row():
            label = self._label = gr.Dropdown(_with_unknown(classnames), value="", label="Diagnosis")
            subtype = gr.Textbox("", label="Subtype", max_length=MAX_FIELD)
            malignancy = gr.Dropdown(_with_unknown(MALIGNANCIES), value="", label="Malignancy")
        description = gr.Textbox("", label="Description of the findings", lines=2, max_length=MAX_FIELD)
        with gr.Row():
            # Not gr.Number: left empty, it sends 0, and the note would be of an infant.
            age = gr.Textbox("", label="Age in years", max_length=AGE_LENGTH, min_width=120)
            sex = gr.Dropdown(_with_unknown(SEXES), value="", label="Sex", min_width=120)
            site = gr.Textbox("", label="Place on the body", max_length=MAX_FIELD, min_width=140)
        self.all: list[gr.Textbox | gr.Dropdown] = [label, subtype, malignancy, description, age, sex, site]
        assert len(self.all) == len(FIELDS)

    def for_classes(self, classnames: Sequence[str]) -> dict[Any, Any]:
        """Return the updates of the fields for a model with other classes."""
        return {self._label: gr.Dropdown(_with_unknown(classnames), value="")}


def _with_unknown(names: Sequence[str]) -> list[tuple[str, str]]:
    return [("not known", ""), *((name, name) for name in names)]
