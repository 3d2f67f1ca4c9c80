"""Pictures of figures: the confusion matrix."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from train.canvas import can_draw, drawing


def draw_confusion(figures: dict[str, Any], path: Path) -> bool:
    """Draws one confusion matrix a split, each row (true class) in percent of its cases.

    Args:
        figures: What metrics.json holds.
        path: The PNG to write.

    Returns:
        Whether it was drawn; without matplotlib it is not, and one line says so.
    """
    if not can_draw():
        path.unlink(missing_ok=True)  # one of an earlier run would belie the report
        return False
    splits = {name: blocks["all"] for name, blocks in figures["splits"].items()}
    side = 2.2 + 0.55 * len(figures["classnames"])
    with drawing(path, side * len(splits), side) as figure:
        for axes, (name, block) in zip(figure.subplots(1, len(splits), squeeze=False)[0], splits.items(), strict=True):
            told = block["classification"]
            kappa = "" if told["kappa"] is None else f", kappa {told['kappa']:.2f}"
            title = f"{name}: {block['n_cases']} cases{kappa}"
            _matrix(axes, np.array(told["confusion"], dtype=np.float64), figures["classnames"], title)
    return True


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
