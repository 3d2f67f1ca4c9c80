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
COLOURS = {  # light, dark
    "body_background_fill": ("#f8f6f2", "#14181a"),
    "body_text_color": ("#22282a", "#e7eaea"),
    "body_text_color_subdued": ("#596164", "#a9b2b4"),
    "background_fill_primary": ("#ffffff", "#1c2224"),
    "background_fill_secondary": ("#f3f0ea", "#232a2d"),
    "block_background_fill": ("#ffffff", "#1c2224"),
    "block_border_color": ("#e2ddd3", "#343d41"),
    "border_color_primary": ("#e2ddd3", "#343d41"),
    "block_label_background_fill": ("transparent", "transparent"),
    "block_label_text_color": ("#596164", "#a9b2b4"),
    "block_title_text_color": ("#3d4547", "#cfd5d6"),
    "block_info_text_color": ("#596164", "#a9b2b4"),
    "input_background_fill": ("#ffffff", "#14181a"),
    "input_border_color": ("#8d9496", "#6d787c"),  # contrast 3:1: the border of an input must be visible
    "input_placeholder_color": ("#6a7274", "#929c9f"),
    "button_primary_background_fill": ("*primary_700", "*primary_300"),
    "button_primary_background_fill_hover": ("*primary_800", "*primary_200"),
    "button_primary_text_color": ("#ffffff", "#0a2327"),
    "button_secondary_background_fill": ("#ffffff", "#232a2d"),
    "button_secondary_background_fill_hover": ("#f3f0ea", "#2c3538"),
    "button_secondary_border_color": ("#b9b9b0", "#566064"),
    "button_secondary_text_color": ("#22282a", "#e7eaea"),
    "link_text_color": ("*primary_700", "*primary_300"),
    "checkbox_background_color_selected": ("*primary_700", "*primary_500"),
    "checkbox_border_color": ("#8d9496", "#6d787c"),
    "checkbox_label_background_fill": ("#ffffff", "#1c2224"),
    "checkbox_label_background_fill_selected": ("*primary_50", "*primary_950"),
    "checkbox_label_border_color": ("#cfcac0", "#434d51"),
    "checkbox_label_border_color_selected": ("*primary_600", "*primary_400"),
    "checkbox_label_text_color_selected": ("#22282a", "#e7eaea"),
}


def make_theme() -> gr.themes.Base:
    """Return the theme of the page: petrol on warm paper; system fonts, so that nothing is fetched."""
    theme = gr.themes.Base(
        primary_hue=PETROL,
        neutral_hue="stone",
        radius_size="md",
        font=FONT,  # plain names are system fonts
        font_mono=["ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "monospace"],
    )
    light = {name: pair[0] for name, pair in COLOURS.items()}
    dark = {f"{name}_dark": pair[1] for name, pair in COLOURS.items()}
    others = {
        "block_label_border_width": "0px",
        "block_title_text_weight": "600",
        "block_shadow": "none",
        "input_border_width": "1px",
        "button_border_width": "1px",
        "color_accent": "*primary_700",
        "slider_color": "*primary_700",
        "shadow_drop": "none",
    }
    return theme.set(**light, **dark, **others)
