"""Page layout: header, tabs, their connections, and the public endpoints."""

from __future__ import annotations

import os
from collections import ChainMap
from typing import TYPE_CHECKING, Any

import gradio as gr

from dermnote.app import cards
from dermnote.app.batch.batch_tab import BatchTab
from dermnote.app.case_tab import CaseTab
from dermnote.app.compare.compare_tab import CompareTab
from dermnote.app.endpoints import Endpoints
from dermnote.app.events import LIGHT, MODEL, WRITING, with_error_lines
from dermnote.app.loaded_models import FIRST, Models
from dermnote.app.model.model_switch import Offer
from dermnote.app.model.model_tab import ModelTab
from dermnote.app.search_tab import SearchTab
from dermnote.app.service import MAX_HITS, AppService
from dermnote.app.serving.uploads import MAX_AGE_SECONDS
from dermnote.notes.strategies import STRATEGIES

if TYPE_CHECKING:
    from dermnote import DermNote
    from dermnote.app.llm_quota.quota import Allowance


def build_page(model: DermNote, allowance: Allowance | None = None) -> gr.Blocks:
    """Build the page for a loaded model; `launch` it with the theme of `dermnote.app.theme`."""
    models = Models(model, allowance=allowance)
    page = gr.Blocks(title="DermNote", analytics_enabled=False, delete_cache=(MAX_AGE_SECONDS, MAX_AGE_SECONDS))
    with page:
        key = gr.State(FIRST)  # the model that answers this visitor
        header = gr.HTML(cards.header(model))
        with gr.Tabs() as tabs:
            with gr.Tab("Case", id="case"):
                case = CaseTab(models, key)
            with gr.Tab("Search by note", id="search"):
                search = SearchTab(models, key)
            with gr.Tab("Compare", id="compare"):
                compare = CompareTab(models, key)
            with gr.Tab("Batch", id="batch"):
                batch = BatchTab(models, key)
            with gr.Tab("Model", id="model"):
                about = ModelTab(models, key, Offer.of(os.environ))
        gr.HTML(cards.footer())
        carried = case.form.find_fitting.click(
            lambda note: (note, gr.Tabs(selected="search")), case.form.text, [search.text, tabs], **LIGHT
        )
        search.search_after(carried)
        compare.copy_case_from([case.image, case.modality, *case.form.fields])
        opened = case.open_from(search.found).then(lambda: gr.Tabs(selected="case"), None, tabs, **LIGHT)
        opened.then(lambda text: text, search.text, case.words, **LIGHT).then(**case.text_evidence_event())

        def of_model(service: AppService) -> dict[Any, Any]:
            parts = [tab.of_model(service) for tab in (case, search, compare, batch, about)]
            return {header: cards.header(service.model), **dict(ChainMap(*parts))}

        about.follow(page, of_model)
        key.change(None, cancels=[case.form.writing], **LIGHT)  # a note of the previous model must not arrive here
        compare.reset_after(key.change)
        _add_endpoints(models.first, case, search, compare)
    return page


def _add_endpoints(service: AppService, case: CaseTab, search: SearchTab, compare: CompareTab) -> None:
    """Add the public endpoints, on the page's own inputs, which define their types, choices and defaults."""
    shown, form, endpoints = [case.image, case.modality], case.form, Endpoints(service)
    strategies = gr.CheckboxGroup(list(STRATEGIES), value=["m"], label="Strategies", visible=False)
    k = gr.Number(5, label="How many", minimum=1, maximum=MAX_HITS, precision=0, visible=False)
    for answer, inputs, queue in (
        (endpoints.classify, shown, MODEL),
        (endpoints.find_notes, [*shown, k], MODEL),
        (endpoints.find_similar, [*shown, k], MODEL),
        (endpoints.explain, [*shown, form.fields[0], case.words], MODEL),
        (endpoints.find_images, [search.text, k, *search.filters.values()], MODEL),
        (endpoints.write_note, [*shown, *form.fields, form.strategy, form.demographics], WRITING),
        (endpoints.compare, [*compare.case, strategies], WRITING),
    ):
        output = gr.JSON(label=answer.__name__, visible=False)
        gr.Button(visible=False).click(with_error_lines(answer), inputs, output, api_name=answer.__name__, **queue)
