"""How a model is named in a setting or a text field: a folder, a Hub repository, or a repository@revision."""

from __future__ import annotations

from pathlib import Path


def wanted_model(setting: str) -> tuple[str | None, str | None]:
    """Splits a name into a source (None: the embedded starter) and a revision (None: the newest)."""
    setting = setting.strip()
    if not setting or Path(setting).is_dir():
        return setting or None, None
    source, _, revision = setting.partition("@")
    return source, revision or None
