"""The tab on the model: its facts, how well it does, and a switch to another one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gradio as gr

from dermnote.app import cards
from dermnote.app.loaded_models import Models
from dermnote.app.model.bundle_card import card
from dermnote.app.model.facts import facts, from_python, limits
from dermnote.app.model.model_switch import ModelSwitch
from dermnote.app.model.offered_models import Offer
from dermnote.app.model.performance import CHOOSE_SET, how_well
from dermnote.app.service import AppService


class ModelTab:
    """Lays out the tab inside the current Gradio context.

    Args:
        models: What is told of, and switched between.
        key: The component that holds which of them answers this visitor.
        offer: What a visitor may load; nothing shows no switch.
    """

    def __init__(self, models: Models, key: gr.State, offer: Offer) -> None:
        model = models.first.model
        gr.HTML(cards.heading("About the model", "What it is, how well it does, and what it cannot do."))
        with gr.Row(equal_height=False):
            with gr.Column(scale=7, min_width=320):
                self.facts = gr.HTML(facts(model))
            with gr.Column(scale=4, min_width=300, elem_id="model-switch", visible=bool(offer)):
                self.switch = ModelSwitch(models, key, offer) if offer else None
        self.card = gr.HTML(card(model.card))
        self.measured = gr.HTML(how_well(model.metrics), js_on_load=CHOOSE_SET)
        gr.HTML(limits())
        self.python = gr.HTML(from_python(model))

    def follow(self, page: gr.Blocks, of_model: Callable[[AppService], dict[Any, Any]]) -> None:
        """Connects the switch, where there is one (see `ModelSwitch.connect`)."""
        if self.switch:
            self.switch.connect(page, of_model)

    def of_model(self, service: AppService) -> dict[Any, Any]:
        """What becomes of the tab's components when another model answers."""
        model = service.model
        return {
            self.facts: facts(model),
            self.card: card(model.card),
            self.measured: how_well(model.metrics),
            self.python: from_python(model),
        }
