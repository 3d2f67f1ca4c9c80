"""Contrast of the theme's colours."""

from __future__ import annotations

import re

from dermnote.app.claims_card import VERDICTS
from dermnote.app.theme import CSS, make_theme


def contrast(one: str, other: str) -> float:
    """Return the WCAG contrast ratio of two #rrggbb colours."""

    def luminance(colour: str) -> float:
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_text_contrast_is_at_least_4_5() -> None:
    theme = make_theme()
    for suffix in ("", "_dark"):
        for text in ("body_text_color", "body_text_color_subdued", "block_title_text_color"):
            for background in ("body_background_fill", "background_fill_secondary", "block_background_fill"):
                pair = getattr(theme, text + suffix), getattr(theme, background + suffix)
                assert contrast(*pair) >= 4.5, (text + suffix, background, pair)
    blocks = re.findall(r"(?:^|\n)(?::root, )?\.dark \{(.*?)\n\}", CSS[0].read_text(), re.DOTALL)
    assert len(blocks) == 2  # light, dark
    for block in blocks:
        colours = dict(re.findall(r"--dn-([a-z-]+): (#[0-9a-f]{6})", block))
        for kind in ("caution", "alert", *(each.css for each in VERDICTS)):
            assert contrast(colours[f"{kind}-ink"], colours[f"{kind}-ground"]) >= 4.5, (kind, colours)
