"""The tab that takes a note: type, and get the gallery's nearest pictures."""

from __future__ import annotations

from typing import Any

import gradio as gr

from dermnote.app import page_frame
from dermnote.app.case.case_tab import OPEN_CASE
from dermnote.app.case_reading import NO_TEXT, Reader
from dermnote.app.events import LIGHT, PRIVATE
from dermnote.app.examples import TEXTS
from dermnote.app.input_checks import MAX_HITS, MAX_TEXT
from dermnote.app.loaded_models import Models
from dermnote.app.service import where_of

FILTER_TITLES = {"label": "Class", "source": "Dataset", "site": "Place on the body"}


class SearchTab:
    """Lays out the tab inside the current Gradio context, and connects it.

    Args:
        models: What looks a note up.
        key: The component that holds which of them answers this visitor.
    """

    def __init__(self, models: Models, key: gr.State) -> None:
        self.models, self.key = models, key
        gr.HTML(page_frame.heading("Find pictures for a note", "The gallery's pictures nearest to what you type."))
        with gr.Row(equal_height=False):
            with gr.Column(scale=4, min_width=300):
                self._inputs()
            with gr.Column(scale=7, min_width=320):
                self.found = gr.HTML(NO_TEXT, js_on_load=OPEN_CASE)
        gr.on([self.search.click, self.text.submit, self.maps.input], **self._search())
        for query in self.queries:
            self.search_after(query.click(lambda text: text, query, self.text, **LIGHT))

    def _inputs(self) -> None:
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
            self.queries = [gr.Button(text, size="sm", visible=bool(text)) for text in _padded(self.models.first)]

    def search_after(self, event: Any) -> None:
        """Looks the text up once an event that filled it in is done."""
        event.then(**self._search())

    def _search(self) -> dict[str, Any]:
        inputs = [self.key, self.text, self.count, self.maps, *self.filters.values()]
        outputs = [self.alert, self.found]
        return {
            "fn": self._found,
            "inputs": inputs,
            "outputs": outputs,
            "show_progress_on": [self.found],
            **PRIVATE,
        }

    def _found(self, key: str, text: str, k: float, maps: bool, *chosen: list[str]) -> tuple[str, str]:
        return self.models[key].search(text, k, where_of(**dict(zip(self.filters, chosen, strict=True))), maps)

    def of_model(self, reader: Reader) -> dict[Any, Any]:
        """What becomes of the tab's components when another model answers."""
        queries = zip(self.queries, _padded(reader), strict=True)
        return {
            self.alert: "",
            self.found: NO_TEXT,
            **{self.filters[name]: _filter(title, reader.filters[name]) for name, title in FILTER_TITLES.items()},
            **{button: gr.Button(text, visible=bool(text)) for button, text in queries},
        }


def _filter(title: str, values: list[str]) -> gr.Dropdown:
    return gr.Dropdown(values, value=[], multiselect=True, label=title, info="empty: any", visible=bool(values))


def _padded(reader: Reader) -> list[str]:
    """As many texts to try as there are buttons; "" where a model has fewer."""
    return [*reader.queries, *[""] * TEXTS][:TEXTS]
