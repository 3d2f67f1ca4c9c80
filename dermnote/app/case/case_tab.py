"""The workbench of one case: one upload, then classes, a written note and similar cases."""

from __future__ import annotations

from typing import Any

import gradio as gr

from dermnote.app import cards, page_frame
from dermnote.app.browser_scripts import SEEN_ALREADY, bring_up
from dermnote.app.case.note_form import NoteForm, note_values
from dermnote.app.case_reading import NO_PICTURE, Reader, Reading
from dermnote.app.error_messages import fault_line
from dermnote.app.events import LIGHT, PRIVATE
from dermnote.app.input_checks import MAX_TEXT
from dermnote.app.loaded_models import Models
from dermnote.app.service import CROPPED
from dermnote.app.serving.upload import take_upload
from dermnote.app.upload_components import taking
from dermnote.errors import DermNoteError

MODALITIES = [("Dermoscopy", "dermoscopy"), ("Clinical photo", "clinical"), ("Cropped", CROPPED)]


def _pressed(attribute: str, then: str = "") -> str:
    """A script that turns a press on a part with data-ATTRIBUTE into a select event that tells its value."""
    return f"""
element.addEventListener('click', (event) => {{
  const pressed = event.target.closest('[data-{attribute}]');
  if (!pressed) return;
  {then}
  trigger('select', {{{attribute}: pressed.dataset.{attribute}}});
}});
"""


SELECT_EXAMPLE, OPEN_CASE = _pressed("index"), _pressed("case")
MARK = (
    "for (const each of element.querySelectorAll('[data-label]')) each.setAttribute('aria-pressed', each === pressed);"
)
SELECT_CLASS = _pressed("label", MARK)

SHOW_RESULTS = bring_up(".dn-classes", SEEN_ALREADY, whole=".dn-card")


class CaseTab:
    """Lays out the tab inside the current Gradio context, and connects it.

    Args:
        models: What reads a picture into the cards.
        key: The component that holds which of them answers this visitor.
    """

    def __init__(self, models: Models, key: gr.State) -> None:
        self.models, self.key = models, key
        gr.HTML(page_frame.heading("Read a picture", "One upload gives classes, a written note, and similar cases."))
        with gr.Row(equal_height=False):
            with gr.Column(scale=4, min_width=300, elem_id="read-column"):
                self._inputs()
            with gr.Column(scale=7, min_width=320):
                self.classes = gr.HTML(NO_PICTURE, js_on_load=SELECT_CLASS)
                self._evidence()
                self.form = NoteForm(models, key, self.picture, self.modality)
                self.similar = gr.HTML("", js_on_load=OPEN_CASE)
        self._connect()

    def _inputs(self) -> None:
        self.picture = taking(gr.Image, take_upload)(
            label="Picture of one lesion",
            type="pil",
            format="png",  # how an example comes back: without loss
            sources=["upload", "clipboard"],
            height=300,
            buttons=["fullscreen"],
            placeholder="Drop an image file here to upload",  # as Gradio names the button to a screen reader
        )
        self.alert = gr.HTML("", elem_id="picture-alert")
        self.modality = gr.Radio(
            MODALITIES,
            value="dermoscopy",
            label="Kind of picture",
            info="Cropped: little but the lesion is left in it",
            elem_id="kind",
        )
        self.strip = gr.HTML(self._examples(self.models.first), js_on_load=SELECT_EXAMPLE)

    def _evidence(self) -> None:
        self.evidence = gr.HTML("", elem_id="evidence")
        with gr.Row(elem_id="asked-words", equal_height=True):
            self.words = gr.Textbox(
                "",
                label="Or show where it fits some words",
                placeholder="Example: blue-gray veil",
                max_length=MAX_TEXT,
                max_lines=1,
                scale=4,
                visible=False,
            )
            self.show = gr.Button("Show where", size="md", min_width=140, scale=0, visible=False)
        self.words_alert = gr.HTML("", elem_id="words-alert")

    def _connect(self) -> None:
        self.shown = [self.alert, self.classes, self.evidence, self.words, self.show, self.words_alert, self.similar]
        self.shown += [self.form.likeliest, self.form.take_class, *self.form.shown]  # in the order of `_values`
        # A note that is still being written is of the picture before: it must not land under this one.
        self._progress: dict[str, Any] = {
            "show_progress_on": [self.classes],
            "cancels": [self.form.asking],
            **PRIVATE,
        }
        read = gr.on(
            [self.picture.upload, self.modality.input],
            self._read,
            [self.key, self.picture, self.modality],
            [*self.shown, self.picture],
            trigger_mode="always_last",
            **self._progress,
        )
        self._outputs = [*self.shown, self.picture, self.modality]
        read_example = self.strip.select(self._read_example, self.key, self._outputs, **self._progress)
        for done in (read, read_example, self.opens(self.similar)):
            done.then(None, js=SHOW_RESULTS, **LIGHT)
        self.picture.clear(lambda: _values(Reading()), None, self.shown, cancels=[self.form.asking], **LIGHT)
        shown = [self.key, self.picture, self.modality]
        explained: dict[str, Any] = {"show_progress_on": [self.evidence], **PRIVATE}
        self.classes.select(self._explain_class, shown, [self.words_alert, self.evidence], **explained)
        gr.on([self.words.submit, self.show.click], **self.explains_words())

    def opens(self, listing: gr.HTML) -> Any:
        """Reads a case of the gallery when its picture is pressed in a list of `hit_cards`; returns the event."""
        return listing.select(self._open, self.key, self._outputs, **self._progress)

    def explains_words(self) -> dict[str, Any]:
        """What shows where the picture fits the words, for an event to run."""
        return {
            "fn": self._explain_words,
            "inputs": [self.key, self.picture, self.modality, self.words],
            "outputs": [self.words_alert, self.evidence],
            "show_progress_on": [self.evidence],
            **PRIVATE,
        }

    def _read(self, key: str, upload: Any, modality: str) -> tuple[Any, ...]:
        reading = self.models[key].read(upload, modality)
        return (*_values(reading), None if reading.alert else gr.skip())  # a refused file leaves the input again

    def _read_example(self, key: str, event: gr.EventData) -> tuple[Any, ...]:
        reader = self.models[key]
        picture = reader.examples[int(event._data["index"]) % len(reader.examples)]
        return (*_values(reader.read(picture, CROPPED)), picture, CROPPED)

    def _open(self, key: str, event: gr.EventData) -> tuple[Any, ...]:
        reader = self.models[key]
        try:
            picture = reader.open_case(str(event._data["case"]))
        except DermNoteError as error:
            return (cards.alert(fault_line(error)), *([gr.skip()] * (len(self._outputs) - 1)))
        return (*_values(reader.read(picture, CROPPED)), picture, CROPPED)

    def _explain_class(self, key: str, upload: Any, modality: str, event: gr.EventData) -> tuple[str, str]:
        return self.models[key].explain(upload, modality, label=str(event._data["label"]))

    def _explain_words(self, key: str, upload: Any, modality: str, words: str) -> tuple[Any, Any]:
        alert, heat = self.models[key].explain(upload, modality, text=words)
        return alert, heat or gr.skip()  # the map that is there stays

    def of_model(self, reader: Reader) -> dict[Any, Any]:
        """What becomes of the tab's components when another model answers: examples of its own, and no results."""
        empty = dict(zip(self.shown, _values(Reading()), strict=True))
        return {**empty, **self.form.of_model(reader), self.strip: self._examples(reader), self.picture: None}

    @staticmethod
    def _examples(reader: Reader) -> str:
        return cards.examples_strip(reader.examples)


def _values(reading: Reading) -> tuple[Any, ...]:
    ready = gr.Button(interactive=reading.likeliest is not None)
    there = reading.likeliest is not None
    asking = (gr.Textbox(visible=there), gr.Button(visible=there))
    shown = (reading.alert, reading.classes, reading.evidence, *asking, "", reading.similar)
    return (*shown, reading.likeliest, ready, *note_values(reading.written))
