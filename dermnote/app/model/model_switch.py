"""The switch to another model: for one visitor alone, beside the model everybody begins with."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from html import escape
from typing import Any

import gradio as gr
from gradio.components import Component

from dermnote.app import cards
from dermnote.app.cards import shown_source
from dermnote.app.events import LIGHT, LOADING, PRIVATE, error_line
from dermnote.app.loaded_models import FIRST, Models
from dermnote.app.model.offered_models import LONGEST, Offer
from dermnote.app.service import AppService
from dermnote.errors import DermNoteError

COMMIT = re.compile(r"@([0-9a-f]{12})[0-9a-f]{28}$")
INTRODUCTION = (
    '<section class="dn-switch"><h2>Try another model</h2><p class="dn-fine">It answers you alone, on every tab. '
    "Others who have this page open keep theirs, and API and MCP keep answering with the first model.</p></section>"
)


class ModelSwitch:
    """Lays out the switch inside the current Gradio context; `connect` it once the page is whole.

    Args:
        models: What loads them.
        key: The component that holds which model answers this visitor.
        offer: What may be loaded.
    """

    def __init__(self, models: Models, key: gr.State, offer: Offer) -> None:
        self.models, self.key, self.offer = models, key, offer
        self.wanted = gr.State(FIRST)  # becomes `key` when the model's queue comes to it
        gr.HTML(INTRODUCTION)
        self.name = self._field()
        self.alert = gr.HTML("", elem_id="model-alert")
        self.load = gr.Button("Load this model", variant="primary", size="md")
        self.status = gr.HTML(self._who_answers(FIRST), elem_id="model-status")
        self.back = gr.Button("Back to the first model", size="md", visible=False)

    def _field(self) -> gr.Textbox | gr.Dropdown:
        names, own = list(self.offer.names), self.offer.any_name
        info = "As org/name or org/name@revision on the Hugging Face Hub, or a folder of this machine" if own else None
        if not names:
            return gr.Textbox(label="Model", info=info, max_length=LONGEST, max_lines=1, placeholder="org/name")
        return gr.Dropdown(names, value=None, label="Model", info=info, allow_custom_value=own)

    def connect(self, page: gr.Blocks, of_model: Callable[[AppService], dict[Any, Any]]) -> None:
        """Makes the page follow.

        Args:
            page: With everything on it.
            of_model: What becomes of its components when a model answers.
        """
        self._of_model = of_model
        # All of them: `of_model` says at each call which ones change. (Called here, it would add its own to the page.)
        shown = [each for each in page.blocks.values() if isinstance(each, Component)]
        asked = [self.load.click, *([self.name.submit] if isinstance(self.name, gr.Textbox) else [])]
        for event in (
            gr.on(asked, self._load, [self.wanted, self.name], [self.alert, self.status, self.wanted], **LOADING),
            self.back.click(self._go_back, None, [self.alert, self.status, self.wanted], **LIGHT),
        ):
            # In the model's queue: answers of the model before arrive before the page changes.
            event.then(self._show, [self.key, self.wanted], shown, **PRIVATE)

    def _load(self, wanted: str, name: str | None) -> Iterator[tuple[Any, ...]]:
        try:
            setting = self.offer.check(name)
            yield "", _line(f"Loading {_shown(setting)}. A download can take some minutes."), gr.skip()
            key = self.models.add(setting)
        except DermNoteError as error:
            yield cards.alert(error_line(error)), self._who_answers(wanted), gr.skip()
        else:
            yield "", self._who_answers(key), key

    def _go_back(self) -> tuple[str, str, str]:
        return "", self._who_answers(FIRST), FIRST

    def _show(self, key: str, wanted: str) -> dict[Any, Any]:
        if key == wanted:
            return {self.key: key}
        back = gr.Button(visible=wanted != FIRST)
        return {self.key: wanted, self.back: back, **self._of_model(self.models[wanted])}

    def _who_answers(self, key: str) -> str:
        if key == FIRST:
            return _line(f"The first model answers you: {shown_source(self.models.first.model.source)}.")
        return _line(f"{_shown(key)} answers you now.")


def _shown(key: str) -> str:
    return COMMIT.sub(r" @ \1", shown_source(key))


def _line(text: str) -> str:
    return f'<p class="dn-status" role="status">{escape(text)}</p>'
