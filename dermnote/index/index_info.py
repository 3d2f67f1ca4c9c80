"""What an index says of itself in index.json."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from dermnote.errors import BundleError
from dermnote.index.faiss_header import REBUILD

INDEX_FORMAT = 1  # inverted lists are told of in "lists"; without it both files are flat, as all were at first


def read_about(root: Path, expected_fingerprint: str | None) -> dict[str, Any]:
    """Width ("dim"), whether it has "notes", "fingerprint", and settings of inverted "lists" by file.

    Raises:
        BundleError: Missing, unreadable, of another format, or of another model than the one expected.
    """
    path = root / "index.json"
    try:
        about = json.loads(path.read_text(encoding="utf-8"))
        values = {"dim": int(about["dim"]), "notes": bool(about["notes"]), "fingerprint": str(about["fingerprint"])}
        values["lists"] = {str(name): dict(each) for name, each in about.get("lists", {}).items()}
        version = about["format"]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise BundleError(f"{path} is missing or not readable.", REBUILD) from error
    if version != INDEX_FORMAT:
        raise BundleError(f"{path} has index format {version}; this DermNote reads format {INDEX_FORMAT}.", REBUILD)
    if expected_fingerprint is not None and values["fingerprint"] != expected_fingerprint:
        raise BundleError(f"The index in {root} was made by another model than the one beside it.", REBUILD)
    return values
