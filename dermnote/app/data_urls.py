"""Pictures within a page."""

from __future__ import annotations

import base64


def data_url(jpeg: bytes) -> str:
    """A JPEG as a `data:` URL, so that no second request fetches it."""
    return "data:image/jpeg;base64," + base64.b64encode(jpeg).decode("ascii")
