"""The workbench of one case: one upload, then classes, a written note and similar cases."""

from __future__ import annotations

from typing import Any

import gradio as gr

from face import cards, frame
from face.answers import CROPPED
from face.models import Models
from face.note_form import NoteForm, note_values
from face.reading import NO_PICTURE, Reader, Reading
from face.upload import take_upload
from face.wiring import LIGHT, PRIVATE

MODALITIES = [("Dermoscopy", "dermoscopy"), ("Clinical photo", "clinical"), ("Cropped", CROPPED)]
SELECT_EXAMPLE = """
element.addEventListener('click', (event) => {
  const button = event.target.closest('[data-index]');
  if (button) trigger('select', {index: Number(button.dataset.index)});
});
"""


# On a phone the results begin below the fold: bring them up, unless they can be seen already.
SHOW_RESULTS = """
() => {
  const results = document.querySelector('.dn-classes');
  if (!results || results.getBoundingClientRect().top < window.innerHeight * 0.8) return;
  const still = window.matchMedia('(prefers-reduced-motion: reduce)').matches;
  results.closest('.dn-card').scrollIntoView({behavior: still ? 'auto' : 'smooth', block: 'start'});
}
"""


class CaseTab:
    """Lays out the tab inside the current Gradio context, and connects it.

    Args:
        models: What reads a picture into the cards.
        key: The component that holds which of them answers this visitor.
    """

    def __init__(self, models: Models, key: gr.State) -> None:
        self.models, self.key = models, key
        gr.HTML(frame.heading("Read a picture", "One upload gives classes, a written note, and similar cases."))
        with gr.Row(equal_height=False):
            with gr.Column(scale=4, min_width=300, elem_id="read-column"):
                self._inputs()
            with gr.Column(scale=7, min_width=320):
                self.classes = gr.HTML(NO_PICTURE)
                self.form = NoteForm(models, key, self.picture, self.modality)
                self.similar = gr.HTML("")
        self._connect()

    def _inputs(self) -> None:
        self.picture = gr.Image(
            label="Picture of one lesion",
            type="pil",
            format="png",  # how an example comes back: without loss
            sources=["upload", "clipboard"],
            height=300,
            buttons=["fullscreen"],
            placeholder="Drop an image file here to upload",  # as Gradio names the button to a screen reader
        )
        # Not a subclass: Gradio writes a .pyi file beside the module of any component's subclass.
        self.picture.preprocess = take_upload
        self.alert = gr.HTML("", elem_id="picture-alert")
        self.modality = gr.Radio(
            MODALITIES,
            value="dermoscopy",
            label="Kind of picture",
            info="Cropped: little but the lesion is left in it",
            elem_id="kind",
        )
        self.strip = gr.HTML(self._examples(self.models.first), js_on_load=SELECT_EXAMPLE)

    def _connect(self) -> None:
        self.shown = [
            self.alert,
            self.classes,
            self.similar,
            self.form.likeliest,
            self.form.take_class,
            *self.form.shown,
        ]
        # A note that is still being written is of the picture before: it must not land under this one.
        progress: dict[str, Any] = {"show_progress_on": [self.classes], "cancels": [self.form.asking], **PRIVATE}
        read = gr.on(
            [self.picture.upload, self.modality.input],
            self._read,
            [self.key, self.picture, self.modality],
            [*self.shown, self.picture],
            trigger_mode="always_last",
            **progress,
        )
        outputs = [*self.shown, self.picture, self.modality]
        read_example = self.strip.select(self._read_example, self.key, outputs, **progress)
        for done in (read, read_example):
            done.then(None, js=SHOW_RESULTS, **LIGHT)
        self.picture.clear(lambda: _values(Reading()), None, self.shown, cancels=[self.form.asking], **LIGHT)

    def _read(self, key: str, upload: Any, modality: str) -> tuple[Any, ...]:
        reading = self.models[key].read(upload, modality)
        return (*_values(reading), None if reading.alert else gr.skip())  # a refused file leaves the input again

    def _read_example(self, key: str, event: gr.EventData) -> tuple[Any, ...]:
        reader = self.models[key]
        picture = reader.examples[int(event._data["index"]) % len(reader.examples)]
        return (*_values(reader.read(picture, CROPPED)), picture, CROPPED)

    def of_model(self, reader: Reader) -> dict[Any, Any]:
        """What becomes of the tab's components when another model answers: examples of its own, and no results."""
        empty = dict(zip(self.shown, _values(Reading()), strict=True))
        return {**empty, **self.form.of_model(reader), self.strip: self._examples(reader), self.picture: None}

    @staticmethod
    def _examples(reader: Reader) -> str:
        return cards.examples_strip(reader.examples)


def _values(reading: Reading) -> tuple[Any, ...]:
    ready = gr.Button(interactive=reading.likeliest is not None)
    cards_ = (reading.alert, reading.classes, reading.similar)
    return (*cards_, reading.likeliest, ready, *note_values(reading.written))
