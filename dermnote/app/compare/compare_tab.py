"""Compare tab: the notes of one case under every strategy, each checked against the record."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Any

import gradio as gr

from dermnote.app.cards import alert, heading
from dermnote.app.compare.comparison import LLM_STRATEGIES, CaseComparison, ComparisonState
from dermnote.app.compare.strategy_cards import status_line, strategy_card, summary_card
from dermnote.app.compare.strategy_notes import StrategyNote, compare_strategies, write_template
from dermnote.app.components import RecordFields, image_input, modality_input
from dermnote.app.events import LIGHT, SAVE_RECORD, WRITING, error_line
from dermnote.app.llm_quota.destination import all_destinations, button_label
from dermnote.app.loaded_models import Models
from dermnote.app.service import AppService, record_of
from dermnote.errors import DermNoteError
from dermnote.notes.strategies import STRATEGIES

if TYPE_CHECKING:
    from gradio.components import Component

    from dermnote.metadata import LesionMetadata

TITLE = "Compare note strategies"
PURPOSE = "The notes of one case under every strategy, each checked against the record."
DOWNLOAD = f"""
() => {{
  const record = JSON.parse(document.querySelector('#compare-summary [data-record]').dataset.record);
  const name = 'dermnote-comparison.json';{SAVE_RECORD}}}
"""


class CompareTab:
    """Components of the tab, laid out inside the current Gradio context, and their events.

    Attributes:
        case: Image, its kind, and the fields in the order of `FIELDS`.
    """

    def __init__(self, models: Models, key: gr.State) -> None:
        self.models, self.key, self.writer = models, key, models.first.writer
        gr.HTML(heading(TITLE, PURPOSE))
        with gr.Row(equal_height=False):
            with gr.Column(scale=4, min_width=300):
                self.copy = gr.Button("Copy picture and fields from the Case tab", size="md")
                self.image, self.modality = image_input(height=250), modality_input("compare-kind")
            with gr.Column(scale=7, min_width=320):
                self._record = RecordFields(models.first.model.config.classnames)
                self.fields = self._record.all
                self._lay_out_buttons()
        self.case = [self.image, self.modality, *self.fields]
        self._lay_out_outputs()
        self._connect()

    def _lay_out_buttons(self) -> None:
        self.alert = gr.HTML("", elem_id="compare-alert")
        gr.HTML(all_destinations(LLM_STRATEGIES, self.writer), elem_id="compare-destination")
        with gr.Row():
            self.send = gr.Button(
                button_label("p3", self.writer, "compare"), variant="primary", interactive=self.writer.is_set_up
            )
            self.stop = gr.Button("Stop", interactive=False, scale=0, min_width=110)

    def _lay_out_outputs(self) -> None:
        nothing = CaseComparison()
        self.status = gr.HTML(status_line(nothing), elem_id="compare-status")
        self.summary = gr.HTML(summary_card(nothing), elem_id="compare-summary")
        self.save = gr.Button("Download notes and audits", size="sm", elem_id="compare-save")
        with gr.Column(elem_id="compare-cards"):
            self.cards = [gr.HTML(strategy_card(name, nothing, self.writer)) for name in STRATEGIES]
        self.state = gr.State(ComparisonState())
        # In the order of `_values`.
        self.shown = [self.alert, self.status, self.summary, *self.cards, self.send, self.stop]

    def _connect(self) -> None:
        hidden: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}  # each card shows its state
        case, record = [self.key, self.state, *self.case], [self.key, self.state, *self.fields]
        # "multiple": else the page drops a press while a run that was stopped polls for the last time.
        run = self.send.click(self._compare, case, self.shown, trigger_mode="multiple", **hidden, **WRITING)
        run.then(self._values, self.state, self.shown, **LIGHT)  # also where it was refused, or failed
        self.stop.click(self._stop, self.state, self.shown, **LIGHT)
        changes = [field.change for field in self.fields]
        gr.on(changes, self._fill, record, self.shown, trigger_mode="always_last", **LIGHT)
        self.reset_after(self.image.upload, self.image.clear, self.modality.input)
        self.save.click(None, js=DOWNLOAD, **LIGHT)

    def reset_after(self, *events: Any) -> None:
        """Drop the notes of the language model after these events, as they are of another image or model."""
        inputs, outputs = [self.key, self.state, *self.case], [*self.shown, self.image]
        gr.on(list(events), self._reset, inputs, outputs, trigger_mode="always_last", **LIGHT)

    def copy_case_from(self, case: Sequence[Component]) -> None:
        """Connect the button that copies another tab's case: image, its kind, and fields, as in `case`."""
        inputs, outputs = [self.key, self.state, *case], [*self.case, *self.shown]
        # All at once: changed fields alone would show the notes of the previous image for a moment.
        self.copy.click(self._copy_case, inputs, outputs, **LIGHT)

    def _compare(
        self, key: str, state: ComparisonState, image: Any, modality: str, *values: Any
    ) -> Iterator[tuple[Any, ...]]:
        if record := self._set_record(key, state, values):
            try:
                notes = compare_strategies(self.models[key], image, modality, record, LLM_STRATEGIES)
            except DermNoteError as error:
                state.set_error(error_line(error))
            else:
                yield from self._run(state, modality, notes)
        yield self._values(state)

    def _run(
        self, state: ComparisonState, modality: str, notes: Generator[StrategyNote | None, None, None]
    ) -> Iterator[tuple[Any, ...]]:
        with closing(notes):
            if (run := state.begin(modality)) is None:  # pressed twice
                return
            try:
                yield self._values(state)
                for note in notes:
                    if not state.add(run, note):
                        return
                    yield self._values(state)
            finally:
                state.end(run)

    def _stop(self, state: ComparisonState) -> tuple[Any, ...]:
        state.stop()
        return self._values(state)

    def _fill(self, key: str, state: ComparisonState, *values: Any) -> tuple[Any, ...]:
        self._set_record(key, state, values)
        return self._values(state)

    def _reset(self, key: str, state: ComparisonState, image: Any, modality: str, *values: Any) -> tuple[Any, ...]:
        state.reset(modality)
        self._set_record(key, state, values)
        if not isinstance(image, DermNoteError):
            return *self._values(state), gr.skip()
        state.set_error(error_line(image))
        return *self._values(state), None  # a refused file is removed from the input

    def _copy_case(self, key: str, state: ComparisonState, image: Any, modality: str, *values: Any) -> tuple[Any, ...]:
        shown = None if isinstance(image, DermNoteError) else image  # a refused image stays in its tab
        *showing, _ = self._reset(key, state, shown, modality, *values)
        return shown, modality, *values, *showing

    def _set_record(self, key: str, state: ComparisonState, values: Sequence[Any]) -> LesionMetadata | None:
        """Set the fields and their template note; return None, and set the error, if the fields are invalid."""
        try:
            record = record_of(*values)
        except DermNoteError as error:
            state.set_error(error_line(error))
            return None
        state.set_record(record, write_template(self.models[key], record) if record.to_mapping() else None)
        return record

    def _values(self, state: ComparisonState) -> tuple[Any, ...]:
        """Return the values of `shown`."""
        comparison = state.comparison
        return (
            alert(state.error),
            status_line(comparison),
            summary_card(comparison),
            *(strategy_card(name, comparison, self.writer) for name in STRATEGIES),
            gr.Button(interactive=self.writer.is_set_up and not comparison.waiting),
            gr.Button(interactive=bool(comparison.waiting)),
        )

    def of_model(self, service: AppService) -> dict[Any, Any]:
        """Return the updates of the case for another model: its classes, and no image."""
        return {**self._record.for_classes(service.model.config.classnames), self.image: None}
