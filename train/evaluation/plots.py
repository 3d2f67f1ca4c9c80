"""Pictures of figures, for report.md and the model card."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..runtime.plotting import COLOURS, can_draw, drawing
from . import curves

CONFUSION, RELIABILITY = "confusion.png", "reliability.png"
PLOTS = {
    CONFUSION: "Confusion matrix, each row in percent of its true class",
    RELIABILITY: "Right answers against their probability; wrong answers as doubtful cases are left out",
}
FAINT = "0.75"


def draw_figures(figures: Mapping[str, Any], folder: Path) -> tuple[str, ...]:
    """Draws `PLOTS`: of each split what is said of all its cases (of its photographs, where it has any).

    Args:
        figures: What metrics.json holds.
        folder: The PNG files are written into it.

    Returns:
        Their names; none without matplotlib, and one line says so.
    """
    if not can_draw():
        for name in PLOTS:
            (folder / name).unlink(missing_ok=True)  # one of an earlier run would belie the report
        return ()
    splits = {name: blocks["all"] for name, blocks in figures["splits"].items()}
    _confusion(splits, figures["classnames"], folder / CONFUSION)
    _reliability(splits, folder / RELIABILITY)
    return tuple(PLOTS)


def _confusion(splits: Mapping[str, Any], names: list[str], path: Path) -> None:
    side = 2.2 + 0.55 * len(names)
    with drawing(path, side * len(splits), side) as figure:
        for axes, (name, block) in zip(figure.subplots(1, len(splits), squeeze=False)[0], splits.items(), strict=True):
            told = block["classification"]
            kappa = "" if told["kappa"] is None else f", kappa {told['kappa']:.2f}"
            title = f"{_title(name, block)}{kappa}"
            _matrix(axes, np.array(told["confusion"], dtype=np.float64), names, title)


def _reliability(splits: Mapping[str, Any], path: Path) -> None:
    with drawing(path, 8, 3.7 * len(splits)) as figure:
        for (left, right), (name, block) in zip(
            figure.subplots(len(splits), 2, squeeze=False), splits.items(), strict=True
        ):
            curves.reliability(left, block["classification"]["reliability"], COLOURS[0], FAINT)
            curves.risk_coverage(right, block["selective"], COLOURS[0], COLOURS[1])
            left.set_title(_title(name, block))


def _title(split: str, block: Mapping[str, Any]) -> str:
    sources = block["sources"]
    return f"{split}, {sources[0] if len(sources) == 1 else f'{len(sources)} sources'}: {block['n_cases']} cases"


def _matrix(axes: Any, counts: np.ndarray, names: list[str], title: str) -> None:
    support = counts.sum(axis=1, keepdims=True)
    share = np.divide(counts, support, out=np.zeros_like(counts), where=support > 0)
    axes.imshow(share, cmap="Blues", vmin=0, vmax=1)
    for (row, column), value in np.ndenumerate(share):
        if support[row] and value >= 0.005:
            axes.text(column, row, f"{100 * value:.0f}", ha="center", va="center", color="w" if value > 0.5 else "k")
    axes.set_xticks(range(len(names)), names, rotation=45, ha="right")
    axes.set_yticks(range(len(names)), [f"{name} ({int(n)})" for name, n in zip(names, support[:, 0], strict=True)])
    axes.set(xlabel="told from the picture", ylabel="true class (cases)", title=f"{title}, % of each row")
