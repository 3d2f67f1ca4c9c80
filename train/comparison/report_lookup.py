"""Looking things up in what comparison.json holds, and saying where they come from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..evaluation.metric_format import number


def caption(told: Mapping[str, Any], what: str) -> str:
    """Where the figures of a table come from: data, split, seeds, device, command."""
    seeds = ", ".join(map(str, told["seeds"]))
    return (
        f"{what} Data: {told['cases']}; held-out cases only; seed{'s' if len(told['seeds']) > 1 else ''} {seeds};"
        f" device {told['device'] or 'unknown'}; `{told['command']}`."
    )


def searched_with_own(figure: Mapping[str, Any]) -> bool:
    """Whether a cell was searched with notes of the strategy that it is named after."""
    return figure["queries"] in ("", figure["recipe"])


def cell_text(figure: Mapping[str, Any], told: Mapping[str, Any]) -> str:
    """A figure as a cell of a table has it: interval, chance in brackets, and how many seeds where some are missing."""
    chance = f" ({number(figure['chance'])})" if figure["chance"] is not None else ""
    seeds, asked = len(figure["by_seed"]), len(told["seeds"])
    return number(figure["mean"], figure["ci"]) + chance + (f", {seeds} of {asked} seeds" if seeds < asked else "")


def whole_rows(told: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The rows that speak of all held-out cases of a partition."""
    return [row for row in told["rows"] if row["row"] in ("all", "test, all", "external, all")]


def row_title(told: Mapping[str, Any], row: Mapping[str, Any]) -> str:
    """A row as the tables name it: its partition's title and its own name."""
    return f"{told['partitions'][row['partition']]}, {row['row']}"


def in_row(figure: Mapping[str, Any], row: Mapping[str, Any]) -> bool:
    """Whether a figure or a difference speaks of a row."""
    return bool(figure["partition"] == row["partition"] and figure["row"] == row["row"])


def key_of(figure: Mapping[str, Any]) -> str:
    """The key of a figure's measure."""
    return ":".join(filter(None, (figure[name] for name in ("kind", "queries", "version", "direction"))))


def figures_in(
    told: Mapping[str, Any], row: Mapping[str, Any], *, columns: Mapping[str, str], **wanted: str
) -> list[Mapping[str, Any]]:
    """The figures of some recipes in a row, of one kind, version or direction."""
    return [
        each
        for each in told["figures"]
        if in_row(each, row) and each["recipe"] in columns and all(each[key] == value for key, value in wanted.items())
    ]


def cell_name(figure: Mapping[str, Any]) -> str:
    """Name of the cell a figure is of."""
    return f"{figure['partition']}/{figure['recipe']}"


def queried_cells(told: Mapping[str, Any]) -> set[str]:
    """Cells that were searched with notes of several strategies."""
    return {cell["name"] for cell in told["cells"] if len(cell["queries"]) > 1}
