"""The page: header, three tabs, and the four public endpoints."""

from __future__ import annotations

from typing import TYPE_CHECKING

import gradio as gr

from face import frame
from face.answers import Answers
from face.checks import MAX_HITS
from face.note_tab import NoteTab
from face.picture_tab import PictureTab
from face.reading import Reader
from face.wiring import LIGHT, MODEL, WRITING, speaking

if TYPE_CHECKING:
    from dermnote import DermNote

KEPT_SECONDS = 3600  # uploads are looked over this often, and deleted when this old


def build_page(model: DermNote) -> gr.Blocks:
    """The whole page for a loaded model; `launch` it with the theme of `face.theme`."""
    reader = Reader(model)
    with gr.Blocks(title="DermNote", analytics_enabled=False, delete_cache=(KEPT_SECONDS, KEPT_SECONDS)) as page:
        gr.HTML(frame.header(model))
        with gr.Tabs() as tabs:
            with gr.Tab("From a picture", id="picture"):
                pictures = PictureTab(reader)
            with gr.Tab("From a note", id="note"):
                notes = NoteTab(reader)
            with gr.Tab("About", id="about"):
                gr.HTML(frame.about(model))
        gr.HTML(frame.footer())
        carried = pictures.form.find_fitting.click(
            lambda note: (note, gr.Tabs(selected="note")), pictures.form.written, [notes.text, tabs], **LIGHT
        )
        notes.search_after(carried)
        _add_endpoints(reader.answers, pictures, notes)
    return page


def _add_endpoints(answers: Answers, pictures: PictureTab, notes: NoteTab) -> None:
    """The public endpoints, on the page's own inputs, so that each knows its type, choices and default."""
    shown, form = [pictures.picture, pictures.modality], pictures.form
    k = gr.Number(5, label="How many", minimum=1, maximum=MAX_HITS, precision=0, visible=False)
    for answer, inputs, queue in (
        (answers.classify, shown, MODEL),
        (answers.find_notes, [*shown, k], MODEL),
        (answers.find_images, [notes.text, k], MODEL),
        (answers.write_note, [*shown, *form.fields, form.strategy, form.demographics], WRITING),
    ):
        output = gr.JSON(label=answer.__name__, visible=False)
        gr.Button(visible=False).click(speaking(answer), inputs, output, api_name=answer.__name__, **queue)
