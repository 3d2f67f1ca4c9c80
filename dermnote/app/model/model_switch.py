"""Switch to another model, for one visitor only; all visitors start with the first model."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from html import escape
from typing import Any

import gradio as gr
from gradio.components import Component

from dermnote.app import cards
from dermnote.app.cards import shown_source
from dermnote.app.events import LIGHT, LOADING, PRIVATE, error_line
from dermnote.app.loaded_models import FIRST, Models
from dermnote.app.service import AppService
from dermnote.errors import ConfigError, DermNoteError

LOOPBACK = ("", "127.0.0.1", "localhost", "::1")
LONGEST = 400  # characters of a name
COMMIT = re.compile(r"@([0-9a-f]{12})[0-9a-f]{28}$")
INTRODUCTION = (
    '<section class="dn-switch"><h2>Try another model</h2><p class="dn-fine">It answers you alone, on every tab. '
    "Others who have this page open keep theirs, and API and MCP keep answering with the first model.</p></section>"
)


@dataclass(frozen=True)
class Offer:
    """Models that a visitor may load beside the first.

    Attributes:
        names: Of DERMNOTE_MODELS; they are listed.
        any_name: Whether any other name or folder may be typed: only where nobody but the owner reaches the app, since
            naming a model fills memory and disk, reads folders, and uses the owner's Hub token.
    """

    names: tuple[str, ...] = ()
    any_name: bool = False

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> Offer:
        """Read DERMNOTE_MODELS, and SPACE_ID and GRADIO_SERVER_NAME, which decide who reaches the app."""
        names = (name.strip() for name in environment.get("DERMNOTE_MODELS", "").split(","))
        own = not environment.get("SPACE_ID") and environment.get("GRADIO_SERVER_NAME", "").strip() in LOOPBACK
        return cls(tuple(dict.fromkeys(filter(None, names))), own)

    def __bool__(self) -> bool:
        return self.any_name or bool(self.names)

    def check(self, typed: str | None) -> str:
        """Return the name to load.

        Raises:
            ConfigError: There is none, or it is not offered.
        """
        name = (typed or "").strip()
        if not name:
            raise ConfigError("No model is named yet.", "Type one." if self.any_name else "Choose one.")
        if len(name) > LONGEST or not (self.any_name or name in self.names):
            raise ConfigError(f"'{name[:80]}' is not offered here.", "Choose one of the list.")
        return name


class ModelSwitch:
    """Layout of the switch inside the current Gradio context; call `connect` when the page is complete.

    Args:
        models: Loads the models.
        key: Component that holds the key of this visitor's model.
        offer: Models that may be loaded.
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
        """Update the page when another model is loaded.

        Args:
            page: With all its components.
            of_model: Updates of the components for a model.
        """
        self._of_model = of_model
        # All of them: `of_model` says at each call which ones change. (Called here, it would add its own to the page.)
        shown = [each for each in page.blocks.values() if isinstance(each, Component)]
        triggers = [self.load.click, *([self.name.submit] if isinstance(self.name, gr.Textbox) else [])]
        for event in (
            gr.on(triggers, self._load, [self.wanted, self.name], [self.alert, self.status, self.wanted], **LOADING),
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
