"""Case tab: one image gives classes, an evidence map, a written note and similar cases."""

from __future__ import annotations

from typing import Any

import gradio as gr

from dermnote.app import cards
from dermnote.app.case_cards import NO_IMAGE, CaseView, explain_case, read_case
from dermnote.app.components import image_input, modality_input
from dermnote.app.events import LIGHT, PRIVATE, SEEN_ALREADY, error_line, scroll_to, select_pressed
from dermnote.app.loaded_models import Models
from dermnote.app.note_form import NoteForm, note_values
from dermnote.app.service import CROPPED, MAX_TEXT, AppService
from dermnote.errors import DermNoteError

SELECT_EXAMPLE, OPEN_CASE = select_pressed("index"), select_pressed("case")
MARK = (
    "for (const each of element.querySelectorAll('[data-label]')) each.setAttribute('aria-pressed', each === pressed);"
)
SELECT_CLASS = select_pressed("label", MARK)
SHOW_RESULTS = scroll_to(".dn-classes", SEEN_ALREADY, ancestor=".dn-card")


class CaseTab:
    """Components of the tab, laid out inside the current Gradio context, and their events."""

    def __init__(self, models: Models, key: gr.State) -> None:
        self.models, self.key = models, key
        gr.HTML(cards.heading("Read a picture", "One upload gives classes, a written note, and similar cases."))
        with gr.Row(equal_height=False):
            with gr.Column(scale=4, min_width=300, elem_id="read-column"):
                self.image = image_input(height=300)
                self.alert = gr.HTML("", elem_id="picture-alert")
                self.modality = modality_input("kind", info="Cropped: little but the lesion is left in it")
                self.examples = gr.HTML(cards.examples_strip(models.first.examples), js_on_load=SELECT_EXAMPLE)
            with gr.Column(scale=7, min_width=320):
                self.classes = gr.HTML(NO_IMAGE, js_on_load=SELECT_CLASS)
                self._lay_out_evidence()
                self.form = NoteForm(models, key, self.image, self.modality)
                self.similar = gr.HTML("", js_on_load=OPEN_CASE)
        self._connect()

    def _lay_out_evidence(self) -> None:
        self.evidence = gr.HTML("", elem_id="evidence")
        with gr.Row(elem_id="evidence-text", equal_height=True):
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
        self.shown += [self.form.likeliest, self.form.copy_class, *self.form.shown]  # in the order of `_values`
        self._cancel_note_on(self.image.upload, self.image.clear, self.modality.input, self.examples.select)
        self._progress: dict[str, Any] = {"show_progress_on": [self.classes], **PRIVATE}
        read = gr.on(
            [self.image.upload, self.modality.input],
            self._read,
            [self.key, self.image, self.modality],
            [*self.shown, self.image],
            trigger_mode="always_last",
            **self._progress,
        )
        self._outputs = [*self.shown, self.image, self.modality]
        read_example = self.examples.select(self._read_example, self.key, self._outputs, **self._progress)
        for done in (read, read_example, self.open_from(self.similar)):
            done.then(None, js=SHOW_RESULTS, **LIGHT)
        self.image.clear(lambda: _values(CaseView()), None, self.shown, **LIGHT)
        shown = [self.key, self.image, self.modality]
        explained: dict[str, Any] = {"show_progress_on": [self.evidence], **PRIVATE}
        self.classes.select(self._explain_class, shown, [self.words_alert, self.evidence], **explained)
        gr.on([self.words.submit, self.show.click], **self.text_evidence_event())

    def _cancel_note_on(self, *events: Any) -> None:
        """Cancel a note that is being written on these events: it belongs to the previous image.

        Register it before the listeners that read the next image. The browser runs the listeners of an event one after
        another, and the argument `cancels` of one adds another after it: that would let a late note pass, or cancel a
        note of the new image.
        """
        gr.on(list(events), None, cancels=[self.form.writing], **LIGHT)

    def open_from(self, listing: gr.HTML) -> Any:
        """Open a gallery case when its image is pressed in a list of `gallery_cards`; return the event."""
        self._cancel_note_on(listing.select)
        return listing.select(self._open, self.key, self._outputs, **self._progress)

    def text_evidence_event(self) -> dict[str, Any]:
        """Return the arguments of an event that shows the evidence map of the typed text."""
        return {
            "fn": self._explain_words,
            "inputs": [self.key, self.image, self.modality, self.words],
            "outputs": [self.words_alert, self.evidence],
            "show_progress_on": [self.evidence],
            **PRIVATE,
        }

    def _read(self, key: str, upload: Any, modality: str) -> tuple[Any, ...]:
        view = read_case(self.models[key], upload, modality)
        return (*_values(view), None if view.alert else gr.skip())  # a refused file is removed from the input

    def _read_example(self, key: str, event: gr.EventData) -> tuple[Any, ...]:
        service = self.models[key]
        image = service.examples[int(event._data["index"]) % len(service.examples)]
        return (*_values(read_case(service, image, CROPPED)), image, CROPPED)

    def _open(self, key: str, event: gr.EventData) -> tuple[Any, ...]:
        service = self.models[key]
        try:
            image = service.open_case(str(event._data["case"]))
        except DermNoteError as error:
            return (cards.alert(error_line(error)), *([gr.skip()] * (len(self._outputs) - 1)))
        return (*_values(read_case(service, image, CROPPED)), image, CROPPED)

    def _explain_class(self, key: str, upload: Any, modality: str, event: gr.EventData) -> tuple[str, str]:
        return explain_case(self.models[key], upload, modality, label=str(event._data["label"]))

    def _explain_words(self, key: str, upload: Any, modality: str, words: str) -> tuple[Any, Any]:
        alert, heat = explain_case(self.models[key], upload, modality, text=words)
        return alert, heat or gr.skip()  # without a new map the old one stays

    def of_model(self, service: AppService) -> dict[Any, Any]:
        """Return the updates of the tab for another model: its examples, and no results."""
        empty = dict(zip(self.shown, _values(CaseView()), strict=True))
        examples = cards.examples_strip(service.examples)
        return {**empty, **self.form.of_model(service), self.examples: examples, self.image: None}


def _values(view: CaseView) -> tuple[Any, ...]:
    """Return the values of `CaseTab.shown`."""
    read = view.likeliest is not None
    words = (gr.Textbox(visible=read), gr.Button(visible=read))
    shown = (view.alert, view.classes, view.evidence, *words, "", view.similar)
    return (*shown, view.likeliest, gr.Button(interactive=read), *note_values(view.note))
