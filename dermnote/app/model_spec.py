"""How a model is named in a setting or a text field, and loaded: a folder, a Hub repository, or repository@revision."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dermnote import DermNote


def wanted_model(setting: str) -> tuple[str | None, str | None]:
    """Splits a name into a source (None: the embedded starter) and a revision (None: the newest)."""
    setting = setting.strip()
    if not setting or Path(setting).is_dir():
        return setting or None, None
    source, _, revision = setting.partition("@")
    return source, revision or None


def load_wanted(setting: str) -> DermNote:
    """Loads what a name means; errors as `DermNote.from_pretrained`."""
    from dermnote import DermNote  # not above: it takes a second or two, and bad settings are told before it

    source, revision = wanted_model(setting)
    return DermNote.from_pretrained(source, revision=revision)
