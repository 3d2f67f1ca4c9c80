"""The written note with its claims, and the form that writes one from what is known."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import gradio as gr

from dermnote.app.case import note_scripts
from dermnote.app.case_reading import Reader, Written
from dermnote.app.events import LIGHT, WRITING
from dermnote.app.input_checks import FIELDS, MAX_TEXT
from dermnote.app.llm_quota.destination import can_ask, destination, press_words
from dermnote.app.loaded_models import Models
from dermnote.app.metadata_fields import RecordFields
from dermnote.notes.strategies import STRATEGIES

if TYPE_CHECKING:
    from dermnote import Note


class NoteForm:
    """Lays out note and form inside the current Gradio context, and connects them.

    Args:
        models: What writes the note.
        key: The component that holds which of them answers this visitor.
        picture: The picture's component, for the strategies that look at it.
        modality: The component that says what kind of picture it is.
    """

    def __init__(self, models: Models, key: gr.State, picture: gr.Image, modality: gr.Radio) -> None:
        self.models, self.key, self.picture, self.modality = models, key, picture, modality
        self._outputs()
        self.likeliest, self.taken = gr.State(None), gr.State(None)
        with gr.Accordion("Write a note from what you know, or with a language model", open=False, elem_id="note-form"):
            self._inputs(models.first.answers.model.config.classnames)
            self.alert = gr.HTML("", elem_id="form-alert")
            with gr.Row():
                self.take_class = gr.Button(
                    "Take the likeliest class", size="md", interactive=False, min_width=225, scale=0
                )
                self.write = gr.Button("Write the note", variant="primary", size="md", min_width=220)
        # What shows a note, in the order of `note_values`.
        self.shown = [self.alert, self.written, self.origin, self.claims, self.kept, *self.actions]
        self._connect()

    def _outputs(self) -> None:
        with gr.Group(elem_id="written-note"):
            self.written = gr.Textbox(
                label="Written note",
                lines=3,
                max_lines=10,
                max_length=MAX_TEXT,
                placeholder="A note appears here with the picture, or from the fields below.",
            )
            self.origin = gr.HTML("")
            with gr.Row(elem_classes="dn-actions"):
                self.find_fitting = gr.Button("Find pictures for this note", size="sm", interactive=False)
                # Gradio's own copy button would stand inside the label and take the text's name from it.
                self.copy = gr.Button("Copy the note", size="sm", interactive=False)
                self.download = gr.Button("Download note and audit", size="sm", interactive=False)
                self.check = gr.Button("Check the edited note", size="sm", elem_id="check-edited", interactive=False)
        self.claims = gr.HTML("", elem_id="claims")
        self.kept = gr.State(None)  # the note as it was written
        self.actions = [self.find_fitting, self.copy, self.download, self.check]

    def _inputs(self, classnames: Sequence[str]) -> None:
        self._record = RecordFields(classnames)
        self.fields = self._record.all
        self.demographics = gr.Checkbox(label="Tell age, sex and place in the note", value=False)
        strategies = [(_strategy_title(name), name) for name in STRATEGIES]
        self.strategy = gr.Dropdown(strategies, value="m", label="Strategy")
        self.destination = gr.HTML(destination("m", self.models.first.answers.writer, "", False), elem_id="destination")

    def _connect(self) -> None:
        choices = [self.strategy, self.modality, self.demographics]
        changes = [self.strategy.change, self.modality.change, self.demographics.change]
        gr.on(changes, self._say_where, choices, [self.destination, self.write], **LIGHT)
        self.asking = self.write.click(
            self._compose,
            [self.key, self.picture, self.taken, *choices, *self.fields],
            self.shown,
            show_progress_on=[self.written, self.destination],  # the second stands where the button was pressed
            api_visibility="private",
            **WRITING,
        )
        self.asking.success(None, js=note_scripts.SHOW_NOTE, **LIGHT)
        self.check.click(
            self._check,
            [self.key, self.kept, self.written, *self.fields],
            [self.alert, self.written, self.origin, self.claims],
            **LIGHT,
        )
        self.copy.click(None, self.written, None, js=note_scripts.COPY, **LIGHT)
        self.download.click(None, self.written, None, js=note_scripts.DOWNLOAD, **LIGHT)
        gr.on([self.written.change, self.claims.change], None, self.written, None, js=note_scripts.MARK_EDITED, **LIGHT)
        label, malignancy = self.fields[0], self.fields[2]
        self.take_class.click(_take, self.likeliest, [label, malignancy, self.taken], **LIGHT)

    def _say_where(self, strategy: str, modality: str, demographics: bool) -> tuple[str, gr.Button]:
        writer = self.models.first.answers.writer
        button = gr.Button(press_words(strategy, writer), interactive=can_ask(strategy, writer))
        return destination(strategy, writer, modality, demographics), button

    def _compose(
        self, key: str, picture: Any, taken: str | None, strategy: str, modality: str, demographics: bool, *values: Any
    ) -> tuple[Any, ...]:
        fields = dict(zip(FIELDS, values, strict=True))
        written = self.models[key].compose(picture, modality, fields, strategy, demographics, taken)
        if written.note is None:  # the note that is there stays
            return written.alert, *([gr.skip()] * (len(self.shown) - 1))
        return note_values(written)

    def _check(self, key: str, note: Note, text: str, *values: Any) -> tuple[Any, ...]:
        checked = self.models[key].check(note, text, dict(zip(FIELDS, values, strict=True)))
        if checked.note is None:
            return checked.alert, gr.skip(), gr.skip(), gr.skip()
        return checked.alert, checked.note.text, checked.origin, checked.claims

    def of_model(self, reader: Reader) -> dict[Any, Any]:
        """What becomes of the form when another model answers: it offers that model's classes."""
        return self._record.of_classes(reader.answers.model.config.classnames)


def _take(likeliest: tuple[str, str] | None) -> tuple[str, str, str | None]:
    return (*likeliest, likeliest[0]) if likeliest else ("", "", None)


def note_values(written: Written) -> tuple[Any, ...]:
    """Values of `NoteForm.shown` for a note, or for none."""
    ready = [gr.Button(interactive=written.note is not None)] * 4
    text = "" if written.note is None else written.note.text
    return written.alert, text, written.origin, written.claims, written.note, *ready


def _strategy_title(name: str) -> str:
    return f"{name.upper()}: {STRATEGIES[name].title}"
