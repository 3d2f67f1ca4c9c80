"""The fields of a record, as inputs."""

from __future__ import annotations

from collections.abc import Sequence

import gradio as gr

from dermnote.app.input_checks import FIELDS, MAX_FIELD

MALIGNANCIES, SEXES = ("benign", "pre-cancerous", "malignant"), ("female", "male")
AGE_LENGTH = 5


class RecordFields:
    """Lays the fields out inside the current Gradio context.

    Args:
        classnames: What the diagnosis is chosen from.

    Attributes:
        all: The components, in the order of `FIELDS`.
    """

    def __init__(self, classnames: Sequence[str]) -> None:
        with gr.Row():
            label = self._label = gr.Dropdown(known_or_not(classnames), value="", label="Diagnosis")
            subtype = gr.Textbox("", label="Subtype", max_length=MAX_FIELD)
            malignancy = gr.Dropdown(known_or_not(MALIGNANCIES), value="", label="Malignancy")
        description = gr.Textbox("", label="Description of the findings", lines=2, max_length=MAX_FIELD)
        with gr.Row():
            # Not gr.Number: left empty, it sends 0, and the note would tell of an infant.
            age = gr.Textbox("", label="Age in years", max_length=AGE_LENGTH, min_width=120)
            sex = gr.Dropdown(known_or_not(SEXES), value="", label="Sex", min_width=120)
            site = gr.Textbox("", label="Place on the body", max_length=MAX_FIELD, min_width=140)
        self.all = [label, subtype, malignancy, description, age, sex, site]
        assert len(self.all) == len(FIELDS)

    def of_classes(self, classnames: Sequence[str]) -> dict[gr.Dropdown, gr.Dropdown]:
        """What becomes of the fields when another model answers."""
        return {self._label: gr.Dropdown(known_or_not(classnames), value="")}


def known_or_not(names: Sequence[str]) -> list[tuple[str, str]]:
    """Choices with "not known" before them."""
    return [("not known", ""), *((name, name) for name in names)]
