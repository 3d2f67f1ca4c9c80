"""Card templates of the folder `hub_cards`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from dermnote.errors import ConfigError


def cards_folder() -> Path:
    """Return the folder `hub_cards`, which is beside this package in a checkout and beside or inside it if installed.

    Raises:
        ConfigError: It was not installed.
    """
    for parent in Path(__file__).resolve().parents:
        if (parent / "hub_cards").is_dir():
            return parent / "hub_cards"
    raise ConfigError("The folder hub_cards with the card templates is missing.", "Install DermNote again.")


def fill_card(name: str, **values: Any) -> str:
    """Fill a template and return the card as Markdown, with a final newline.

    Args:
        name: File name in `hub_cards`.
        values: Values of all its variables; a missing one is an error.
    """
    environment = Environment(  # Markdown needs no escaping  # noqa: S701  # nosec B701
        loader=FileSystemLoader(cards_folder()),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template(name).render(values)


def cell(text: str) -> str:
    """Return a text that fits a cell of a Markdown table."""
    return " ".join(text.replace("|", "/").split())
