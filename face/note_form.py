"""The written note, and the form that writes one from what is known."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gradio as gr

from dermnote.notes.strategies import STRATEGIES
from face.answers import MAX_FIELD, MAX_TEXT
from face.reading import Reader
from face.wiring import LIGHT, PRIVATE

FIELDS = ("label", "subtype", "malignancy", "description", "age", "sex", "site")
MALIGNANCIES, SEXES = ("benign", "pre-cancerous", "malignant"), ("female", "male")


class NoteForm:
    """Lays out note and form inside the current Gradio context, and connects them.

    Args:
        reader: What writes the note.
    """

    def __init__(self, reader: Reader) -> None:
        self.reader = reader
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
        self.likeliest = gr.State(None)
        with gr.Accordion("Write it from what you know", open=False):
            self._inputs(reader.answers.model.config.classnames)
            self.alert = gr.HTML("", elem_id="form-alert")
            with gr.Row():
                self.take_class = gr.Button("Take the likeliest class", size="md", interactive=False)
                self.write = gr.Button("Write the note", variant="primary", size="md")
        # What a read picture fills in, in the order of `picture_tab._values`.
        self.filled_by_picture = [self.written, self.origin, self.likeliest]
        self.filled_by_picture += [self.take_class, self.find_fitting, self.copy]
        self._connect()

    def _inputs(self, classnames: Sequence[str]) -> None:
        with gr.Row():
            label = _choice("Diagnosis", classnames)
            subtype = gr.Textbox("", label="Subtype", max_length=MAX_FIELD)
            malignancy = _choice("Malignancy", MALIGNANCIES)
        description = gr.Textbox("", label="Description of the findings", lines=2, max_length=MAX_FIELD)
        with gr.Row():
            # Not gr.Number: left empty, it sends 0, and the note would tell of an infant.
            age = gr.Textbox("", label="Age in years", max_length=5, min_width=120)
            sex = _choice("Sex", SEXES, min_width=120)
            site = gr.Textbox("", label="Place on the body", max_length=MAX_FIELD, min_width=140)
        self.fields = [label, subtype, malignancy, description, age, sex, site]  # in the order of FIELDS
        self.demographics = gr.Checkbox(label="Tell age, sex and place in the note", value=False)
        strategies = [(_strategy_title(name), name) for name in STRATEGIES]
        self.strategy = gr.Dropdown(strategies, value="m", label="Strategy")

    def _connect(self) -> None:
        self.write.click(
            self._compose,
            [self.strategy, self.demographics, *self.fields],
            [self.alert, self.written, self.origin, self.find_fitting, self.copy],
            show_progress_on=[self.written],
            **PRIVATE,
        )
        self.copy.click(None, self.written, None, js="(note) => navigator.clipboard.writeText(note)", **LIGHT)
        label, malignancy = self.fields[0], self.fields[2]
        self.take_class.click(lambda likeliest: likeliest or ("", ""), self.likeliest, [label, malignancy], **LIGHT)

    def _compose(self, strategy: str, demographics: bool, *values: Any) -> tuple[Any, ...]:
        alert, note, origin = self.reader.compose(dict(zip(FIELDS, values, strict=True)), strategy, demographics)
        if note is None:
            return alert, gr.skip(), gr.skip(), gr.skip(), gr.skip()
        return alert, note, origin, gr.Button(interactive=True), gr.Button(interactive=True)


def _choice(label: str, names: Sequence[str], **layout: Any) -> gr.Dropdown:
    return gr.Dropdown([("not known", ""), *((name, name) for name in names)], label=label, value="", **layout)


def _strategy_title(name: str) -> str:
    return f"{name.upper()}: {STRATEGIES[name].title}"
