"""Pictures of figures: the confusion matrix."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from dermnote.storage import replacing_file


def draw_confusion(figures: dict[str, Any], path: Path) -> bool:
    """Draws one confusion matrix a split, each row (true class) in percent of its cases.

    Args:
        figures: What metrics.json holds.
        path: The PNG to write.

    Returns:
        Whether it was drawn; without matplotlib it is not, and one line says so.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        print("confusion.png is not drawn: matplotlib is not installed")
        path.unlink(missing_ok=True)  # one of an earlier run would belie the report
        return False
    splits = {name: blocks["all"] for name, blocks in figures["splits"].items()}
    side = 2.2 + 0.55 * len(figures["classnames"])
    figure = Figure(figsize=(side * len(splits), side), layout="constrained")
    FigureCanvasAgg(figure)
    for axes, (name, block) in zip(figure.subplots(1, len(splits), squeeze=False)[0], splits.items(), strict=True):
        kappa = block["classification"]["kappa"]
        title = f"{name}: {block['n_cases']} cases" + (f", kappa {kappa:.2f}" if kappa is not None else "")
        _matrix(axes, np.array(block["classification"]["confusion"], dtype=np.float64), figures["classnames"], title)
    figure.supxlabel("Research use only, never a diagnosis", fontsize="small", color="0.4")
    with replacing_file(path) as aside:
        figure.savefig(aside, format="png", dpi=110)
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
