"""Batch tab: many images are read one after another, and the results downloaded."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from typing import Any

import gradio as gr

from dermnote.app.batch.archive import IMAGE_SUFFIXES, MAX_IMAGES, TABLE, ZIP, UploadedFile
from dermnote.app.batch.batch_cards import LIMITS, NO_BATCH, inputs_card, progress, results_cards, waiting
from dermnote.app.batch.batch_inputs import Batch, delete_uploads, gather, open_uploads
from dermnote.app.batch.batch_reading import BatchReader, ImageResult
from dermnote.app.cards import alert, heading
from dermnote.app.components import modality_input
from dermnote.app.events import LIGHT, SAVE_TEXT, SEEN_ALREADY, error_line, scroll_to
from dermnote.app.gradio_patches import with_preprocess
from dermnote.app.loaded_models import Models
from dermnote.app.service import AppService
from dermnote.errors import DermNoteError

# The browser makes the downloads; the server keeps nothing of them.
SAVE = f"""
element.addEventListener('click', (event) => {{
  const button = event.target.closest('[data-save]');
  if (!button) return;
  const kind = button.dataset.save, type = {{csv: 'text/csv', jsonl: 'application/x-ndjson'}}[kind];
  const text = button.closest('[data-csv]').dataset[kind], name = 'dermnote-batch.' + kind;{SAVE_TEXT}}});
"""
SHOW_PROGRESS = scroll_to("#batch-progress", SEEN_ALREADY)
FINISHED = '<i class="dn-finished"></i>'  # all images are read: the file input may be emptied
# A batch does not wait in the model's queue: a single visitor would wait for all of its images. Batches have a queue of
# their own, and `BatchTab.turn` lets one of them read one image at a time. So at most two images are read at once, a
# batch's and a visitor's; memory stays bounded, and several batches take turns.
BATCH: dict[str, Any] = {"concurrency_id": "batch", "concurrency_limit": 4, "api_visibility": "private"}


class BatchTab:
    """Components of the tab, laid out inside the current Gradio context, and their events."""

    def __init__(self, models: Models, key: gr.State) -> None:
        self.models, self.key, self.turn = models, key, threading.Lock()
        promise = f"Classes and notes for up to {MAX_IMAGES} pictures, as a table to download."
        gr.HTML(heading("Read many pictures", promise))
        with gr.Row(equal_height=False):
            with gr.Column(scale=4, min_width=300):
                self._lay_out_inputs()
            with gr.Column(scale=7, min_width=320):
                self.progress = gr.HTML("", elem_id="batch-progress")
                self.results = gr.HTML(NO_BATCH, elem_id="batch-results", js_on_load=SAVE)
        self.stop = gr.State(None)  # the threading.Event of the running batch
        self._connect()

    def _lay_out_inputs(self) -> None:
        self.files = with_preprocess(gr.File, open_uploads)(
            label="Pictures, or a zip of them",
            file_count="multiple",
            file_types=[*sorted(IMAGE_SUFFIXES), ZIP, TABLE],
            height=220,
            elem_id="batch-files",
        )
        self.inputs = gr.HTML("", elem_id="batch-given")
        self.modality = modality_input("batch-kind", label="Kind of picture, for all")
        self.demographics = gr.Checkbox(label="State age, sex and place in the notes", value=True)
        with gr.Row():
            self.start = gr.Button("Read all", variant="primary", size="md", min_width=140)
            self.halt = gr.Button("Stop", size="md", min_width=90, scale=0, interactive=False)
        gr.HTML(LIMITS)

    def _connect(self) -> None:
        state = [self.progress, self.start, self.halt]
        self.files.change(self._look, self.files, self.inputs, **LIGHT)
        begun = self.start.click(self._begin, None, [self.stop, *state], **LIGHT)
        begun.then(None, js=SHOW_PROGRESS, **LIGHT)
        run = begun.then(
            self._run,
            [self.key, self.files, self.modality, self.demographics, self.stop],
            [self.inputs, self.progress, self.results],
            show_progress="hidden",
            **BATCH,
        )
        run.then(lambda inputs: None if inputs == FINISHED else gr.skip(), self.inputs, self.files, **LIGHT)
        run.then(_idle, None, state, **LIGHT)  # also where the run was refused, or broke
        self.halt.click(self._halt, self.stop, self.halt, **LIGHT)

    @staticmethod
    def _look(uploads: Sequence[UploadedFile]) -> str:
        if not uploads:
            return ""
        try:
            with ExitStack() as stack:
                return inputs_card(gather(uploads, stack))
        except DermNoteError as error:
            return alert(error_line(error))

    @staticmethod
    def _begin() -> tuple[Any, ...]:
        return threading.Event(), waiting(), gr.Button(interactive=False), gr.Button(interactive=True)

    @staticmethod
    def _halt(stop: threading.Event | None) -> Any:
        if stop:
            stop.set()
        return gr.Button("Stopping", interactive=False)

    def _run(
        self, key: str, uploads: Sequence[UploadedFile], modality: str, demographics: bool, stop: threading.Event
    ) -> Iterator[tuple[Any, ...]]:
        try:
            with ExitStack() as stack:
                batch = gather(uploads, stack)
                yield from self._read(batch, BatchReader(self.models[key], modality, demographics), stop)
        except DermNoteError as error:
            yield alert(error_line(error)), "", gr.skip()
        except GeneratorExit:  # the visitor left
            delete_uploads(uploads)
            raise
        else:
            if not stop.is_set():  # after a stop, most visitors start again with the same files
                delete_uploads(uploads)
                yield FINISHED, gr.skip(), gr.skip()

    def _read(self, batch: Batch, reader: BatchReader, stop: threading.Event) -> Iterator[tuple[Any, ...]]:
        done: list[ImageResult] = []
        total, started = len(batch.items), time.monotonic()
        yield gr.skip(), progress(0, total, 0), NO_BATCH
        for result in reader.read_all(batch.items, self.turn, stop):
            done.append(result)
            yield gr.skip(), progress(len(done), total, time.monotonic() - started), gr.skip()
        yield gr.skip(), "", results_cards(reader.results(done, batch))

    def of_model(self, service: AppService) -> dict[Any, Any]:
        """Return the updates of the tab for another model: no results."""
        return {self.results: NO_BATCH}


def _idle() -> tuple[Any, ...]:
    return "", gr.Button(interactive=True), gr.Button("Stop", interactive=False)
