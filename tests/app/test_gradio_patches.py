"""Changes to Gradio's internals still work with the installed version."""

from __future__ import annotations

from pathlib import Path

import gradio as gr
from standin import StandIn

from dermnote.app import gradio_patches
from dermnote.app.gradio_patches import SmallSession, with_preprocess
from dermnote.app.page import build_page


def test_session_holds_no_copy_of_the_page() -> None:
    page = build_page(StandIn())  # type: ignore[arg-type]
    session = SmallSession(page)
    assert session.config_values == {} and set(session.blocks_config.blocks) == set(page.default_config.blocks)
    state = next(key for key, block in page.blocks.items() if block.stateful)
    session[state] = "a model"
    assert session[state] == "a model" and SmallSession(page)[state] != "a model"


def test_preprocess_is_kept_when_gradio_makes_the_component_again() -> None:
    """Gradio does so for a visitor whose handler updated or skipped the component."""
    with gr.Blocks():
        image = with_preprocess(gr.Image, lambda payload: f"read {payload}")(label="An image", type="pil")
    again = image.__class__(label="An image", type="pil")
    assert (image.preprocess("x"), again.preprocess("x")) == ("read x", "read x")  # type: ignore[arg-type]
    assert again.get_block_name() == "image" and isinstance(again, gr.Image)
    assert not Path(gradio_patches.__file__).with_suffix(".pyi").exists()
