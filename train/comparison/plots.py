"""The pictures of a grid: figures with their intervals, as dots on lines."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..evaluation.metric_format import DIRECTIONS, VERSIONS
from ..runtime.plotting import COLOURS, can_draw, drawing
from .phrasing import measure_in_words
from .plan import IMAGE_ONLY, PAPER_COLUMNS

Figure = Mapping[str, Any]
MOST_LINES = 40  # of differences in one picture


def draw_all(told: Mapping[str, Any], folder: Path) -> list[str]:
    """Draws what there is to draw; the names of the files written.

    Args:
        told: What comparison.json holds.
        folder: Where the PNG files go; those of an earlier look that are no longer drawn are removed.
    """
    drawers: dict[str, Callable[[Mapping[str, Any], Path], bool]] = {
        "kappa.png": _kappa,
        "retrieval.png": _retrieval,
        "differences.png": _differences,
        "queries.png": _queries,
    }
    able, drawn = can_draw(), []
    for name, draw in drawers.items():
        if able and draw(told, folder / name):
            drawn.append(name)
        else:
            (folder / name).unlink(missing_ok=True)
    return drawn


def _kappa(told: Mapping[str, Any], path: Path) -> bool:
    chosen = [each for each in told["figures"] if each["kind"] == "kappa" and each["recipe"] in PAPER_COLUMNS]
    if not chosen:
        return False
    lines = list(dict.fromkeys(_line(told, each) for each in chosen))
    with drawing(path, 8, 1.2 + 0.45 * len(lines)) as figure:
        axes = figure.subplots()
        _dots(axes, lines, chosen, lambda each: _line(told, each), lambda each: each["recipe"])
        axes.set(xlabel="kappa, from the picture alone")
    return True


def _retrieval(told: Mapping[str, Any], path: Path) -> bool:
    own = [each for each in told["figures"] if each["kind"] == "map" and each["recipe"] in PAPER_COLUMNS]
    chosen = [each for each in own if each["queries"] == each["recipe"]]
    return _searches(told, path, chosen, "recipe")


def _queries(told: Mapping[str, Any], path: Path) -> bool:
    several = {cell["name"] for cell in told["cells"] if len(cell["queries"]) > 1}
    chosen = [
        each
        for each in told["figures"]
        if each["kind"] == "map" and each["row"] == "all" and f"{each['partition']}/{each['recipe']}" in several
    ]
    return _searches(told, path, chosen, "queries")


def _searches(told: Mapping[str, Any], path: Path, chosen: Sequence[Figure], series: str) -> bool:
    if not chosen:
        return False
    lines = list(dict.fromkeys(_line(told, each) for each in chosen))
    count = len({each[series] for each in chosen})
    with drawing(path, 11, 2.2 + (0.35 + 0.12 * count) * 2 * len(lines)) as figure:
        grid = figure.subplots(2, 2, sharex=True, sharey=True, squeeze=False)
        for axes_row, (version, title) in zip(grid, VERSIONS.items(), strict=True):
            for axes, (way, words) in zip(axes_row, DIRECTIONS.items(), strict=True):
                part = [each for each in chosen if each["version"] == version and each["direction"] == way]
                _dots(axes, lines, part, lambda each: _line(told, each), lambda each: str(each[series]))
                axes.set(title=f"{words}, {title}", xlabel="mAP (|: chance)")
    return True


def _dots(
    axes: Any,
    lines: list[str],
    chosen: Sequence[Figure],
    line: Callable[[Figure], str],
    series: Callable[[Figure], str],
) -> None:
    names = list(dict.fromkeys(series(each) for each in chosen))
    for place, name in enumerate(names):
        shift = 0.6 * ((place + 0.5) / len(names) - 0.5)
        for number, each in enumerate(each for each in chosen if series(each) == name):
            y = lines.index(line(each)) + shift
            colour = COLOURS[place % len(COLOURS)]
            if each["ci"]:
                axes.plot(each["ci"], (y, y), color=colour, linewidth=1.5)
            axes.plot(each["mean"], y, "o", color=colour, markersize=5, label=None if number else name)
            if each["chance"] is not None:
                axes.plot(each["chance"], y, "|", color="0.3", markersize=9)
    axes.set_yticks(range(len(lines)), lines)
    axes.set_ylim(len(lines) - 0.5, -0.5)
    axes.grid(axis="x", color="0.9")
    if names:
        handles, labels = axes.get_legend_handles_labels()
        axes.figure.legends.clear()  # one for all panels, beside them
        axes.figure.legend(handles, labels, loc="outside right upper", fontsize="small")


def _differences(told: Mapping[str, Any], path: Path) -> bool:
    against = [each for each in told["differences"] if each["second"] == IMAGE_ONLY and each["measure"] == "kappa"]
    headline = [each for each in told["differences"] if ":masked" in each["measure"] or each["measure"] == "kappa"]
    rest = [each for each in headline if each["second"] != IMAGE_ONLY and each["row"] == "all"]
    chosen = [each for each in (*against, *rest) if each["ci"]][:MOST_LINES]
    if not chosen:
        return False
    with drawing(path, 10, 1.4 + 0.26 * len(chosen)) as figure:
        axes = figure.subplots()
        for number, each in enumerate(chosen):
            clear = each["verdict"] in ("higher", "lower") and len(each["by_seed"]) > 1
            colour = COLOURS[0] if clear else "0.55"
            axes.plot(each["ci"], (number, number), color=colour, linewidth=2)
            axes.plot(each["value"], number, "o", color=colour)
            for value in each["by_seed"]:
                axes.plot(value, number, "|", color=colour, alpha=0.6)
        axes.axvline(0, color="k", linewidth=0.8)
        words = [
            f"{_line(told, each)}: {each['first']} − {each['second']}, {measure_in_words(each['measure'])}"
            for each in chosen
        ]
        axes.set_yticks(range(len(chosen)), words, fontsize="small")
        axes.set_ylim(len(chosen) - 0.5, -0.5)
        axes.set(xlabel="difference [95%]; blue: told from 0, grey: not; |: single seeds")
    return True


def _line(told: Mapping[str, Any], each: Figure) -> str:
    return f"{told['partitions'][each['partition']]}, {each['row']}"
