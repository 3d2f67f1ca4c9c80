"""The charts of the page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from .. import curves
from .svg import ACCENT, FAINT, INK, SECOND, STYLE, inline_svg

# Told apart in light and dark, and mostly without colour vision (after Okabe and Ito); the ninth class begins anew.
CLASS_COLOURS = ("#d55e00", "#0072b2", "#009e73", "#cc79a7", "#b8860b", "#56b4e9", "#8b5cf6", "#7a7a7a")


def reliability_chart(bins: Sequence[Mapping[str, Any]], name: str) -> str:
    """Share of right answers at each degree of sureness; "" where there are none."""
    if not any(each["n_cases"] for each in bins):
        return ""
    with _axes(3.6, 3.4) as (figure, axes):
        curves.reliability(axes, bins, ACCENT, FAINT)
    return inline_svg(figure, f"{name}-reliability", "Reliability: share of right answers against their probability")


def risk_coverage_chart(selective: Mapping[str, Any], name: str) -> str:
    """Share of wrong answers among the cases kept, as the doubtful ones are left out."""
    with _axes(3.6, 3.4) as (figure, axes):
        curves.risk_coverage(axes, selective, ACCENT, SECOND)
    return inline_svg(figure, f"{name}-risk", "Risk and coverage: wrong answers as doubtful cases are left out")


def map_chart(places: np.ndarray, labels: np.ndarray, is_note: np.ndarray, classnames: Sequence[str], name: str) -> str:
    """Pictures (dots) and notes (crosses) in two dimensions.

    Args:
        places: (n, 2).
        labels: (n,) class ids.
        is_note: (n,) bool.
        classnames: By class id.
        name: Unique in the page.
    """
    with _axes(7.2, 5.4) as (figure, axes):
        for number, classname in enumerate(classnames):
            own, colour = labels == number, CLASS_COLOURS[number % len(CLASS_COLOURS)]
            if own.any():
                axes.scatter(*places[own & ~is_note].T, s=9, color=colour, alpha=0.75, linewidths=0, label=classname)
                axes.scatter(*places[own & is_note].T, s=42, color=colour, marker="x", linewidths=1.6)
        axes.scatter([], [], s=42, color=INK, marker="x", linewidths=1.6, label="notes")
        axes.set_xticks([])
        axes.set_yticks([])
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, 0), ncols=3, fontsize=9, frameon=False)
    return inline_svg(figure, f"{name}-map", "Map of pictures and notes by class")


@contextmanager
def _axes(width: float, height: float) -> Iterator[tuple[Any, Any]]:
    """A figure and its axes; what is drawn within has the page's letters and colours."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(width, height), layout="constrained")
        yield figure, figure.add_subplot()
