"""Cells that a spreadsheet shows as they are, and never runs."""

from __future__ import annotations

STARTS_A_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def inert(cell: object) -> object:
    """A cell for a CSV file: text that a spreadsheet would take for a formula gets an apostrophe before it (OWASP).

    Numbers and all other text stay as they are.
    """
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(STARTS_A_FORMULA) else cell
