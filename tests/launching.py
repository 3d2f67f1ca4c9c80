"""The app served over real HTTP in this process, by default with a stand-in model."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from standin import StandIn

from dermnote.app import launch
from dermnote.app.page import build_page


@contextmanager
def launched(model: Any = None) -> Iterator[str]:
    """Serve a page until the block ends; yield its address."""
    demo = build_page(model or StandIn())
    demo.block_thread = lambda: None
    launch.launch(demo, lambda: None)
    try:
        yield demo.local_url.rstrip("/")
    finally:
        demo.close()
