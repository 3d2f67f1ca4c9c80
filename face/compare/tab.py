"""The tab that writes one case's note under every strategy, side by side, each checked against the record."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import gradio as gr

from dermnote.errors import DermNoteError
from dermnote.notes.strategies import STRATEGIES
from face import cards, frame
from face.asking.destination import all_destinations, press_words
from face.case import note_scripts
from face.case.tab import MODALITIES
from face.checks import record_of
from face.compare.comparing import Comparing
from face.compare.comparison import ASKED, Comparison
from face.compare.strategy_card import strategy_card
from face.compare.table import status_line, summary_card
from face.fault_line import fault_line
from face.models import Models
from face.record_fields import RecordFields
from face.serving.upload import take_upload
from face.taking import taking
from face.wiring import LIGHT, WRITING

if TYPE_CHECKING:
    from face.reading import Reader

TITLE = "Compare ways of writing"
PURPOSE = "One case under every strategy: what does each say that the record does not back, or contradicts?"
DOWNLOAD = f"""
() => {{
  const record = JSON.parse(document.querySelector('#compare-summary [data-record]').dataset.record);
  const name = 'dermnote-comparison.json';{note_scripts.SAVE}}}
"""


class CompareTab:
    """Lays out the tab inside the current Gradio context, and connects it.

    Args:
        models: What writes the notes.
        key: The component that holds which of them answers this visitor.

    Attributes:
        case: Picture, its kind, and the fields in the order of `FIELDS`.
        take_over: A button for whoever knows of another case on the page.
    """

    def __init__(self, models: Models, key: gr.State) -> None:
        self.models, self.key, self.writer = models, key, models.first.answers.writer
        gr.HTML(frame.heading(TITLE, PURPOSE))
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
        self.kept, self.turn = gr.State(nothing), gr.State(nothing.turn)
        # What shows a comparison, in the order of `_values`.
        self.shown = [self.alert, self.status, self.summary, *self.cards, self.ask, self.stop, self.kept]

    def _connect(self) -> None:
        hidden: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}  # each card says what it does
        self.asking = self.ask.click(self._ask, [self.key, self.turn, *self.case], self.shown, **hidden, **WRITING)
        # Gradio gets here once the asking has ended, also where another event cancelled it, which takes it a moment.
        self.asking.then(
            self._catch_up, [self.key, self.kept, self.turn, self.modality, *self.fields], self.shown, **LIGHT
        )
        self.stop.click(None, cancels=[self.asking], **LIGHT)
        changes, record = [field.change for field in self.fields], [self.key, self.kept, *self.fields]
        gr.on(changes, self._fill, record, self.shown, trigger_mode="always_last", **LIGHT)
        self.renew_after(self.picture.upload, self.picture.clear, self.modality.input)
        self.save.click(None, js=DOWNLOAD, **LIGHT)

    def renew_after(self, *events: Any) -> None:
        """Another picture, or another kind of it: what was said of the one before must not stand under this one."""
        inputs, outputs = [self.key, self.kept, self.turn, *self.case], [*self.shown, self.turn, self.picture]
        for event in events:
            event(self._renew, inputs, outputs, cancels=[self.asking], **LIGHT)

    def _ask(self, key: str, turn: int, picture: Any, modality: str, *values: Any) -> Iterator[tuple[Any, ...]]:
        try:
            record = record_of(*values)
            coming = Comparing(self.models[key].answers).outcomes(picture, modality, record, list(STRATEGIES))
        except DermNoteError as error:
            yield cards.alert(fault_line(error)), *([gr.skip()] * (len(self.shown) - 1))
            return
        comparison = Comparison(record, modality, waiting=frozenset(ASKED), turn=turn)
        yield (shown := self._values(comparison))
        for outcome in coming:
            if outcome is not None:
                comparison = comparison.having(outcome)
                shown = self._values(comparison)
            yield shown

    def _catch_up(self, key: str, kept: Comparison, turn: int, modality: str, *values: Any) -> tuple[Any, ...]:
        """What may have changed while the language model was asked; the alert stays, as it is of the asking."""
        _, *shown = self._fill(key, kept.of_turn(turn, modality), *values)
        return gr.skip(), *shown

    def _renew(
        self, key: str, kept: Comparison, turn: int, picture: Any, modality: str, *values: Any
    ) -> tuple[Any, ...]:
        alert, *shown = self._fill(key, kept.of_turn(turn + 1, modality), *values)
        if not isinstance(picture, DermNoteError):
            return alert, *shown, turn + 1, gr.skip()
        return cards.alert(fault_line(picture)), *shown, turn + 1, None  # a refused file leaves the input again

    def _fill(self, key: str, kept: Comparison, *values: Any) -> tuple[Any, ...]:
        """The record as it is now, with its template note; what the language model said stays."""
        try:
            record = record_of(*values)
        except DermNoteError as error:
            return self._values(kept, cards.alert(fault_line(error)))
        comparison = replace(kept.without("m"), record=record)
        if record.to_mapping():
            comparison = comparison.having(Comparing(self.models[key].answers).template(record))
        return self._values(comparison)

    def _values(self, comparison: Comparison, alert: str = "") -> tuple[Any, ...]:
        """Values of `shown`."""
        return (
            alert,
            status_line(comparison),
            summary_card(comparison),
            *(strategy_card(name, comparison, self.writer) for name in STRATEGIES),
            gr.Button(interactive=self.writer.is_set_up and not comparison.waiting),
            gr.Button(interactive=bool(comparison.waiting)),
            comparison,
        )

    def of_model(self, reader: Reader) -> dict[Any, Any]:
        """What becomes of the tab when another model answers: it offers that model's classes, and no results."""
        empty = dict(zip(self.shown, self._values(Comparison()), strict=True))
        return {**empty, **self._record.of_classes(reader.answers.model.config.classnames), self.picture: None}


def carry_case(picture: Any, *others: Any) -> tuple[Any, ...]:
    """Values of `CompareTab.case` from those of another tab; a picture that was refused there stays there."""
    return None if isinstance(picture, DermNoteError) else picture, *others
