"""The cards of `hub_cards/`, filled in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

FOLDER = Path(__file__).resolve().parents[2] / "hub_cards"


def fill_card(name: str, **values: Any) -> str:
    """A card as Markdown, final newline included.

    Args:
        name: Of a file in `hub_cards/`.
        values: All that it names; what is missing is an error.
    """
    environment = Environment(  # Markdown: nothing is escaped  # noqa: S701  # nosec B701
        loader=FileSystemLoader(FOLDER),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template(name).render(values)


def cell(text: str) -> str:
    """A text that stays within its cell of a Markdown table."""
    return " ".join(text.replace("|", "/").split())
