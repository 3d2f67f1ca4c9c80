"""Plots of a grid: figures and differences with their intervals, as dots on lines."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..runtime.plotting import COLOURS, can_draw, drawing
from .plan import IMAGE_ONLY, PAPER_COLUMNS
from .report import PLOTS, Results, measure_name
from .results import DIRECTIONS, HIGHER, LOWER, VERSIONS

Figures = Sequence[dict[str, Any]]
MAX_LINES = 40  # differences in one plot


def draw_grid(results: Results, folder: Path) -> list[str]:
    """Draw the plots that the results allow, and return the names of the files written.

    Args:
        results: Content of comparison.json.
        folder: Destination of the PNG files; outdated ones are removed.
    """
    figures = [{**each, "line": _line(results, each)} for each in results["figures"] if each["mean"] is not None]
    several = {cell["name"] for cell in results["cells"] if len(cell["queries"]) > 1}
    maps = [each for each in figures if each["kind"] == "map"]
    own = [each for each in maps if each["queries"] == each["recipe"] and each["recipe"] in PAPER_COLUMNS]
    queried = [each for each in maps if each["row"] == "all" and f"{each['partition']}/{each['recipe']}" in several]
    kappa = [each for each in figures if each["kind"] == "kappa" and each["recipe"] in PAPER_COLUMNS]
    for name in PLOTS:
        (folder / name).unlink(missing_ok=True)
    if not can_draw():
        return []
    drawn = {
        "kappa.png": _kappa(kappa, folder / "kappa.png"),
        "retrieval.png": _retrieval(own, "recipe", folder / "retrieval.png"),
        "differences.png": _differences(results, folder / "differences.png"),
        "queries.png": _retrieval(queried, "queries", folder / "queries.png"),
    }
    return [name for name, written in drawn.items() if written]


def _kappa(figures: Figures, path: Path) -> bool:
    if not figures:
        return False
    lines = list(dict.fromkeys(each["line"] for each in figures))
    with drawing(path, 8, 1.2 + 0.45 * len(lines)) as figure:
        axes = figure.subplots()
        _dots(axes, lines, figures, "recipe")
        axes.set(xlabel="kappa, from the image alone")
    return True


def _retrieval(figures: Figures, series: str, path: Path) -> bool:
    if not figures:
        return False
    lines = list(dict.fromkeys(each["line"] for each in figures))
    count = len({each[series] for each in figures})
    with drawing(path, 11, 2.2 + (0.35 + 0.12 * count) * 2 * len(lines)) as figure:
        panels = figure.subplots(2, 2, sharex=True, sharey=True, squeeze=False)
        for row, (version, title) in zip(panels, VERSIONS.items(), strict=True):
            for axes, (direction, name) in zip(row, DIRECTIONS.items(), strict=True):
                part = [each for each in figures if (each["version"], each["direction"]) == (version, direction)]
                _dots(axes, lines, part, series)
                axes.set(title=f"{name}, {title}", xlabel="mAP (|: chance)")
    return True


def _dots(axes: Any, lines: list[str], figures: Figures, series: str) -> None:
    """Draw one dot with its interval per figure: a line per row of cases, a colour per series."""
    names = list(dict.fromkeys(each[series] for each in figures))
    for place, name in enumerate(names):
        shift, colour = 0.6 * ((place + 0.5) / len(names) - 0.5), COLOURS[place % len(COLOURS)]
        chosen = [each for each in figures if each[series] == name]
        for number, each in enumerate(chosen):
            y = lines.index(each["line"]) + shift
            if each["ci"]:
                axes.plot(each["ci"], (y, y), color=colour, linewidth=1.5)
            axes.plot(each["mean"], y, "o", color=colour, markersize=5, label=None if number else name)
            if each["chance"] is not None:
                axes.plot(each["chance"], y, "|", color="0.3", markersize=9)
    _label_lines(axes, lines)
    axes.grid(axis="x", color="0.9")
    if names:
        axes.figure.legends.clear()  # one for all panels, beside them
        axes.figure.legend(*axes.get_legend_handles_labels(), loc="outside right upper", fontsize="small")


def _differences(results: Results, path: Path) -> bool:
    found = [each for each in results["differences"] if each["ci"]]
    kappa = [each for each in found if each["second"] == IMAGE_ONLY and each["measure"] == "kappa"]
    others = [each for each in found if each["second"] != IMAGE_ONLY and each["row"] == "all"]
    headline = [each for each in others if each["measure"] == "kappa" or ":masked" in each["measure"]]
    chosen = [*kappa, *headline][:MAX_LINES]
    if not chosen:
        return False
    with drawing(path, 10, 1.4 + 0.26 * len(chosen)) as figure:
        axes = figure.subplots()
        for number, each in enumerate(chosen):
            clear = each["verdict"] in (HIGHER, LOWER) and len(each["by_seed"]) > 1
            colour = COLOURS[0] if clear else "0.55"
            axes.plot(each["ci"], (number, number), color=colour, linewidth=2)
            axes.plot(each["value"], number, "o", color=colour)
            axes.plot(each["by_seed"], [number] * len(each["by_seed"]), "|", color=colour, alpha=0.6)
        axes.axvline(0, color="k", linewidth=0.8)
        pairs = [f"{each['first']} − {each['second']}, {measure_name(each['measure'])}" for each in chosen]
        names = [f"{_line(results, each)}: {pair}" for each, pair in zip(chosen, pairs, strict=True)]
        _label_lines(axes, names, fontsize="small")
        axes.set(xlabel="difference [95%]; blue: distinguishable from 0, grey: not; |: single seeds")
    return True


def _label_lines(axes: Any, names: list[str], **text: Any) -> None:
    axes.set_yticks(range(len(names)), names, **text)
    axes.set_ylim(len(names) - 0.5, -0.5)


def _line(results: Results, each: dict[str, Any]) -> str:
    return f"{results['partitions'][each['partition']]}, {each['row']}"
