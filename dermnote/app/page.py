"""The page: header, tabs, and the public endpoints."""

from __future__ import annotations

import os
from collections import ChainMap
from typing import TYPE_CHECKING, Any

import gradio as gr

from dermnote.app import page_frame
from dermnote.app.batch.batch_tab import BatchTab
from dermnote.app.case.case_tab import CaseTab
from dermnote.app.compare.compare_tab import CompareTab
from dermnote.app.compare.strategy_runs import Comparing
from dermnote.app.endpoints import Endpoints
from dermnote.app.events import LIGHT, MODEL, WRITING, speaking
from dermnote.app.input_checks import MAX_HITS
from dermnote.app.loaded_models import FIRST, Models
from dermnote.app.model.model_switch import Offer
from dermnote.app.model.model_tab import ModelTab
from dermnote.app.search_tab import SearchTab
from dermnote.app.service import Answers
from dermnote.app.serving.upload_folder import KEPT_SECONDS
from dermnote.notes.strategies import STRATEGIES

if TYPE_CHECKING:
    from dermnote import DermNote
    from dermnote.app.case_reading import Reader
    from dermnote.app.llm_quota.quota import Allowance


def build_page(model: DermNote, allowance: Allowance | None = None) -> gr.Blocks:
    """The whole page for a loaded model; `launch` it with the theme of `dermnote.app.theme`.

    Args:
        model: Loaded.
        allowance: What visitors may have asked of a language model; None sets no limit.
    """
    models = Models(model, allowance=allowance)
    with gr.Blocks(title="DermNote", analytics_enabled=False, delete_cache=(KEPT_SECONDS, KEPT_SECONDS)) as page:
        key = gr.State(FIRST)  # which model answers this visitor
        header = gr.HTML(page_frame.header(model))
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
        gr.HTML(page_frame.footer())
        carried = case.form.find_fitting.click(
            lambda note: (note, gr.Tabs(selected="search")), case.form.written, [search.text, tabs], **LIGHT
        )
        search.search_after(carried)
        compare.takes_over_from([case.picture, case.modality, *case.form.fields])
        opened = case.opens(search.found).then(lambda: gr.Tabs(selected="case"), None, tabs, **LIGHT)
        opened.then(lambda text: text, search.text, case.words, **LIGHT).then(**case.explains_words())

        def of_model(reader: Reader) -> dict[Any, Any]:
            parts = [tab.of_model(reader) for tab in (case, search, compare, batch, about)]
            return {header: page_frame.header(reader.answers.model), **dict(ChainMap(*parts))}

        about.follow(page, of_model)
        key.change(None, cancels=[case.form.asking], **LIGHT)  # a note of the model before must not land here
        compare.renew_after(key.change)
        _add_endpoints(models.first.answers, case, search, compare)
    return page


def _add_endpoints(answers: Answers, case: CaseTab, search: SearchTab, compare: CompareTab) -> None:
    """The public endpoints, on the page's own inputs, so that each knows its type, choices and default."""
    shown, form, endpoints = [case.picture, case.modality], case.form, Endpoints(answers)
    strategies = gr.CheckboxGroup(list(STRATEGIES), value=["m"], label="Strategies", visible=False)
    k = gr.Number(5, label="How many", minimum=1, maximum=MAX_HITS, precision=0, visible=False)
    for answer, inputs, queue in (
        (endpoints.classify, shown, MODEL),
        (endpoints.find_notes, [*shown, k], MODEL),
        (endpoints.find_similar, [*shown, k], MODEL),
        (endpoints.explain, [*shown, form.fields[0], case.words], MODEL),
        (endpoints.find_images, [search.text, k, *search.filters.values()], MODEL),
        (endpoints.write_note, [*shown, *form.fields, form.strategy, form.demographics], WRITING),
        (Comparing(answers).compare, [*compare.case, strategies], WRITING),
    ):
        output = gr.JSON(label=answer.__name__, visible=False)
        gr.Button(visible=False).click(speaking(answer), inputs, output, api_name=answer.__name__, **queue)
