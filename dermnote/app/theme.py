"""Theme: colours and fonts, light and dark. Text on its background has a contrast of at least 4.5:1 (WCAG AA)."""

from __future__ import annotations

from pathlib import Path

import gradio as gr

STYLES = Path(__file__).with_name("styles")
CSS = [STYLES / "page.css", *sorted(path for path in STYLES.glob("*.css") if path.name != "page.css")]  # colours first
FONT = ["Inter", "ui-sans-serif", "system-ui", "Segoe UI", "Roboto", "Helvetica Neue", "Arial", "sans-serif"]
PETROL = gr.themes.Color(
    name="petrol",
    c50="#eff7f7",
    c100="#d6ebec",
    c200="#b0d9db",
    c300="#7fbfc3",
    c400="#57a5ab",
    c500="#2f858c",
    c600="#216b72",
    c700="#18565c",
    c800="#15464b",
    c900="#133a3f",
    c950="#0a2327",
)


def make_theme() -> gr.themes.Base:
    """Return the theme of the page: petrol on warm paper; system fonts, so that nothing is fetched."""
    theme = gr.themes.Base(
        primary_hue=PETROL,
        neutral_hue="stone",
        radius_size="md",
        font=FONT,  # plain names are system fonts
        font_mono=["ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "monospace"],
    )
    return theme.set(
        body_background_fill="#f8f6f2",
        body_background_fill_dark="#14181a",
        body_text_color="#22282a",
        body_text_color_dark="#e7eaea",
        body_text_color_subdued="#596164",
        body_text_color_subdued_dark="#a9b2b4",
        background_fill_primary="#ffffff",
        background_fill_primary_dark="#1c2224",
        background_fill_secondary="#f3f0ea",
        background_fill_secondary_dark="#232a2d",
        block_background_fill="#ffffff",
        block_background_fill_dark="#1c2224",
        block_border_color="#e2ddd3",
        block_border_color_dark="#343d41",
        border_color_primary="#e2ddd3",
        border_color_primary_dark="#343d41",
        block_label_background_fill="transparent",
        block_label_background_fill_dark="transparent",
        block_label_border_width="0px",
        block_label_text_color="#596164",
        block_label_text_color_dark="#a9b2b4",
        block_title_text_color="#3d4547",
        block_title_text_color_dark="#cfd5d6",
        block_title_text_weight="600",
        block_shadow="none",
        block_info_text_color="#596164",
        block_info_text_color_dark="#a9b2b4",
        input_background_fill="#ffffff",
        input_background_fill_dark="#14181a",
        input_border_color="#8d9496",  # contrast 3:1: the border of an input must be visible
        input_border_color_dark="#6d787c",
        input_border_width="1px",
        input_placeholder_color="#6a7274",
        input_placeholder_color_dark="#929c9f",
        button_primary_background_fill="*primary_700",
        button_primary_background_fill_hover="*primary_800",
        button_primary_background_fill_dark="*primary_300",
        button_primary_background_fill_hover_dark="*primary_200",
        button_primary_text_color="#ffffff",
        button_primary_text_color_dark="#0a2327",
        button_secondary_background_fill="#ffffff",
        button_secondary_background_fill_hover="#f3f0ea",
        button_secondary_background_fill_dark="#232a2d",
        button_secondary_background_fill_hover_dark="#2c3538",
        button_secondary_border_color="#b9b9b0",
        button_secondary_border_color_dark="#566064",
        button_secondary_text_color="#22282a",
        button_secondary_text_color_dark="#e7eaea",
        button_border_width="1px",
        link_text_color="*primary_700",
        link_text_color_dark="*primary_300",
        color_accent="*primary_700",
        slider_color="*primary_700",
        checkbox_background_color_selected="*primary_700",
        checkbox_background_color_selected_dark="*primary_500",
        checkbox_border_color="#8d9496",
        checkbox_border_color_dark="#6d787c",
        checkbox_label_background_fill="#ffffff",
        checkbox_label_background_fill_dark="#1c2224",
        checkbox_label_background_fill_selected="*primary_50",
        checkbox_label_background_fill_selected_dark="*primary_950",
        checkbox_label_border_color="#cfcac0",
        checkbox_label_border_color_dark="#434d51",
        checkbox_label_border_color_selected="*primary_600",
        checkbox_label_border_color_selected_dark="*primary_400",
        checkbox_label_text_color_selected="#22282a",
        checkbox_label_text_color_selected_dark="#e7eaea",
        shadow_drop="none",
    )
