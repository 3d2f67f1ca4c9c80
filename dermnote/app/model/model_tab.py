"""Model tab: facts, figures, limits, and the switch to another model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gradio as gr

from dermnote.app import cards
from dermnote.app.loaded_models import Models
from dermnote.app.model.bundle_card import card
from dermnote.app.model.facts import facts, from_python, limits
from dermnote.app.model.model_switch import ModelSwitch, Offer
from dermnote.app.service import AppService
from dermnote.report.renderers import render_performance

# Shows the panel of the chosen held-out set. Listens on the element that stays when its HTML is replaced.
CHOOSE_SET = """
element.addEventListener('change', (event) => {
  const choice = event.target;
  if (!choice.matches('[data-choose]')) return;
  for (const panel of element.querySelectorAll('[data-panel]')) panel.hidden = panel.dataset.panel !== choice.value;
});
"""


class ModelTab:
    """Layout of the tab inside the current Gradio context.

    Args:
        models: Models to show and switch between.
        key: Component that holds the key of this visitor's model.
        offer: Models that a visitor may load; without any there is no switch.
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
        self.measured = gr.HTML(render_performance(model.metrics), js_on_load=CHOOSE_SET)
        gr.HTML(limits())
        self.python = gr.HTML(from_python(model))

    def follow(self, page: gr.Blocks, of_model: Callable[[AppService], dict[Any, Any]]) -> None:
        """Connect the switch, where there is one (see `ModelSwitch.connect`)."""
        if self.switch:
            self.switch.connect(page, of_model)

    def of_model(self, service: AppService) -> dict[Any, Any]:
        """Return the updates of the tab's components for another model."""
        model = service.model
        return {
            self.facts: facts(model),
            self.card: card(model.card),
            self.measured: render_performance(model.metrics),
            self.python: from_python(model),
        }
