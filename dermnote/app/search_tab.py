"""Search tab: a typed note gives the gallery's nearest images."""

from __future__ import annotations

from typing import Any

import gradio as gr

from dermnote.app import cards
from dermnote.app.case_cards import NO_TEXT, search_gallery
from dermnote.app.case_tab import OPEN_CASE
from dermnote.app.events import LIGHT, PRIVATE
from dermnote.app.loaded_models import Models
from dermnote.app.service import EXAMPLE_TEXTS, MAX_HITS, MAX_TEXT, AppService, build_filter

FILTER_TITLES = {"label": "Class", "source": "Dataset", "site": "Place on the body"}


class SearchTab:
    """Components of the tab, laid out inside the current Gradio context, and their events."""

    def __init__(self, models: Models, key: gr.State) -> None:
        self.models, self.key = models, key
        gr.HTML(cards.heading("Find pictures for a note", "The gallery's pictures nearest to what you type."))
        with gr.Row(equal_height=False):
            with gr.Column(scale=4, min_width=300):
                self._lay_out_inputs()
            with gr.Column(scale=7, min_width=320):
                self.found = gr.HTML(NO_TEXT, js_on_load=OPEN_CASE)
        gr.on([self.search.click, self.text.submit, self.maps.input], **self._search_event())
        for query in self.queries:
            self.search_after(query.click(lambda text: text, query, self.text, **LIGHT))

    def _lay_out_inputs(self) -> None:
        self.text = gr.Textbox(
            label="Clinical note, or a few words",
            lines=4,
            max_lines=12,
            max_length=MAX_TEXT,
            placeholder="Example: asymmetric lesion with a pigment network and blue-gray areas",
        )
        self.alert = gr.HTML("", elem_id="text-alert")
        with gr.Accordion("Only some of the gallery", open=False):
            values = self.models.first.filters
            self.filters = {name: _filter(title, values[name]) for name, title in FILTER_TITLES.items()}
        self.maps = gr.Checkbox(label="Show where each picture fits the words", value=False)
        self.count = gr.Slider(1, MAX_HITS, value=6, step=1, label="How many pictures", buttons=[])
        self.search = gr.Button("Find pictures", variant="primary", size="md")
        gr.HTML('<p class="dn-label">Or try</p>')
        with gr.Column(elem_classes="dn-queries"):
            self.queries = [gr.Button(text, size="sm", visible=bool(text)) for text in _queries(self.models.first)]

    def search_after(self, event: Any) -> None:
        """Search once an event that filled in the text is done."""
        event.then(**self._search_event())

    def _search_event(self) -> dict[str, Any]:
        return {
            "fn": self._search,
            "inputs": [self.key, self.text, self.count, self.maps, *self.filters.values()],
            "outputs": [self.alert, self.found],
            "show_progress_on": [self.found],
            **PRIVATE,
        }

    def _search(self, key: str, text: str, k: float, maps: bool, *chosen: list[str]) -> tuple[str, str]:
        where = build_filter(**dict(zip(self.filters, chosen, strict=True)))
        return search_gallery(self.models[key], text, k, where, maps)

    def of_model(self, service: AppService) -> dict[Any, Any]:
        """Return the updates of the tab for another model: its filters and examples, and no results."""
        queries = zip(self.queries, _queries(service), strict=True)
        return {
            self.alert: "",
            self.found: NO_TEXT,
            **{self.filters[name]: _filter(title, service.filters[name]) for name, title in FILTER_TITLES.items()},
            **{button: gr.Button(text, visible=bool(text)) for button, text in queries},
        }


def _filter(title: str, values: list[str]) -> gr.Dropdown:
    return gr.Dropdown(values, value=[], multiselect=True, label=title, info="empty: any", visible=bool(values))


def _queries(service: AppService) -> list[str]:
    """Return one example text per button; "" where the model has fewer."""
    return [*service.queries, *[""] * EXAMPLE_TEXTS][:EXAMPLE_TEXTS]
