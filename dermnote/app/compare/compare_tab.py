"""The tab that writes one case's note under every strategy, side by side, each checked against the record."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Any

import gradio as gr

from dermnote.app import cards, page_frame
from dermnote.app.browser_scripts import SAVE_RECORD
from dermnote.app.case.case_tab import MODALITIES
from dermnote.app.compare.board import Board
from dermnote.app.compare.comparison import ASKED, Comparison
from dermnote.app.compare.strategy_card import strategy_card
from dermnote.app.compare.strategy_runs import Comparing, Outcome
from dermnote.app.compare.strategy_table import status_line, summary_card
from dermnote.app.error_messages import fault_line
from dermnote.app.events import LIGHT, WRITING
from dermnote.app.input_checks import record_of
from dermnote.app.llm_quota.destination import all_destinations, press_words
from dermnote.app.loaded_models import Models
from dermnote.app.metadata_fields import RecordFields
from dermnote.app.serving.upload import take_upload
from dermnote.app.upload_components import taking
from dermnote.errors import DermNoteError
from dermnote.notes.strategies import STRATEGIES

if TYPE_CHECKING:
    from gradio.components import Component

    from dermnote.app.case_reading import Reader
    from dermnote.metadata import LesionMetadata

TITLE = "Compare ways of writing"
PURPOSE = "One case under every strategy: what does each say that the record does not back, or contradicts?"
DOWNLOAD = f"""
() => {{
  const record = JSON.parse(document.querySelector('#compare-summary [data-record]').dataset.record);
  const name = 'dermnote-comparison.json';{SAVE_RECORD}}}
"""


class CompareTab:
    """Lays out the tab inside the current Gradio context, and connects it.

    Args:
        models: What writes the notes.
        key: The component that holds which of them answers this visitor.

    Attributes:
        case: Picture, its kind, and the fields in the order of `FIELDS`.
    """

    def __init__(self, models: Models, key: gr.State) -> None:
        self.models, self.key, self.writer = models, key, models.first.answers.writer
        gr.HTML(page_frame.heading(TITLE, PURPOSE))
        with gr.Row(equal_height=False):
            with gr.Column(scale=4, min_width=300):
                self._picture()
            with gr.Column(scale=7, min_width=320):
                self._record = RecordFields(models.first.answers.model.config.classnames)
                self.fields = self._record.all
                self._asking()
        self.case = [self.picture, self.modality, *self.fields]
        self._outputs()
        self._connect()

    def _picture(self) -> None:
        self.take_over = gr.Button("Take picture and fields from the Case tab", size="md")
        self.picture = taking(gr.Image, take_upload)(
            label="Picture of one lesion",
            type="pil",
            format="png",
            sources=["upload", "clipboard"],
            height=250,
            buttons=["fullscreen"],
            placeholder="Drop an image file here to upload",
        )
        self.modality = gr.Radio(MODALITIES, value="dermoscopy", label="Kind of picture", elem_id="compare-kind")

    def _asking(self) -> None:
        self.alert = gr.HTML("", elem_id="compare-alert")
        gr.HTML(all_destinations(ASKED, self.writer), elem_id="compare-destination")
        with gr.Row():
            self.ask = gr.Button(
                press_words("p3", self.writer, "compare"), variant="primary", interactive=self.writer.is_set_up
            )
            self.stop = gr.Button("Stop", interactive=False, scale=0, min_width=110)

    def _outputs(self) -> None:
        nothing = Comparison()
        self.status = gr.HTML(status_line(nothing), elem_id="compare-status")
        self.summary = gr.HTML(summary_card(nothing), elem_id="compare-summary")
        self.save = gr.Button("Download notes and audits", size="sm", elem_id="compare-save")
        with gr.Column(elem_id="compare-cards"):
            self.cards = [gr.HTML(strategy_card(name, nothing, self.writer)) for name in STRATEGIES]
        self.board = gr.State(Board())
        # What shows the board, in the order of `_values`.
        self.shown = [self.alert, self.status, self.summary, *self.cards, self.ask, self.stop]

    def _connect(self) -> None:
        hidden: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}  # each card says what it does
        case, record = [self.key, self.board, *self.case], [self.key, self.board, *self.fields]
        # "multiple": else the page drops a press while an asking that was stopped looks up for the last time.
        asking = self.ask.click(self._ask, case, self.shown, trigger_mode="multiple", **hidden, **WRITING)
        asking.then(self._values, self.board, self.shown, **LIGHT)  # also where it was refused, or broke
        self.stop.click(self._stop, self.board, self.shown, **LIGHT)
        changes = [field.change for field in self.fields]
        gr.on(changes, self._fill, record, self.shown, trigger_mode="always_last", **LIGHT)
        self.renew_after(self.picture.upload, self.picture.clear, self.modality.input)
        self.save.click(None, js=DOWNLOAD, **LIGHT)

    def renew_after(self, *events: Any) -> None:
        """Events after which what the language model said is of something else."""
        inputs, outputs = [self.key, self.board, *self.case], [*self.shown, self.picture]
        gr.on(list(events), self._renew, inputs, outputs, trigger_mode="always_last", **LIGHT)

    def takes_over_from(self, case: Sequence[Component]) -> None:
        """Connects the button that brings another tab's case here: picture, its kind, and fields, as in `case`."""
        inputs, outputs = [self.key, self.board, *case], [*self.case, *self.shown]
        # At once, not the fields first: their changes would show notes of the picture before a while longer.
        self.take_over.click(self._take_over, inputs, outputs, **LIGHT)

    def _ask(self, key: str, board: Board, picture: Any, modality: str, *values: Any) -> Iterator[tuple[Any, ...]]:
        if record := self._fill_in(key, board, values):
            try:
                coming = Comparing(self.models[key].answers).outcomes(picture, modality, record, ASKED)
            except DermNoteError as error:
                board.complain(fault_line(error))
            else:
                yield from self._asked(board, modality, coming)
        yield self._values(board)

    def _asked(
        self, board: Board, modality: str, coming: Generator[Outcome | None, None, None]
    ) -> Iterator[tuple[Any, ...]]:
        with closing(coming):
            if (asking := board.begin(modality)) is None:  # pressed twice
                return
            try:
                yield self._values(board)
                for outcome in coming:
                    if not board.goes_on(asking, outcome):
                        return
                    yield self._values(board)
            finally:
                board.end(asking)

    def _stop(self, board: Board) -> tuple[Any, ...]:
        board.stop()
        return self._values(board)

    def _fill(self, key: str, board: Board, *values: Any) -> tuple[Any, ...]:
        self._fill_in(key, board, values)
        return self._values(board)

    def _renew(self, key: str, board: Board, picture: Any, modality: str, *values: Any) -> tuple[Any, ...]:
        board.renew(modality)
        self._fill_in(key, board, values)
        if not isinstance(picture, DermNoteError):
            return *self._values(board), gr.skip()
        board.complain(fault_line(picture))
        return *self._values(board), None  # a refused file leaves the input again

    def _take_over(self, key: str, board: Board, picture: Any, modality: str, *values: Any) -> tuple[Any, ...]:
        shown = None if isinstance(picture, DermNoteError) else picture  # one that was refused there stays there
        *showing, _ = self._renew(key, board, shown, modality, *values)
        return shown, modality, *values, *showing

    def _fill_in(self, key: str, board: Board, values: Sequence[Any]) -> LesionMetadata | None:
        """Puts the fields on the board, with their template note; None, and why, if they cannot be read."""
        try:
            record = record_of(*values)
        except DermNoteError as error:
            board.complain(fault_line(error))
            return None
        empty = not record.to_mapping()
        board.fill(record, None if empty else Comparing(self.models[key].answers).template(record))
        return record

    def _values(self, board: Board) -> tuple[Any, ...]:
        """Values of `shown`."""
        comparison = board.comparison
        return (
            cards.alert(board.fault) if board.fault else "",
            status_line(comparison),
            summary_card(comparison),
            *(strategy_card(name, comparison, self.writer) for name in STRATEGIES),
            gr.Button(interactive=self.writer.is_set_up and not comparison.waiting),
            gr.Button(interactive=bool(comparison.waiting)),
        )

    def of_model(self, reader: Reader) -> dict[Any, Any]:
        """What becomes of the case when another model answers: it offers that model's classes, and no picture."""
        return {**self._record.of_classes(reader.answers.model.config.classnames), self.picture: None}
