"""Curves that the page and the pictures share: drawn into axes, in the colours of whoever asks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np


def reliability(axes: Any, bins: Sequence[Mapping[str, Any]], colour: str, faint: str) -> None:
    """Share of right answers at each degree of sureness; the area of a dot is its number of cases.

    Args:
        axes: Of matplotlib.
        bins: `reliability` of a block; one holds a case.
        colour: Of the curve.
        faint: Of the line where sureness and share agree.
    """
    filled = [each for each in bins if each["n_cases"]]
    sure, right = [each["confidence"] for each in filled], [each["accuracy"] for each in filled]
    cases = np.array([each["n_cases"] for each in filled], dtype=np.float64)
    axes.plot([0, 1], [0, 1], color=faint, linewidth=1)
    axes.plot(sure, right, color=colour, linewidth=1.2)
    axes.scatter(sure, right, s=12 + 160 * cases / cases.max(), color=colour, zorder=3)
    axes.set(xlim=(0, 1), ylim=(0, 1), xlabel="probability of the first answer", ylabel="share that is right")


def risk_coverage(axes: Any, selective: Mapping[str, Any], colour: str, second: str) -> None:
    """Share of wrong answers among the cases kept, as the doubtful ones are left out.

    Args:
        axes: Of matplotlib.
        selective: Of a block.
        colour: Of leaving out the least sure first.
        second: Of leaving out the farthest from known cases first.
    """
    ways = {"confidence": ("least sure first", colour, "-"), "distance": ("farthest first", second, "--")}
    for way, (title, own, line) in ways.items():
        if curve := selective.get(way):
            axes.plot(curve["coverage"], curve["risk"], color=own, linestyle=line, label=title)
    axes.set(xlim=(0, 1), ylim=(0, None), xlabel="share of cases answered", ylabel="share of answers that are wrong")
    axes.legend(loc="lower right", title="left out", fontsize=9, title_fontsize=9, frameon=False)
