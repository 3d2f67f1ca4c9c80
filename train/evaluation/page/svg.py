"""Charts as SVG inside a page: drawn by matplotlib, coloured by the page, so that they follow light and dark."""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Stand-ins that matplotlib draws with; the page's own colours take their place.
INK, ACCENT, SECOND, FAINT = "#010101", "#020202", "#030303", "#040404"
PAGE_COLOURS = {INK: "currentColor", ACCENT: "var(--accent)", SECOND: "var(--second)", FAINT: "var(--line)"}
STYLE = {
    "svg.fonttype": "none",  # letters stay letters: readable by a screen reader, and in the page's own font
    "font.family": "sans-serif",
    "font.size": 11,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": FAINT,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": INK,
    "ytick.color": INK,
    "grid.color": FAINT,
}


def inline_svg(figure: Figure, name: str, description: str) -> str:
    """A figure drawn under `STYLE` as an <svg> element that fits the width it is given.

    Args:
        figure: Drawn with the stand-in colours.
        name: Unique in the page: matplotlib's ids of two charts must not meet.
        description: What it shows, for who cannot see it.
    """
    from html import escape

    import matplotlib as mpl

    buffer = io.StringIO()
    with mpl.rc_context({**STYLE, "svg.hashsalt": name}):
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    drawn = buffer.getvalue()
    drawn = drawn[drawn.index("<svg") :]
    for stand_in, colour in PAGE_COLOURS.items():
        drawn = drawn.replace(stand_in, colour)
    drawn = re.sub(r"<metadata>.*?</metadata>", "", drawn, flags=re.DOTALL)
    drawn = re.sub(r"font-family: [^;\"]*", "font-family: inherit", drawn)
    drawn = re.sub(
        r"\bid=\"(?:figure|axes|patch|text|line2d|PathCollection|matplotlib\.axis|xtick|ytick|legend)_\d+\"", "", drawn
    )
    drawn = re.sub(r'(<svg[^>]*?) width="[^"]*"', r"\1", drawn, count=1)
    drawn = re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", drawn, count=1)
    return drawn.replace("<svg", f'<svg role="img" aria-label="{escape(description)}"', 1)
