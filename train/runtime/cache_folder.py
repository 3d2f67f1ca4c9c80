"""Where things are kept that cost nothing but time to make again."""

from __future__ import annotations

import os
from pathlib import Path

ENVIRONMENT = "DERMNOTE_CACHE"


def cache_folder(kind: str) -> Path:
    """The folder of one kind of such things: under DERMNOTE_CACHE, or in ~/.cache/dermnote. It need not exist."""
    return Path(os.environ.get(ENVIRONMENT) or "~/.cache/dermnote").expanduser() / kind
