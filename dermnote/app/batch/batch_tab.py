"""The tab that reads many pictures: drop them, watch, stop, download."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from typing import Any

import gradio as gr

from dermnote.app import page_frame
from dermnote.app.batch.archive import PICTURES, TABLE
from dermnote.app.batch.batch_cards import LIMITS, NO_BATCH, given, progress, results_cards, waiting
from dermnote.app.batch.batch_inputs import ZIP, Batch, gather
from dermnote.app.batch.batch_items import Upload
from dermnote.app.batch.batch_limits import MAX_PICTURES
from dermnote.app.batch.batch_results import Results
from dermnote.app.batch.batch_run import Outcome, Reading, outcomes
from dermnote.app.batch.batch_scripts import FINISHED, SAVE, SHOW_PROGRESS
from dermnote.app.batch.batch_uploads import discard, taken
from dermnote.app.cards import alert
from dermnote.app.case.case_tab import MODALITIES
from dermnote.app.case_reading import Reader
from dermnote.app.error_messages import fault_line
from dermnote.app.events import LIGHT
from dermnote.app.loaded_models import Models
from dermnote.app.upload_components import taking
from dermnote.errors import DermNoteError

# A batch does not stand in the model's queue: a lone visitor would wait for all of its pictures. Batches have a queue
# of their own, and `BatchTab.turn` lets one of them read one picture at a time. So at most two pictures are read beside
# each other, a batch's and a visitor's; memory stays bounded, and several batches get on in turns.
BATCH: dict[str, Any] = {"concurrency_id": "batch", "concurrency_limit": 4, "api_visibility": "private"}


class BatchTab:
    """Lays out the tab inside the current Gradio context, and connects it.

    Args:
        models: What reads the pictures.
        key: The component that holds which of them answers this visitor.
    """

    def __init__(self, models: Models, key: gr.State) -> None:
        self.models, self.key, self.turn = models, key, threading.Lock()
        promise = f"Classes and notes for up to {MAX_PICTURES} pictures, as a table to download."
        gr.HTML(page_frame.heading("Read many pictures", promise))
        with gr.Row(equal_height=False):
            with gr.Column(scale=4, min_width=300):
                self._inputs()
            with gr.Column(scale=7, min_width=320):
                self.progress = gr.HTML("", elem_id="batch-progress")
                self.results = gr.HTML(NO_BATCH, elem_id="batch-results", js_on_load=SAVE)
        self.stop = gr.State(None)  # of the batch that is running: an Event
        self._connect()

    def _inputs(self) -> None:
        self.files = taking(gr.File, taken)(
            label="Pictures, or a zip of them",
            file_count="multiple",
            file_types=[*sorted(PICTURES), ZIP, TABLE],
            height=220,
            elem_id="batch-files",
        )
        self.given = gr.HTML("", elem_id="batch-given")
        self.kind = gr.Radio(MODALITIES, value="dermoscopy", label="Kind of picture, for all", elem_id="batch-kind")
        self.demographics = gr.Checkbox(label="Tell age, sex and place in the notes", value=True)
        with gr.Row():
            self.start = gr.Button("Read all", variant="primary", size="md", min_width=140)
            self.halt = gr.Button("Stop", size="md", min_width=90, scale=0, interactive=False)
        gr.HTML(LIMITS)

    def _connect(self) -> None:
        state = [self.progress, self.start, self.halt]
        self.files.change(self._look, self.files, self.given, **LIGHT)
        begun = self.start.click(self._begin, None, [self.stop, *state], **LIGHT)
        begun.then(None, js=SHOW_PROGRESS, **LIGHT)
        run = begun.then(
            self._run,
            [self.key, self.files, self.kind, self.demographics, self.stop],
            [self.given, self.progress, self.results],
            show_progress="hidden",
            **BATCH,
        )
        run.then(lambda given: None if given == FINISHED else gr.skip(), self.given, self.files, **LIGHT)
        run.then(_idle, None, state, **LIGHT)  # also where the run was refused, or broke
        self.halt.click(self._halt, self.stop, self.halt, **LIGHT)

    @staticmethod
    def _look(uploads: Sequence[Upload]) -> str:
        if not uploads:
            return ""
        try:
            with ExitStack() as stack:
                return given(gather(uploads, stack))
        except DermNoteError as error:
            return alert(fault_line(error))

    @staticmethod
    def _begin() -> tuple[Any, ...]:
        return threading.Event(), waiting(), gr.Button(interactive=False), gr.Button(interactive=True)

    @staticmethod
    def _halt(stop: threading.Event | None) -> Any:
        if stop:
            stop.set()
        return gr.Button("Stopping", interactive=False)

    def _run(
        self, key: str, uploads: Sequence[Upload], kind: str, demographics: bool, stop: threading.Event
    ) -> Iterator[tuple[Any, ...]]:
        try:
            with ExitStack() as stack:
                batch = gather(uploads, stack)
                reading = Reading(self.models[key].answers, kind, demographics)
                yield from self._shown(batch, reading, stop)
        except DermNoteError as error:
            yield alert(fault_line(error)), "", gr.skip()
        except GeneratorExit:  # the visitor has gone
            discard(uploads)
            raise
        else:
            if not stop.is_set():  # who stops, mostly wants to begin again with the same files
                discard(uploads)
                yield FINISHED, gr.skip(), gr.skip()

    def _shown(self, batch: Batch, reading: Reading, stop: threading.Event) -> Iterator[tuple[Any, ...]]:
        done: list[Outcome] = []
        total, begun = len(batch.items), time.monotonic()
        yield gr.skip(), progress(0, total, 0), NO_BATCH
        for outcome in outcomes(batch.items, reading, self.turn, stop):
            done.append(outcome)
            yield gr.skip(), progress(len(done), total, time.monotonic() - begun), gr.skip()
        yield gr.skip(), "", results_cards(Results.of(done, batch, reading))

    def of_model(self, reader: Reader) -> dict[Any, Any]:
        """What becomes of the tab's components when another model answers: the results were another's."""
        return {self.results: NO_BATCH}


def _idle() -> tuple[Any, ...]:
    return "", gr.Button(interactive=True), gr.Button("Stop", interactive=False)
