"""The written note with its claims, and the form that writes one from known facts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import gradio as gr

from dermnote.app.case_cards import NoteView, check_note, compose_note
from dermnote.app.components import RecordFields
from dermnote.app.events import LIGHT, SAVE_RECORD, WRITING, scroll_to
from dermnote.app.llm_quota.destination import button_label, can_write, destination
from dermnote.app.loaded_models import Models
from dermnote.app.service import FIELDS, MAX_TEXT, AppService
from dermnote.notes.strategies import STRATEGIES

if TYPE_CHECKING:
    from dermnote import Note

COPY = "(note) => navigator.clipboard.writeText(note)"
# The claims card holds the text it was made for; while the text box differs, the card says so.
MARK_EDITED = """
(note) => {
  const card = document.querySelector('#claims [data-record]');
  if (card) card.toggleAttribute('data-edited', note !== JSON.parse(card.dataset.record).text);
}
"""
DOWNLOAD = f"""
(note) => {{
  const card = document.querySelector('#claims [data-record]');
  if (!card) return;
  const record = JSON.parse(card.dataset.record);
  if (note !== record.text) Object.assign(record, {{text: note, edited_by_hand: true, audit: null}});
  const name = 'dermnote-note.json';{SAVE_RECORD}}}
"""
# The note is above the form.
SHOW_NOTE = scroll_to("#written-note", "top >= 0 || document.querySelector('#form-alert [role=alert]')")


class NoteForm:
    """Components of note and form, laid out inside the current Gradio context, and their events."""

    def __init__(self, models: Models, key: gr.State, image: gr.Image, modality: gr.Radio) -> None:
        self.models, self.key, self.image, self.modality = models, key, image, modality
        self._lay_out_note()
        self.likeliest, self.predicted = gr.State(None), gr.State(None)
        with gr.Accordion("Write a note from what you know, or with a language model", open=False, elem_id="note-form"):
            self._lay_out_inputs(models.first.model.config.classnames)
            self.alert = gr.HTML("", elem_id="form-alert")
            with gr.Row():
                self.copy_class = gr.Button(
                    "Use the most likely class", size="md", interactive=False, min_width=225, scale=0
                )
                self.write = gr.Button("Write the note", variant="primary", size="md", min_width=220)
        # In the order of `note_values`.
        self.shown = [self.alert, self.text, self.origin, self.claims, self.note, *self.actions]
        self._connect()

    def _lay_out_note(self) -> None:
        with gr.Group(elem_id="written-note"):
            self.text = gr.Textbox(
                label="Written note",
                lines=3,
                max_lines=10,
                max_length=MAX_TEXT,
                placeholder="A note appears here with the picture, or from the fields below.",
            )
            self.origin = gr.HTML("")
            with gr.Row(elem_classes="dn-actions"):
                self.find_fitting = gr.Button("Find pictures for this note", size="sm", interactive=False)
                # Gradio's own copy button would be inside the label and replace the text box's accessible name.
                self.copy = gr.Button("Copy the note", size="sm", interactive=False)
                self.download = gr.Button("Download note and audit", size="sm", interactive=False)
                self.check = gr.Button("Check the edited note", size="sm", elem_id="check-edited", interactive=False)
        self.claims = gr.HTML("", elem_id="claims")
        self.note = gr.State(None)  # as it was written
        self.actions = [self.find_fitting, self.copy, self.download, self.check]

    def _lay_out_inputs(self, classnames: Sequence[str]) -> None:
        self._record = RecordFields(classnames)
        self.fields = self._record.all
        self.demographics = gr.Checkbox(label="State age, sex and place in the note", value=False)
        strategies = [(f"{name.upper()}: {each.title}", name) for name, each in STRATEGIES.items()]
        self.strategy = gr.Dropdown(strategies, value="m", label="Strategy")
        self.destination = gr.HTML(destination("m", self.models.first.writer, "", False), elem_id="destination")

    def _connect(self) -> None:
        choices = [self.strategy, self.modality, self.demographics]
        changes = [self.strategy.change, self.modality.change, self.demographics.change]
        gr.on(changes, self._show_destination, choices, [self.destination, self.write], **LIGHT)
        self.writing = self.write.click(
            self._compose,
            [self.key, self.image, self.predicted, *choices, *self.fields],
            self.shown,
            show_progress_on=[self.text, self.destination],  # the second is where the button was pressed
            api_visibility="private",
            **WRITING,
        )
        self.writing.success(None, js=SHOW_NOTE, **LIGHT)
        self.check.click(
            self._check,
            [self.key, self.note, self.text, *self.fields],
            [self.alert, self.text, self.origin, self.claims],
            **LIGHT,
        )
        self.copy.click(None, self.text, None, js=COPY, **LIGHT)
        self.download.click(None, self.text, None, js=DOWNLOAD, **LIGHT)
        gr.on([self.text.change, self.claims.change], None, self.text, None, js=MARK_EDITED, **LIGHT)
        label, malignancy = self.fields[0], self.fields[2]
        self.copy_class.click(_copy_prediction, self.likeliest, [label, malignancy, self.predicted], **LIGHT)

    def _show_destination(self, strategy: str, modality: str, demographics: bool) -> tuple[str, gr.Button]:
        writer = self.models.first.writer
        button = gr.Button(button_label(strategy, writer), interactive=can_write(strategy, writer))
        return destination(strategy, writer, modality, demographics), button

    def _compose(
        self,
        key: str,
        image: Any,
        predicted: str | None,
        strategy: str,
        modality: str,
        demographics: bool,
        *values: Any,
    ) -> tuple[Any, ...]:
        fields = dict(zip(FIELDS, values, strict=True))
        view = compose_note(self.models[key], image, modality, fields, strategy, demographics, predicted)
        if view.note is None:  # the previous note stays
            return view.alert, *([gr.skip()] * (len(self.shown) - 1))
        return note_values(view)

    def _check(self, key: str, note: Note, text: str, *values: Any) -> tuple[Any, ...]:
        view = check_note(self.models[key], note, text, dict(zip(FIELDS, values, strict=True)))
        if view.note is None:
            return view.alert, gr.skip(), gr.skip(), gr.skip()
        return view.alert, view.note.text, view.origin, view.claims

    def of_model(self, service: AppService) -> dict[Any, Any]:
        """Return the updates of the form for another model: its classes."""
        return self._record.for_classes(service.model.config.classnames)


def _copy_prediction(likeliest: tuple[str, str] | None) -> tuple[str, str, str | None]:
    return (*likeliest, likeliest[0]) if likeliest else ("", "", None)


def note_values(view: NoteView) -> tuple[Any, ...]:
    """Return the values of `NoteForm.shown` for a note, or for none."""
    ready = [gr.Button(interactive=view.note is not None)] * 4
    text = "" if view.note is None else view.note.text
    return view.alert, text, view.origin, view.claims, view.note, *ready
