"""The tab that takes a picture: one upload, then classes, a written note and similar cases."""

from __future__ import annotations

from typing import Any

import gradio as gr

from face import cards, frame
from face.answers import CROPPED
from face.examples import example_pictures
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


class PictureTab:
    """Lays out the tab inside the current Gradio context, and connects it.

    Args:
        reader: What reads a picture into the cards.
    """

    def __init__(self, reader: Reader) -> None:
        self.reader = reader
        self.examples = example_pictures(reader.answers.model.index)
        gr.HTML(frame.heading("Read a picture", "One upload gives classes, a written note, and similar cases."))
        with gr.Row(equal_height=False):
            with gr.Column(scale=4, min_width=300, elem_id="read-column"):
                self._inputs()
            with gr.Column(scale=7, min_width=320):
                self.classes = gr.HTML(NO_PICTURE)
                self.form = NoteForm(reader, self.picture, self.modality)
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
        self.strip = gr.HTML(cards.examples_strip(self.examples), js_on_load=SELECT_EXAMPLE)

    def _connect(self) -> None:
        shown = [self.alert, self.classes, self.similar, self.form.likeliest, self.form.take_class, *self.form.shown]
        # A note that is still being written is of the picture before: it must not land under this one.
        progress: dict[str, Any] = {"show_progress_on": [self.classes], "cancels": [self.form.asking], **PRIVATE}
        read = gr.on(
            [self.picture.upload, self.modality.input],
            self._read,
            [self.picture, self.modality],
            [*shown, self.picture],
            trigger_mode="always_last",
            **progress,
        )
        outputs = [*shown, self.picture, self.modality]
        read_example = self.strip.select(self._read_example, None, outputs, **progress)
        for done in (read, read_example):
            done.then(None, js=SHOW_RESULTS, **LIGHT)
        self.picture.clear(lambda: _values(Reading()), None, shown, cancels=[self.form.asking], **LIGHT)

    def _read(self, upload: Any, modality: str) -> tuple[Any, ...]:
        reading = self.reader.read(upload, modality)
        return (*_values(reading), None if reading.alert else gr.skip())  # a refused file leaves the input again

    def _read_example(self, event: gr.EventData) -> tuple[Any, ...]:
        picture = self.examples[int(event._data["index"]) % len(self.examples)]
        return (*_values(self.reader.read(picture, CROPPED)), picture, CROPPED)


def _values(reading: Reading) -> tuple[Any, ...]:
    ready = gr.Button(interactive=reading.likeliest is not None)
    cards_ = (reading.alert, reading.classes, reading.similar)
    return (*cards_, reading.likeliest, ready, *note_values(reading.written))
