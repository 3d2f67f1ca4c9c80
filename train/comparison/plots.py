"""Plots of a comparison: figures and differences with their intervals, as dots on lines."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import cycle
from pathlib import Path

import numpy as np
import pandas as pd

from ..runtime.plotting import COLOURS, can_draw, drawing
from .hallucination import CLEAN, CORRUPTED, points_table
from .plan import IMAGE_ONLY, PAPER_COLUMNS
from .report import Results, differences_table, figures_table
from .results import DIRECTIONS, KAPPA, VERSIONS

GRID_PLOTS = {
    "kappa.png": "Kappa from the image alone, mean over seeds, 95% over patients or lesions",
    "retrieval.png": "Retrieval by training notes, diagnosis masked and as written; the mark is chance",
    "differences.png": "Differences on the same cases, with 95% intervals",
    "queries.png": "Strategies as queries, on the same lesions with the same models",
}
STUDY_PLOTS = {"hallucination.png": "Retrieval, paired cosine and kappa over the rate of errors"}
CLEAR, NOT_CLEAR = "distinguishable from 0", "not distinguishable from 0"
MAX_DIFFERENCES = 40  # in one plot


def draw_grid(results: Results, folder: Path) -> dict[str, str]:
    """Draw the plots that the results allow, and return their titles by file name.

    Args:
        results: Content of comparison.json.
        folder: Destination of the PNG files; outdated ones are removed.
    """
    figures = figures_table(results).dropna(subset="mean").rename(columns={"title": "line", "mean": "value"})
    figures = figures.assign(marks=_chance_marks(figures), series=figures["recipe"])
    in_paper = figures[figures["recipe"].isin(list(PAPER_COLUMNS))]
    queried = figures[figures["queried"] & (figures["row"] == "all")]
    found = differences_table(results).dropna(subset="low")
    against_images = (found["second"] == IMAGE_ONLY) & (found["measure"] == KAPPA)
    rest = (found["second"] != IMAGE_ONLY) & (found["row"] == "all") & (found["version"] != "as_written")
    rest &= found["measure"] != "balanced_accuracy"
    found = pd.concat([found[against_images], found[rest]])[:MAX_DIFFERENCES]
    found["line"] = found["title"] + ": " + found["first"] + " − " + found["second"] + ", " + found["name"]
    found["series"] = (found["significant"] & (found["seeds"] > 1)).map({True: CLEAR, False: NOT_CLEAR})
    panels = {
        "kappa.png": {"kappa, from the image alone": in_paper[in_paper["kind"] == KAPPA]},
        "retrieval.png": _by_direction(in_paper[in_paper["queries"] == in_paper["recipe"]]),
        "differences.png": {"difference [95%]; |: single seeds": found.assign(marks=found["by_seed"])},
        "queries.png": _by_direction(queried.assign(series=queried["queries"])),
    }
    return _draw(folder, GRID_PLOTS, panels)


def draw_study(results: Results, folder: Path) -> dict[str, str]:
    """Draw the values over the rate of errors, with their range over seeds; see `draw_grid`."""
    points = points_table(results).rename(columns={"mean": "value"})
    points["line"] = [f"{each.kind}, {100 * each.rate:g}% wrong" for each in points.itertuples()]
    series = {CLEAN: "clean query notes", CORRUPTED: "corrupted query notes", "": KAPPA}
    points = points.assign(series=points["queries"].map(series), marks=_chance_marks(points))
    kappa, masked = points[points["measure"] == KAPPA], points[points["version"] == "masked"]
    if results["image_only"] is not None and len(kappa):
        values = results["image_only"]["by_seed"]
        without = {"value": np.mean(values), "low": min(values), "high": max(values), "marks": []}
        kappa = pd.concat([kappa, pd.DataFrame([without]).assign(line=IMAGE_ONLY, series=KAPPA)])
    panels = {
        "mAP note to image, diagnosis masked (|: chance)": masked[masked["direction"] == "text_to_image"],
        "paired cosine, diagnosis masked (|: random pairs)": masked[masked["direction"] == ""],
        "kappa, from the image alone": kappa,
    }
    return _draw(folder, STUDY_PLOTS, {"hallucination.png": panels})


def _draw(folder: Path, titles: Mapping[str, str], plots: Mapping[str, Mapping[str, pd.DataFrame]]) -> dict[str, str]:
    """Draw the plots that have dots, remove outdated ones, and return the titles of those drawn."""
    for name in titles:
        (folder / name).unlink(missing_ok=True)
    filled = {name: panels for name, panels in plots.items() if any(map(len, panels.values()))}
    if not filled or not can_draw():
        return {}
    for name, panels in filled.items():
        draw_panels(folder / name, panels)
    return {name: titles[name] for name in filled}


def _chance_marks(table: pd.DataFrame) -> list[list[float]]:
    return [[] if pd.isna(chance) else [chance] for chance in table["chance"]]


def _by_direction(figures: pd.DataFrame) -> dict[str, pd.DataFrame]:
    return {
        f"mAP {name}, {title} (|: chance)": figures[(figures["version"] == version) & (figures["direction"] == way)]
        for version, title in VERSIONS.items()
        for way, name in DIRECTIONS.items()
    }


def draw_panels(path: Path, panels: Mapping[str, pd.DataFrame]) -> None:
    """Draw dots with their intervals.

    Args:
        path: PNG file.
        panels: By label of the x axis, the dots (line, series, value, low, high, marks); a panel has a line per row of
            the plot and a colour per series, and draws `marks` as ticks. Four panels are a square, fewer a row.
    """
    from matplotlib.lines import Line2D

    dots = pd.concat(panels.values())
    lines, colours = list(dots["line"].unique()), dict(zip(dots["series"].unique(), cycle(COLOURS), strict=False))
    columns = 2 if len(panels) == 4 else len(panels)
    rows = -(-len(panels) // columns)
    per_line = max(panel["line"].value_counts().max() for panel in panels.values() if len(panel))
    height = 1.5 + rows * (0.7 + (0.15 + 0.1 * per_line) * len(lines))
    with drawing(path, 5 + 4 * columns, height) as figure:
        axes = figure.subplots(rows, columns, sharex=len(panels) == 4, sharey=True, squeeze=False).flat
        for axis, (label, panel) in zip(axes, panels.items(), strict=True):
            by_line = panel.groupby("line")["line"]
            shift = 0.6 * ((by_line.cumcount() + 0.5) / by_line.transform("size").astype(float) - 0.5)
            panel = panel.assign(y=panel["line"].map(lines.index).astype(float) + shift)
            for name, part in panel.groupby("series"):
                axis.hlines(part["y"], part["low"], part["high"], color=colours[name], linewidth=1.5)
                axis.plot(part["value"], part["y"], "o", color=colours[name], markersize=5)
            marks = panel.explode("marks")
            axis.plot(marks["marks"].astype(float), marks["y"], "|", color="0.3", markersize=9)
            axis.set_yticks(range(len(lines)), lines, fontsize="small")
            axis.set(xlabel=label, ylim=(len(lines) - 0.5, -0.5))
            axis.grid(axis="x", color="0.9")
            if "difference" in label:
                axis.axvline(0, color="k", linewidth=0.8)
        handles = [Line2D([], [], color=colour, marker="o") for colour in colours.values()]
        figure.legend(handles, colours, loc="outside right upper", fontsize="small")
