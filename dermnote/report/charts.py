"""Charts of metrics.json: as data that the HTML templates draw as SVG, and as PNG files for report.md and the card."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

from dermnote.models.prediction import percent
from dermnote.report.schema import Block, Metrics
from dermnote.report.sentences import as_share
from dermnote.report.tables import FEW, Rows

WIDTH, HEIGHT = 340, 280  # of the SVG
LEFT, RIGHT, TOP, BOTTOM = 52, 20, 10, 42  # margins
SMALLEST, LARGEST = 2.0, 9.0  # radius of a dot
ORDERS = {"confidence": ("least certain first", "line"), "distance": ("farthest from known cases first", "second")}
PLOTS = {
    "confusion.png": "Confusion matrix, each row in percent of its true class",
    "reliability.png": "Accuracy against probability; wrong answers as doubtful cases are left out",
}
Point = tuple[float, float]
Drawing = Callable[[Path, float, float], AbstractContextManager[Any]]


@dataclass(frozen=True)
class Line:
    """A line of a chart; its kind ("line", "second", "ideal") sets its colour, and a titled line has a legend entry."""

    points: Sequence[Point]
    kind: str
    title: str = ""


@dataclass(frozen=True)
class Chart:
    """A chart with both axes in percent: x from 0 to 1, y from 0 to `y_top`.

    Attributes:
        name: Of the table that holds the same numbers.
        title: Heading.
        axis_titles: Of x and y.
        dots: (x, y, n_cases).
        description: Text alternative.
        caption: One or two sentences below it.
        rows: The same numbers as a table.
    """

    name: str
    title: str
    axis_titles: tuple[str, str]
    lines: tuple[Line, ...]
    dots: tuple[tuple[float, float, int], ...]
    description: str
    caption: str
    rows: Rows
    y_top: float = 1.0

    def x(self, value: float) -> str:
        """Return the SVG coordinate of 0..1."""
        return f"{LEFT + value * (WIDTH - LEFT - RIGHT):.1f}"

    def y(self, value: float) -> str:
        """Return the SVG coordinate of 0..y_top."""
        return f"{HEIGHT - BOTTOM - min(1.0, value / self.y_top) * (HEIGHT - TOP - BOTTOM):.1f}"

    def radius(self, n_cases: int) -> str:
        """Return the radius of a dot, whose area grows with its cases."""
        most = max(n for _, _, n in self.dots)
        return f"{SMALLEST + (LARGEST - SMALLEST) * math.sqrt(n_cases / most):.1f}"


def charts(block: Block) -> list[Chart]:
    """Return the charts of a block; those that were not measured are left out."""
    return [chart for chart in (reliability_chart(block), risk_coverage_chart(block)) if chart]


def reliability_chart(block: Block) -> Chart | None:
    """Return accuracy against the probability of the likeliest class; None if it was not measured."""
    bins = [
        (each.confidence, each.accuracy, each.n_cases)
        for each in block.classification.reliability
        if each.confidence is not None and each.accuracy is not None and each.n_cases
    ]
    if not bins:
        return None
    enough = [each for each in bins if each[2] >= FEW] or bins
    low, high = enough[0], enough[-1]
    text = f"Where the probability is {percent(low[0])}, {percent(low[1])} are correct"
    text += "." if low is high else f"; where it is {percent(high[0])}, {percent(high[1])}."
    after, before = block.classification.ece.value, block.classification.ece_uncalibrated.value
    caption = (
        "On the dashed line probability and accuracy agree; below it the model is too certain. Larger dots hold more"
    )
    caption += " images."
    if after is not None:
        caption += f" Calibration error {after:.3f} (0 is perfect)"
        caption += "." if before is None else f"; {before:.3f} before its temperature was fitted."
    return Chart(
        "Reliability",
        "Calibration",
        ("probability of the likeliest class", "share that is correct"),
        (Line(((0, 0), (1, 1)), "ideal"), Line([(x, y) for x, y, _ in bins], "line")),
        tuple(bins),
        f"Reliability: share of correct answers by the probability of the likeliest class. {text}",
        caption,
        [{"mean probability": percent(x), "correct": percent(y), "images": n} for x, y, n in bins],
    )


def risk_coverage_chart(block: Block) -> Chart | None:
    """Return the share of wrong answers as doubtful cases are left out; None if it was not measured."""
    found = {by: curve.points for by in ORDERS if (curve := getattr(block.selective, by)) and curve.points}
    if not found:
        return None
    points = next(iter(found.values()))
    (most, wrong), (fewer, then_wrong) = points[-1], min(points, key=lambda point: abs(point[0] - 0.5))
    text = f"Answering {most:.0%} of the images, {percent(wrong)} of the answers are wrong; answering {fewer:.0%},"
    text += f" {percent(then_wrong)}."
    by_order = {f"wrong, {ORDERS[by][0]}": dict(curve) for by, curve in found.items()}
    shares = sorted({x for curve in by_order.values() for x in curve})
    rows: Rows = []
    for x in shares:
        wrong_at = {name: percent(curve[x]) if x in curve else None for name, curve in by_order.items()}
        rows.append({"answered": f"{x:.0%}", **wrong_at})
    top = max(risk for curve in found.values() for _, risk in curve)
    return Chart(
        "Risk and coverage",
        "Leaving out doubtful cases",
        ("share of images answered", "share of answers that are wrong"),
        tuple(Line(curve, ORDERS[by][1], f"left out: {ORDERS[by][0]}") for by, curve in found.items()),
        (),
        f"Risk and coverage: share of wrong answers as doubtful images are left out. {text}",
        f"{text}{_far(block)}",
        rows,
        min(1.0, max(0.2, math.ceil(top * 5 - 1e-9) / 5)),
    )


def _far(block: Block) -> str:
    far = block.selective.far
    if not far or far.n_flagged is None or block.n_cases is None:
        return ""
    text = (
        f" {far.n_flagged:,} of {block.n_cases:,} images are farther from every known case than 95% of the validation"
    )
    if not far.n_flagged or far.accuracy_flagged.value is None:
        return text + " cases."
    text += f" cases; {as_share(far.accuracy_flagged)} of them are classified correctly"
    return text + ("." if far.accuracy_kept.value is None else f", {as_share(far.accuracy_kept)} of the others.")


def draw_plots(metrics: Metrics, folder: Path, drawing: Drawing) -> None:
    """Write the files of `PLOTS`, with a plot for each of `metrics.main_blocks`.

    Args:
        metrics: With at least one block.
        folder: Existing folder.
        drawing: Context manager that yields a matplotlib figure for a path, width and height (inches), and saves it.
    """
    blocks = metrics.main_blocks
    side = 2.2 + 0.55 * len(metrics.classnames)
    with drawing(folder / "confusion.png", side * len(blocks), side) as figure:
        for axes, block in zip(figure.subplots(1, len(blocks), squeeze=False)[0], blocks, strict=True):
            _draw_confusion(axes, block)
    with drawing(folder / "reliability.png", 8, 3.7 * len(blocks)) as figure:
        for row, block in zip(figure.subplots(len(blocks), 2, squeeze=False), blocks, strict=True):
            row[0].set_title(_plot_title(block))
            for axes, chart in zip(row, (reliability_chart(block), risk_coverage_chart(block)), strict=True):
                if chart:
                    _draw_chart(axes, chart)


def _plot_title(block: Block) -> str:
    source = f"{len(block.sources)} sources" if len(block.sources) > 1 else block.source
    return f"{block.split}, {source}: {block.n_cases} cases"


def _draw_confusion(axes: Any, block: Block) -> None:
    totals = [sum(row) for row in block.confusion]
    shares = [
        [count / total if total else 0.0 for count in row] for row, total in zip(block.confusion, totals, strict=True)
    ]
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for row, column in product(range(len(shares)), repeat=2):
        if (share := shares[row][column]) >= 0.005:
            axes.text(column, row, f"{100 * share:.0f}", ha="center", va="center", color="w" if share > 0.5 else "k")
    kappa = block.classification.kappa.value
    title = _plot_title(block) + ("" if kappa is None else f", kappa {kappa:.2f}")
    names = [f"{name} ({total})" for name, total in zip(block.classnames, totals, strict=True)]
    axes.set_xticks(range(len(names)), block.classnames, rotation=45, ha="right")
    axes.set_yticks(range(len(names)), names)
    axes.set(xlabel="predicted from the image (% of each row)", ylabel="true class (cases)", title=title)


def _draw_chart(axes: Any, chart: Chart) -> None:
    styles: Mapping[str, Any] = {
        "ideal": {"color": "0.75", "linewidth": 1},
        "line": {"color": "#4e79a7", "linewidth": 1.2},
        "second": {"color": "#f28e2b", "linewidth": 1.2, "linestyle": "--"},
    }
    for line in chart.lines:
        axes.plot(*zip(*line.points, strict=True), label=line.title, **styles[line.kind])
    if chart.dots:
        x, y, n_cases = zip(*chart.dots, strict=True)
        sizes = [12 + 160 * n / max(n_cases) for n in n_cases]
        axes.scatter(x, y, s=sizes, color=styles["line"]["color"], zorder=3)
    axes.set(xlim=(0, 1), ylim=(0, chart.y_top), xlabel=chart.axis_titles[0], ylabel=chart.axis_titles[1])
    if any(line.title for line in chart.lines):
        axes.legend(loc="best", fontsize=9, frameon=False)
