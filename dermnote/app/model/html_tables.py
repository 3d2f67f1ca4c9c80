"""Figures as an HTML table that can be scrolled by keyboard where it is too wide."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape


@dataclass(frozen=True)
class Column:
    """The head of a column.

    Attributes:
        name: In few words.
        means: What it says, for who does not know; may be empty.
    """

    name: str
    means: str = ""


def html_table(name: str, columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> str:
    """A table whose first column names the rows.

    Args:
        name: What it holds, for a screen reader.
        columns: As many as a row has cells.
        rows: Plain text; escaped here.
    """
    heads = "".join(f'<th scope="col"{_title(each.means)}>{escape(each.name)}</th>' for each in columns)
    body = "".join(
        f'<tr><th scope="row">{escape(row[0])}</th>{"".join(f"<td>{escape(cell)}</td>" for cell in row[1:])}</tr>'
        for row in rows
    )
    return (
        f'<div class="dn-table" tabindex="0" role="region" aria-label="{escape(name)}">'
        f"<table><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def folded_table(name: str, columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> str:
    """A table to be opened: what a picture shows, in numbers."""
    return (
        f'<details class="dn-folded"><summary>{escape(name)} as a table</summary>{html_table(name, columns, rows)}'
        "</details>"
    )


def _title(means: str) -> str:
    return f' title="{escape(means)}"' if means else ""
