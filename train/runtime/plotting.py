"""PNG figures drawn without a display. Without matplotlib none are drawn, and one line says so."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dermnote.storage import replacing_file

FOOT = "Research use only, never a diagnosis"
COLOURS = ("#4e79a7", "#f28e2b", "#59a14f", "#b07aa1", "#e15759", "#76b7b2")


def can_draw() -> bool:
    """Return whether matplotlib is installed."""
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        print("no figures are drawn: matplotlib is not installed")
        return False
    return True


@contextmanager
def drawing(path: Path, width: float, height: float) -> Iterator[Any]:
    """Yield a figure of this size in inches; it is written to the path if the block succeeds."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    yield figure
    figure.supxlabel(FOOT, fontsize="small", color="0.4")
    with replacing_file(path) as aside:
        figure.savefig(aside, format="png", dpi=110)
